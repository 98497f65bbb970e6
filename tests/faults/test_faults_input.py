"""Hostile files and values: a command does what it was asked, or says in one sentence why not.

Never a traceback, never another status than 0, 1 and 2, never a file in part.
"""

import os
import random
import re

import pytest
from amount import spread
from test_cli import MANY_COMMANDS

from isograd.commands.cli import cli

pytest.importorskip("safetensors")
pytestmark = MANY_COMMANDS

TINY = ["--n-embd=4", "--n-head=2", "--block-size=4", "--steps=2", "--samples=1"]
RUN = ["--data=docs.txt", *TINY]
SPACE = "[space]\nlr = [0.1, 0.01]\n[run]\nsteps = 2\nn_embd = 4\nn_head = 2\nblock_size = 4\n"
BASE = {
    "train": RUN,
    "explain": RUN,
    "run": ["script.py"],
    "sweep": ["space.toml", "--data=docs.txt", "--workers=1"],
    "sample": ["run.safetensors", "--samples=2"],
    "eval": ["run.safetensors"],
    "verify": ["--seconds=0.1"],
}
VALUES = [
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "2",
        "-0.0",
        "0.5",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "-1e400",
        "1e-400",
    ),
    *(str(2**31), str(2**63 - 1), str(2**63), str(2**64), "9" * 5000, "1" * 400 + ".5"),
    *("0x10", "1_0", "1e0", " 1", "\u0661", "\u00b2", "True", "None", "auto", "value", "best"),
    *(".", "..", "/", "~", "docs.txt", "run.safetensors", "missing/x", "x.csv", "x.png", "x.jsonl"),
    *("/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "-", "--", "--steps", "a" * 5000),
    *("\n", "\x1b[2J", "\u2028", "\U0001f98a", "\udcff", "%s%n{0}", "$(id)", "a;b", "*"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files that the commands are called with, by name."""
    from forked import ended

    folder = tmp_path_factory.mktemp("files")
    (folder / "docs.txt").write_text("ann\nbob\ncrl\n")
    (folder / "script.py").write_text("print(1)\n")
    (folder / "space.toml").write_text(SPACE)
    assert ended(["train", *RUN, "--checkpoint=run.safetensors"], folder).status == 0
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lay_out(files, folder):
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def check(ending, folder, arguments):
    """Checks how it ended, and what it has left; returns "done", "refused" or "goes on"."""
    told = ending.errors.decode(errors="replace")
    assert "Traceback" not in told, f"{arguments}:\n{told}"
    if ending.goes_on:
        return "goes on"
    assert ending.status in (0, 1, 2), f"{arguments}: status {ending.status}\n{told}"
    left = [name for name in os.listdir(folder) if name.endswith(".part")]
    assert left == [], f"{arguments} leaves {left}"
    if ending.status == 0:
        return "done"
    # In front of it may stand that documents are cut.
    assert re.search(r"(\A|\n)isograd: [^\n]+\n\Z", told), f"{arguments}: {told!r}"
    return "refused"


def options():
    """Every option that takes a value, with its command."""
    for name, command in cli.commands.items():
        for parameter in command.params:
            if parameter.opts[0].startswith("-") and not parameter.is_flag:
                yield name, parameter.opts[0]


def test_every_value_for_every_option(files, tmp_path, counted):
    from forked import ended

    cases = [(name, option, value) for name, option in options() for value in VALUES]
    assert len(cases) > 3000
    counts = dict.fromkeys(("done", "refused", "goes on"), 0)
    for i, (name, option, value) in enumerate(spread(cases, 60)):
        folder = lay_out(files, tmp_path / str(i))
        arguments = [name, *BASE[name], option, value]
        counts[check(ended(arguments, folder), folder, arguments)] += 1
    counted(f"{sum(counts.values()):,} values for the options of all commands: {said(counts)}")


def said(counts):
    return (
        f"{counts['refused']:,} refused in one sentence, {counts['done']:,} done, "
        f"{counts['goes on']:,} still at it when stopped"
    )


PIECES = [
    *(b"ann", b"bob", b"\n", b"\r\n", b"\r", b"\0", b" ", b"\t", b"\xff", b"\xfe", b"\xc0\x80"),
    *(b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xe6\x97", b"\x1a"),
    *("\u0301", "\U0001f98a", "\u202e", "\ufffe", "\u0085", "\u3000"),
]
CONTENTS = {
    "nothing": b"",
    "blanks": b" \n\t\n" * 1000,
    "a mark": b"\xef\xbb\xbf",
    "a long line": b"abc " * 2_500_000,
    "empty lines": b"\n" * 1_000_000 + b"ann",
    "one letter": b"a",
    "UTF-16": "ann\nbob\n".encode("utf-16"),
    "every character": "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)])).encode(),
    "all bytes": bytes(range(256)) * 10,
    "a program": b"\x7fELF" + bytes(1000),
}


def random_content(seed):
    rng = random.Random(seed)
    pieces = [x if isinstance(x, bytes) else x.encode() for x in rng.sample(PIECES, 6)]
    return b"".join(rng.choices(pieces, k=rng.choice([1, 10, 300])))


@pytest.mark.parametrize("name", CONTENTS)
def test_a_hostile_file(files, tmp_path, name):
    uses = ["--data=hostile", "--validation=hostile"]
    assert len([*look_at(files, tmp_path / "run", CONTENTS[name], uses)]) == 3


def test_random_files(files, tmp_path, counted):
    counts = dict.fromkeys(("done", "refused", "goes on"), 0)
    seeds = spread(range(300), 6)
    for seed in seeds:
        uses = ["--data=hostile", "--validation=hostile"][seed % 2 :][:1]
        for found in look_at(files, tmp_path / str(seed), random_content(seed), uses):
            counts[found] += 1
    counted(f"{len(seeds):,} random files of documents, each taught and judged: {said(counts)}")


def look_at(files, folder, content, uses):
    """Trains on a file of documents, or validates with it, and asks a model about it."""
    from forked import ended

    lay_out({**files, "hostile": content}, folder)
    for arguments in [*(["train", *RUN, use] for use in uses), ["eval", "run.safetensors"]]:
        if arguments[0] == "eval":
            arguments.append("--data=hostile")
        yield check(ended(arguments, folder), folder, arguments)
