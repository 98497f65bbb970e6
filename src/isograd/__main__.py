"""`python -m isograd`."""

from .cli import main

main()
