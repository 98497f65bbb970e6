"""core/numbers.js against float.hex, float.fromhex and repr."""

import random
import struct

import pytest
from node import doubles, first_difference, read_doubles, run_node

pytestmark = [pytest.mark.once, pytest.mark.javascript]
EDGES = [0.0, 5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308]
EDGES += [
    1e22,
    1e23,
    9007199254740993.0,
    0.1,
    1e16,
    9999999999999998.0,
    1e-4,
    9.999e-5,
    1e-5,
    1e100,
]
EDGES += [2.0**k for k in range(-1074, 1024)] + [10.0**k for k in range(-323, 309)]
EDGES += [float("inf"), float("nan")]
NO_HEX = ["", "1", "0x", "0x1p+0", "0x1.8p0", "0x2.0p+0", "0x1.8p+1024", "0x0.1p+0", "0x1.0p-1023"]
NO_HEX += [" inf", "infinity", "0x1.00000000000000p+0", "0x1.8p+0x", "null", "-"]


def numbers():
    """Edges of either sign and 100,000 random patterns of 64 bits."""
    rng = random.Random(1)
    patterns = b"".join(struct.pack("<Q", rng.getrandbits(64)) for _ in range(100_000))
    everyday = [rng.choice((1, -1)) * 10 ** rng.uniform(-8, 20) for _ in range(20_000)]
    everyday += [round(x, 3) for x in everyday]
    return EDGES + [-x for x in EDGES] + everyday + read_doubles(patterns)


@pytest.mark.parametrize("name, python", [("hexOf", float.hex), ("reprOf", repr)])
def test_text_is_what_python_writes(name, python):
    cases = numbers()
    text = run_node("apply.mjs", "numbers.js", name, given=doubles(cases)).decode().split("\n")
    expected = list(map(python, cases))
    assert first_difference(expected, expected, text) is None


def test_hex_is_read_back():
    cases = numbers()
    read = read_doubles(run_node("hex.mjs", given="\n".join(map(float.hex, cases)).encode()))
    names = list(map(float.hex, cases))
    assert first_difference(names, names, list(map(float.hex, read))) is None


@pytest.mark.parametrize("text", NO_HEX)
def test_what_is_no_hex_is_refused(text):
    told = run_node("hex.mjs", given=text.encode()).decode()
    assert told.endswith("is no number as Python's float.hex writes it.")
