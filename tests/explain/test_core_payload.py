"""core/payload.js, sha256.js, and the Libm that a payload describes."""

import base64
import hashlib
import json
import math
import random
import struct
import zlib

import pytest
from node import doubles, first_difference, run_node

from isograd.explain.rounded import FUNCTIONS

pytestmark = [pytest.mark.once, pytest.mark.javascript]
START = 8192  # more than any header here takes
FORMATS = {"f64": "d", "i32": "i", "i8": "b", "u8": "B"}
HEADER = {"format": "isograd run", "version": 3, "name": "\u2028 </script> \U0001f600"}
ARRAYS = {
    "weights": ("f64", [1.5, -0.0, 5e-324]),
    "d": ("i8", [-3, 2, 1]),
    "order": ("i32", [-1, 2**31 - 1]),
    "digests": ("u8", [0, 255, 7, 9, 1]),
    "nothing": ("f64", []),
}


def pack(header, arrays):
    """The bytes of a payload, uncompressed."""
    places, body = [], b""
    for name, (kind, numbers) in arrays.items():
        body += bytes(-len(body) % 8)
        at = START + len(body)
        places.append({"name": name, "type": kind, "length": len(numbers), "offset": at})
        body += struct.pack(f"<{len(numbers)}{FORMATS[kind]}", *numbers)
    text = json.dumps({**header, "arrays": places}, sort_keys=True).encode()
    return (struct.pack("<I", len(text)) + text).ljust(START, b"\0") + body


def read(data):
    """What the page makes of a payload, or the sentence that says why it does not."""
    return json.loads(run_node("payload.mjs", given=base64.b64encode(data)))


def test_header_and_arrays_are_read():
    told = read(zlib.compress(pack(HEADER, ARRAYS)))
    assert told["header"]["name"] == HEADER["name"]
    expected = {
        name: [float(x).hex() if kind == "f64" else str(x) for x in numbers]
        for name, (kind, numbers) in ARRAYS.items()
    }
    assert told["arrays"] == expected


WHOLE = pack(HEADER, ARRAYS)
DAMAGED = "This page's record of the run is damaged: "
REFUSED = {
    "not compressed": (WHOLE, DAMAGED + "it cannot be unpacked."),
    "cut": (zlib.compress(WHOLE)[:-9], DAMAGED + "it cannot be unpacked."),
    "flipped": (
        zlib.compress(WHOLE)[:40] + b"\xff\xff" + zlib.compress(WHOLE)[42:],
        DAMAGED + "it cannot be unpacked.",
    ),
    "empty": (zlib.compress(b""), DAMAGED + "it does not begin as an isograd run does."),
    "of another kind": (
        zlib.compress(pack({"format": "other"}, {})),
        DAMAGED + "it does not begin as an isograd run does.",
    ),
    "no JSON": (
        zlib.compress(WHOLE.replace(b"{", b"[")),
        DAMAGED + "it does not begin as an isograd run does.",
    ),
    "without its end": (
        zlib.compress(WHOLE[:-6]),
        DAMAGED + 'it lacks the numbers called "digests".',
    ),
    "of an unknown type": (
        zlib.compress(WHOLE.replace(b'"i32"', b'"i23"')),
        DAMAGED + 'it lacks the numbers called "order".',
    ),
    "newer": (
        zlib.compress(pack({**HEADER, "version": 4}, {})),
        "This page's record of the run has version 4; this page reads version 3.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_payload_is_refused(case):
    data, sentence = REFUSED[case]
    assert read(data) == sentence


@pytest.mark.parametrize("n", [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 33_536])
def test_sha256(n):
    data = random.Random(n).randbytes(n)
    assert run_node("sha256.mjs", given=data).decode() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("count", [0, 1, 7, 3000])
def test_libm_has_the_recorded_exceptions(count):
    """All functions, at arguments that are exceptions, their neighbours, and others."""
    rng = random.Random(count)
    arrays, names, expected, cases = {}, [], [], []
    for name, function in FUNCTIONS.items():
        xs = {rng.uniform(0.1, 6): rng.choice((-3, -1, 1, 2)) for _ in range(count)}
        order = sorted(xs)
        arrays[f"{name}_x"] = "f64", order
        arrays[f"{name}_d"] = "i8", [xs[x] for x in order]
        some = rng.sample(order, min(count, 50))
        chosen = some + [math.nextafter(x, 9) for x in some] + [rng.random() for _ in range(20)]
        chosen += [1.0, 0.0, -0.0, math.inf, math.nan]
        names += [f"{name}({x.hex()})" for x in chosen]
        expected += [moved(function(x), xs.get(x, 0)).hex() for x in chosen]
        cases.append((name, chosen))
    if count == 0:
        arrays = {}
    payload = pack(HEADER, arrays)
    given = struct.pack("<I", len(payload)) + payload + bytes(-(4 + len(payload)) % 8)
    given += b"".join(doubles([len(chosen), *chosen]) for _, chosen in cases)
    actual = run_node("libm.mjs", given=given).decode().split("\n")
    assert first_difference(names, expected, actual) is None


def moved(x, places):
    """`x` with its pattern of bits, as an integer, increased by `places`."""
    (pattern,) = struct.unpack("<q", struct.pack("<d", x))
    return struct.unpack("<d", struct.pack("<q", pattern + places))[0] if places else x
