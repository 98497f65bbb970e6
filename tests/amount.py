"""How much the tests in faults/ try: all of it under `make faults`, a spread sample otherwise."""

import os

WHOLE = os.environ.get("ISOGRAD_FAULTS") == "whole"


def spread(items, few):
    """All of `items` under `make faults`; otherwise `few`, evenly spread, both ends among them."""
    items = list(items)
    if WHOLE or len(items) <= few:
        return items
    return [items[i * (len(items) - 1) // (few - 1)] for i in range(few)]
