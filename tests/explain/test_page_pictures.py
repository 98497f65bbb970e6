"""What the page computes by itself: the map of letters, means of losses, sizes."""

import json
import math

import pytest
from node import run_node

pytestmark = [pytest.mark.once, pytest.mark.javascript]

# Rows that differ by 3 along (0.6, 0.8, 0) and by 1 along (0, 0, 1), around (5, 6, 7).
FIRST, SECOND, MEAN = (0.6, 0.8, 0.0), (0.0, 0.0, 1.0), (5.0, 6.0, 7.0)
PLACES = [(3, 0), (-3, 0), (0, 1), (0, -1)]
ROWS = [[m + a * f + b * s for m, f, s in zip(MEAN, FIRST, SECOND)] for a, b in PLACES]


@pytest.fixture(scope="module")
def answer():
    question = {
        "data": [x for row in ROWS for x in row],
        "rows": 4,
        "columns": 3,
        "values": [1, 2, 3, 6],
        "window": 2,
        "text": "{n} letters, {other}",
        "words": {"n": 4},
        "pair": [0.123456, 0.123457],
    }
    return json.loads(run_node("pictures.mjs", given=json.dumps(question).encode()))


# The map is found by iteration and has no twin in Python to equal in bits: what is expected comes
# from geometry, and the page says that it computes the map itself.


def test_the_axes_are_those_in_which_the_rows_differ_most(answer):
    for axis, expected in zip(answer["axes"], (FIRST, SECOND)):
        assert axis == pytest.approx(expected, abs=1e-9)
    assert answer["mean"] == pytest.approx(MEAN)
    assert answer["share"] == pytest.approx(1)


def test_each_row_lies_where_it_was_put(answer):
    values = [[along["value"] for along in place] for place in answer["places"]]
    assert values == [pytest.approx(place, abs=1e-9) for place in PLACES]
    assert " = 3" in answer["places"][0][0]["formula"]


def test_means_and_sizes(answer):
    assert answer["means"] == [1, 1.5, 2.5, 4.5]
    assert answer["size"]["size"] == math.sqrt(12.5)
    assert answer["size"]["formula"].startswith("sqrt((1² + 2² + 3² + 6²) / 4) = 3.53")


def test_texts_get_their_numbers_and_pairs_the_digits_that_tell_them_apart(answer):
    assert answer["filled"] == "4 letters, {other}"
    assert answer["digits"] == 6
