"""core/mersenne.js against random.Random."""

import json
import random

import pytest
from node import first_difference, run_node

from isograd.explain import rounded

pytestmark = [pytest.mark.once, pytest.mark.javascript]

WEIGHTS = [[0.5], [1.0, 2.0, 3.0], [0.1] * 10, [1e-300, 1.0], [0.0, 0.25, 0.0, 0.75], [1e300] * 3]


@pytest.mark.parametrize("seed", [0, 1, 42, -7, 2**32 - 1, 2**32, 2**70, -(10**40), 10**40])
def test_same_numbers_as_python(seed, monkeypatch):
    """With rounded functions on either side: gauss calls libm's."""
    for name in ("log", "cos", "sin"):
        monkeypatch.setattr(random, f"_{name}", rounded.FUNCTIONS[name])
    rng = random.Random(seed)
    expected = []
    for turn in range(400):
        expected += [rng.random().hex() for _ in range(turn % 3)]
        expected.append(rng.gauss(0.0, 0.08).hex())
        shuffled = list(range(turn % 50))
        rng.shuffle(shuffled)
        expected.append(" ".join(map(str, shuffled)))
        weights = WEIGHTS[turn % len(WEIGHTS)]
        expected.append(str(rng.choices(range(len(weights)), weights)[0]))
    actual = run_node("random.mjs", str(seed), json.dumps(WEIGHTS)).decode().split("\n")
    assert first_difference(list(range(len(expected))), expected, actual) is None


def test_a_long_shuffle():
    expected = list(range(40_000))
    random.Random(3).shuffle(expected)
    actual = run_node("random.mjs", "3", "null", "40000").decode().split(" ")
    assert first_difference(expected, expected, list(map(int, actual))) is None
