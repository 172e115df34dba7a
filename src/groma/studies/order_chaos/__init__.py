"""Is an aligned model easier to make into an orderly agent, and harder to make into a chaotic one?"""
