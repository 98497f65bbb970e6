"""`python -m isograd`."""

from .commands.cli import main

main()
