"""Does what alignment gained in a chatbot hold when the same model becomes another system?"""
