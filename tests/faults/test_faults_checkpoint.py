"""Every byte of a checkpoint flipped, every length cut, whatever appended: one sentence, no model.

All is refused because the file has a checksum over its header and its tensors; who reads it takes
no more memory than a few times the file. How parts that fit the checksum can still not go together
is in test_checkpoint.py.
"""

import json
import os
import random
import sys

import pytest
from amount import spread
from test_checkpoint import new_checkpoint, refused

import isograd

pytestmark = pytest.mark.once
pytest.importorskip("safetensors")

LEFT = 1 << 30  # bytes that reading a damaged file may take, on top of what the process has


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "run.safetensors"
    isograd.save_checkpoint(path, new_checkpoint(n_layer=1, n_embd=2, n_head=1, block_size=2))
    return path.read_bytes()


@pytest.fixture(autouse=True)
def little_memory():
    """No header can make the reader ask for much memory."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + LEFT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def damaged(content, place, mask):
    copy = bytearray(content)
    copy[place] ^= mask
    return bytes(copy)


def say_the_same(a, b):
    """Other white space between the words of a header says the same."""
    end = 8 + int.from_bytes(b[:8], "little")
    try:
        headers = json.loads(a[8:end]), json.loads(b[8:end])
    except ValueError:
        return False
    return a[:8] + a[end:] == b[:8] + b[end:] and headers[0] == headers[1]


def test_every_byte_flipped_is_refused(tmp_path, content, counted):
    """All bits of it, and one."""
    path = tmp_path / "run"
    flips = [(place, mask) for place in range(len(content)) for mask in (255, 1 << place % 8)]
    flips = spread(flips, 301)
    header = 8 + int.from_bytes(content[:8], "little")
    n_damaged = 0
    for place, mask in flips:
        sentence = refused(path, damaged(content, place, mask))
        n_damaged += "is damaged, or was changed" in sentence
        # What is no longer JSON, or of another shape, does not get as far as the checksum.
        assert place < header or "is damaged, or was changed" in sentence
    counted(
        f"{len(content):,} bytes flipped, all bits and one bit of each, {len(flips):,} flips: all "
        f"refused, {n_damaged:,} by the checksum, the others by the format; none was read"
    )


def test_every_length_is_refused(tmp_path, content, counted):
    lengths = spread(range(len(content)), 150)
    for length in lengths:
        refused(tmp_path / "run", content[:length])
    counted(f"{len(lengths):,} lengths cut: all refused")


def test_whatever_is_appended_put_in_or_taken_out_is_refused(tmp_path, content, counted):
    rng, path = random.Random(1), tmp_path / "run"
    changes = spread(range(5000), 75)
    for seed in changes:
        rng = random.Random(seed)
        some, place = rng.randbytes(rng.choice([1, 8, 100])), rng.randrange(len(content))
        end = min(len(content), place + rng.choice([1, 8, 100]))
        other = [
            content + some,
            content[:place] + some + content[place:],
            content[:place] + content[end:],
            content[:place] + rng.randbytes(end - place) + content[end:],
            rng.randbytes(len(content)),
        ][seed % 5]
        if not say_the_same(other, content):
            refused(path, other)
    counted(f"{len(changes):,} times bytes appended, put in, taken out, or replaced: all refused")


def test_every_command_refuses_it_in_one_sentence(tmp_path, content, counted):
    from click.testing import CliRunner

    from isograd.commands.cli import cli

    path = tmp_path / "run"
    places = spread(range(0, len(content), 25), 8)
    for place in places:
        path.write_bytes(damaged(content, place, 255))
        for arguments in (["sample"], ["eval"], ["train", "--resume"], ["explain", "-o", "page"]):
            ended = CliRunner().invoke(cli, [*arguments, str(path)])
            assert ended.exit_code == 2 and isinstance(ended.exception, SystemExit), arguments
            assert repr(os.fspath(path)) in ended.output
    assert os.listdir(tmp_path) == ["run"]
    counted(f"{len(places):,} bytes flipped, 4 commands: each ends with one sentence")
