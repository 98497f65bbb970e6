"""How much the tests here try: all of it under `make faults`, a spread sample in `make test`."""

import os

WHOLE = os.environ.get("ISOGRAD_FAULTS") == "whole"


def spread(items, few):
    """All of `items` in the whole form; otherwise `few`, evenly spread, the first and last too."""
    items = list(items)
    if WHOLE or len(items) <= few:
        return items
    return [items[i * (len(items) - 1) // (few - 1)] for i in range(few)]
