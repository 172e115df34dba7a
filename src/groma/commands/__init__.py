"""The commands, a module each with a `main`. Thin: parse, call one function, print."""
