"""Starts the programs of this folder in Node, where there is one."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def run_node(program, *arguments, given=b""):
    """What `program`, an .mjs of this folder, writes when it is given these bytes."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    command = [node, FOLDER / program, *arguments]
    process = subprocess.run(command, input=given, capture_output=True)
    assert process.returncode == 0, process.stderr.decode()
    return process.stdout


def doubles(numbers):
    """The bytes of these numbers, the lowest first."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


def read_doubles(data):
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def first_difference(names, expected, actual):
    """The first entry in which two lists differ, for a test's message; None if they are equal."""
    assert len(names) == len(expected) == len(actual)
    for name, a, b in zip(names, expected, actual):
        if a != b:
            return f"{name}: expected {a}, actual {b}"
    return None
