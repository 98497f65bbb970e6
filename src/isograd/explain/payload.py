"""A Recording as bytes, and the header back out of them. The page reads them in core/payload.js.

    uint32 length of the header | header: JSON | arrays, each at a multiple of 8

All little endian. The header says where each array begins, and of which type its numbers are. The
same run on the same machine gives the same bytes.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any, NamedTuple

from .. import __version__
from ..options import ARCHITECTURE, RunOptions
from .calls import bits_of
from .digest import Numbers, little
from .record import Recording, used_order

FORMAT = "isograd run"
VERSION = 3
CODES = {"f64": "d", "i32": "i", "i8": "b", "u8": "B"}  # of Python's arrays
MOST_TEXT = 1_000_000  # bytes of documents that go into a page although no step used them
BEGINNINGS = {
    "weights": "first weights, losses and digests",
    "keyframe_steps": "keyframes",
    "exp_x": "libm's calls",
}


class About(NamedTuple):
    """What a page says of its run beside the numbers."""

    data: str  # its name
    sha256: str  # of the documents, in the file's order
    command: str
    withhold: bool = False
    times: dict[str, float] | None = None


def pack(recording: Recording, about: About) -> bytes:
    """The payload of `recording`."""
    places = places_of_texts(recording, about.withhold)
    header = header_of(recording, about, places)
    arrays = list(arrays_of(recording, places))
    text, start = b"", 0
    while not text or start < 4 + len(text):  # offsets stand in the header, which they lengthen
        start = 4 + len(text)
        header["arrays"] = list(entries(arrays, start))
        text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    content = bytearray(len(text).to_bytes(4, "little") + text)
    for (_, _, numbers), entry in zip(arrays, header["arrays"]):
        content += bytes(entry["offset"] - len(content)) + little(numbers)
    return bytes(content)


def header_of(recording: Recording, about: About, places: Sequence[int]) -> dict[str, Any]:
    """The header, but for its list of arrays."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "isograd": __version__,
        "python": platform.python_version(),
        "libm": " ".join(filter(None, platform.libc_ver())) or sys.platform,
        "machine": platform.machine(),
        "data": {
            "name": about.data,
            "documents": len(recording.texts),
            "training": len(recording.order),
            "judging": recording.judged,
            "sha256": about.sha256,
        },
        "config": asdict(recording.config),
        "options": options_in(recording.options),
        "steps": recording.steps,
        "kept": recording.kept,
        "chars": recording.chars,
        "texts": [recording.texts[i] for i in places],
        "withheld": len(places) < len(recording.texts),
        "samples": recording.samples,
        "digest_every": recording.digest_every,
        "times": about.times,
        "command": about.command,
    }


def options_in(options: RunOptions) -> dict[str, Any]:
    """What the header says of the options, but for those in the model's configuration."""
    found = {name: x for name, x in asdict(options).items() if name not in ARCHITECTURE}
    for name in ("lr", "temperature", "init_std", "beta1", "beta2", "eps", "weight_decay"):
        found[name] = float(found[name])
    found["seed"] = str(options.seed)  # which may be beyond any number of JavaScript
    if isinstance(options.validation, str):
        found["validation"] = os.path.basename(options.validation)
    return found


def places_of_texts(recording: Recording, withhold: bool) -> list[int]:
    """Which documents go into the page, in the file's order: all, or those that steps used."""
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in recording.texts)
    if size <= MOST_TEXT and not withhold:
        return list(range(len(recording.texts)))
    return sorted(used_order(recording))


def arrays_of(recording: Recording, places: Sequence[int]) -> Iterator[tuple[str, str, Numbers]]:
    """Name, type and numbers of each array."""

    def typed(name: str, kind: str, numbers: Iterable[float]) -> tuple[str, str, Numbers]:
        return name, kind, array(CODES[kind], numbers)

    frames = recording.keyframes
    if len(places) < len(recording.texts):  # else each text is in its own place
        yield typed("text_at", "i32", places)
    yield typed("order", "i32", used_order(recording))
    yield typed("weights", "f64", recording.weights)
    yield typed("losses", "f64", recording.losses)
    if recording.rates:
        yield typed("rates", "f64", recording.rates)
    if recording.validation:
        yield typed("validation_steps", "i32", [step for step, _ in recording.validation])
        yield typed("validation_losses", "f64", [loss for _, loss in recording.validation])
    yield typed("digests", "u8", recording.digests)
    yield typed("corrections", "f64", recording.corrections)
    yield typed("keyframe_steps", "i32", [frame.step for frame in frames])
    for name in ("weights", "m", "v"):
        numbers = chain.from_iterable(getattr(frame, name) for frame in frames)
        yield typed(f"keyframe_{name}", "f64", numbers)
    for name, found in recording.exceptions.items():
        pairs = sorted(found.items(), key=lambda pair: bits_of(pair[0]) % 2**64)
        yield typed(f"{name}_x", "f64", [x for x, _ in pairs])
        yield typed(f"{name}_d", "i8", [d for _, d in pairs])


def entries(arrays: Sequence[tuple[str, str, Numbers]], start: int) -> Iterator[dict[str, Any]]:
    """What the header says of `arrays` if the first of them begins at `start` or a little later."""
    for name, kind, numbers in arrays:
        start += -start % 8
        yield {"name": name, "type": kind, "length": len(numbers), "offset": start}
        start += len(numbers) * numbers.itemsize


def read_header(content: bytes) -> dict[str, Any]:
    """The header of a payload. Raises ValueError if it is damaged or of another version."""
    size = int.from_bytes(content[:4], "little")
    try:
        header: dict[str, Any] = json.loads(content[4 : 4 + size])
        found = header["format"], header["version"]
    except (LookupError, TypeError, ValueError):
        raise ValueError("its payload is damaged") from None
    if found != (FORMAT, VERSION):
        raise ValueError(f"its payload is {found[0]!r} of version {found[1]}, not {VERSION}")
    return header


def parts_of(content: bytes) -> Iterator[tuple[str, bytes]]:
    """A payload cut where something else begins to take the room, and what that is."""
    first, what = 0, "documents"
    for entry in read_header(content)["arrays"]:
        if entry["name"] in BEGINNINGS:
            yield what, content[first : entry["offset"]]
            first, what = entry["offset"], BEGINNINGS[entry["name"]]
    yield what, content[first:]
