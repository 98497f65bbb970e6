"""The digest of numbers: the same in C on every vector unit, in Python and in JavaScript."""

import random
from array import array
from collections import Counter

import pytest
from node import run_node

from isograd.explain import digest
from isograd.explain.digest import digest_of, pure_digest
from isograd.model import TIERS

SIZES = [0, 1, 2, 15, 16, 31, 32, 33, 63, 64, 65, 100, 4192]
KNOWN = ["c1d8506baff2346a", "98da261dd448b529", "717644d898d912a5"]
needs_c = pytest.mark.skipif("native" not in TIERS, reason="nothing is compiled")


def numbers(n, seed=0):
    rng = random.Random(f"{n} {seed}")
    return array("d", [rng.gauss(0, 0.08) for _ in range(n)])


@needs_c
@pytest.mark.parametrize("n", SIZES)
def test_c_and_python_agree(n, units):
    from isograd import _native

    x = numbers(n)
    for unit in units:
        _native.set_vector_unit(unit)
        assert _native.digest(x) == pure_digest(x), unit


@pytest.mark.once
@pytest.mark.javascript
@pytest.mark.parametrize("n", SIZES)
def test_javascript_and_python_agree(n):
    x = numbers(n)
    assert run_node("digest.mjs", given=x.tobytes()).decode() == pure_digest(x).hex()


def test_known_digests():
    """So that a page of today is verified by that of tomorrow, or has another version."""
    assert [pure_digest(array("d", x)).hex() for x in ([], [1.0], [-0.0] * 40)] == KNOWN


def test_each_flipped_bit_shows():
    x = numbers(70)
    words, expected = array("Q", x.tobytes()), digest_of(x)
    for i in range(len(words)):
        for bit in range(64):
            words[i] ^= 1 << bit
            assert digest_of(array("d", words.tobytes())) != expected, (i, bit)
            words[i] ^= 1 << bit


def test_order_and_number_show():
    x = numbers(200)
    others = [x, x[::-1], x[:-1], x + array("d", [0.0]), x[1:] + x[:1], x[32:64] + x[:32] + x[64:]]
    assert len({digest_of(y) for y in others}) == len(others)
    zeros = {digest_of(array("d", bytes(8 * n))) for n in range(200)}
    assert len(zeros) == 200


def test_each_bit_of_a_digest_is_on_half_of_the_time():
    x, counts = numbers(64), Counter()
    for i in range(2000):
        x[i % 64] += 0.001
        found = int.from_bytes(digest_of(x), "little")
        counts.update(bit for bit in range(64) if found >> bit & 1)
    assert all(850 < counts[bit] < 1150 for bit in range(64))


@needs_c
def test_only_doubles_have_one():
    with pytest.raises(ValueError, match="a digest is one of doubles"):
        digest.native_digest(array("i", [1]))
    assert digest_of([1, 2]) == digest_of(array("d", [1.0, 2.0]))
