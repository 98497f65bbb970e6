"""A payload becomes a page: one HTML file with all that it needs, which asks nobody for anything.

The assets are ES modules, so that Node can test them. A page from a file can import none, so they
are joined here: modules in the order of their imports, without the imports and the word export.
The page runs one script; the other, of the worker, lies in it as text. Data lies in it as text,
too, and never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .lines import reference_lines
from .payload import parts_of

ASSETS = Path(__file__).parent / "assets"
MOST_BEFORE_PAYLOAD = 1_000_000  # bytes of a page
LEVEL = 6  # of compression: 9 takes 60 ms more, for half a per cent
IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
COMMENT = re.compile(r"^ *(?://.*|/\*(?s:.*?)\*/ *)\n", re.MULTILINE)
INDENTATION = re.compile(r"^(?: {4})+", re.MULTILINE)
NAMED = re.compile(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)
TAKEN_APART = re.compile(r"^(?:const|let) [\[{]([^=]*)[\]}] =", re.MULTILINE)
PAYLOAD = re.compile(r'id="payload" data-sha256="([0-9a-f]{64})">([A-Za-z0-9+/=]*)</script>')


class Packed(NamedTuple):
    """A payload as it lies in a page, the SHA-256 of what it is, and what takes the room."""

    sha256: str
    text: str
    sizes: dict[str, int]  # bytes of the page


def packed(payload: bytes) -> Packed:
    """`payload` compressed, as ASCII; the same text for the same payload."""
    compressor, compressed, sizes = zlib.compressobj(LEVEL), bytearray(), {}
    for what, part in parts_of(payload):
        before = len(compressed)
        compressed += compressor.compress(part) + compressor.flush(zlib.Z_SYNC_FLUSH)
        sizes[what] = (len(compressed) - before) * 4 // 3
    compressed += compressor.flush()
    text = base64.b64encode(compressed).decode()
    return Packed(hashlib.sha256(payload).hexdigest(), text, sizes)


def found_in(page: str) -> tuple[Packed, bytes]:
    """The payload of a page, as it lies there and itself. Raises ValueError if it has none."""
    found = PAYLOAD.search(page)
    if not found:
        raise ValueError("it is no page of isograd explain")
    try:
        payload = zlib.decompress(base64.b64decode(found[2]))
    except (ValueError, zlib.error):
        raise ValueError("its payload is damaged") from None
    if hashlib.sha256(payload).hexdigest() != found[1]:
        raise ValueError("its payload is damaged")
    return Packed(found[1], found[2], {}), payload


def is_page(path: str) -> bool:
    """Whether the file `path` is a page of this kind, damaged or not."""
    with open(path, "rb") as file:
        return b'id="payload" data-sha256="' in file.read(MOST_BEFORE_PAYLOAD)


def page_of(payload: Packed, title: str, other: Packed | None = None) -> str:
    """The page that shows `payload`, and compares it with the `other` one."""
    core = bundle("core/worker.js")
    script = bundle("page/main.js")
    style = "".join(map(read, style_sheets()))
    parts = {
        "title": html.escape(title),
        "csp": policy(script, style),
        "style": style,
        "sha256": payload.sha256,
        "payload": payload.text,
        "other": element(other) if other else "",
        "lines": as_text(reference_lines()),
        "core": core,
        "page": script,
    }
    template = read("page/page.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def style_sheets() -> list[str]:
    """The style sheets: first the one on whose variables the others rely."""
    names = sorted(path.name for path in (ASSETS / "page").glob("*.css"))
    return [f"page/{name}" for name in sorted(names, key="style.css".__ne__)]


def policy(script: str, style: str) -> str:
    """The content security policy: this script, this style, a worker made of text, no network."""
    return (
        f"default-src 'none'; script-src '{source_of(script)}'; style-src '{source_of(style)}'; "
        "worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def source_of(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def element(other: Packed) -> str:
    return (
        '<script type="application/octet-stream" id="payload-other" '
        f'data-sha256="{other.sha256}">{other.text}</script>'
    )


def as_text(data: object) -> str:
    """`data` as JSON that ends no element and begins no comment."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")


def bundle(entry: str) -> str:
    """The module `entry` and all that it imports as one script, whose names are its own."""
    modules = list(in_order(entry, set()))
    body = "".join(EXPORT.sub("", lighter(IMPORT.sub("", source))) for _, source in modules)
    names = NAMED.findall(body)
    names += [name for names in TAKEN_APART.findall(body) for name in re.findall(r"\w+", names)]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise ValueError(f"modules of {entry} have the same name: {', '.join(twice)}")
    if left := re.search(r"^(?:import|export)\b.*", body, re.MULTILINE):
        raise ValueError(f"a module of {entry} has a line that cannot be joined: {left[0]}")
    # In strings, regular expressions and comments, which is where these can be, both are the same.
    body = re.sub(r"<(?=/script)", r"\\x3c", body, flags=re.IGNORECASE)
    body = body.replace("<!--", "\\x3c!--")
    return f'(() => {{\n"use strict";\n{body}}})();\n'


def lighter(source: str) -> str:
    """`source` without comments that have lines of their own, and with tabs: a tenth smaller."""
    source = COMMENT.sub("", source)
    return INDENTATION.sub(lambda spaces: "\t" * (len(spaces[0]) // 4), source)


def in_order(name: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Names and sources of the module `name` and all that it imports: imported ones first."""
    seen.add(name)
    source = read(name)
    for imported in IMPORT.findall(source):
        parts = name.split("/")[:-1]
        for part in imported.split("/"):
            parts = parts[:-1] if part == ".." else parts if part == "." else [*parts, part]
        if (found := "/".join(parts)) not in seen:
            yield from in_order(found, seen)
    yield name, source


def read(asset: str) -> str:
    return (ASSETS / asset).read_text("utf-8")
