"""`python -m groma`: the command line."""

from groma.cli import main

main()
