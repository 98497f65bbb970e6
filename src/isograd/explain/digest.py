"""A digest of numbers, 64 bits: what csrc/numerics/digest.c computes, which says what it is."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from struct import pack, unpack
from typing import TypeAlias

from .._backend import backend
from .._backend import digest as native_digest

Numbers: TypeAlias = "array[float] | array[int]"

LANES = 64
MULTIPLIER, MULTIPLIER_2 = 0x9E3779B1, 0xB504F333


def digest_of(numbers: Iterable[float]) -> bytes:
    """What tells `numbers` from others, to the bit, unless by chance."""
    doubles = numbers if isinstance(numbers, array) else array("d", numbers)
    return native_digest(doubles) if backend == "c" else pure_digest(doubles)


def pure_digest(doubles: array[float]) -> bytes:
    """The same in Python."""
    words = unpack(f"<{2 * len(doubles)}I", little(doubles))
    lanes = list(range(1, LANES + 1))
    for start in range(0, len(words), LANES):
        part = words[start : start + LANES]
        lanes[: len(part)] = [mixed(lane, word) for lane, word in zip(lanes, part)]
    a, b = len(words) % 2**32, ~len(words) % 2**32
    for lane in lanes:
        a, b = mixed(a, lane), mixed(b, lane, 17, MULTIPLIER_2)
    return pack("<II", a, b)


def mixed(lane: int, word: int, places: int = 13, multiplier: int = MULTIPLIER) -> int:
    x = lane ^ word
    return ((x << places | x >> (32 - places)) & 0xFFFFFFFF) * multiplier & 0xFFFFFFFF


def little(numbers: Numbers) -> bytes:
    """`numbers` as bytes, the least significant first."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
