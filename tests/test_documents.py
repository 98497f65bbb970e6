"""The Python examples of README.md, ORDER.md and docs run as they stand and print what they say."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def examples(path):
    return re.findall(
        r"^```python\n(.*?)^```", (ROOT / path).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


def shown(example):
    """The comments behind its prints, which say what they print."""
    return re.findall(r"^ *print\(.*\)  # (.*)", example, re.MULTILINE)


README, ORDER = examples("README.md"), examples("csrc/gpt/ORDER.md")
MICROGRAD, ASK = examples("docs/micrograd.md"), examples("docs/ask.md")
NAMED = {
    f"{name} {i}": example
    for name, found in [
        ("README", README),
        ("ORDER", ORDER),
        ("micrograd", MICROGRAD),
        ("ask", ASK),
    ]
    for i, example in enumerate(found, 1)
}


@pytest.mark.parametrize("example", NAMED.values(), ids=NAMED)
def test_an_example_runs(example, tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    if "math.sqrt" in example and platform.libc_ver()[0] != "glibc":
        pytest.skip("what pow makes of a square root is shown for glibc")
    if shown(example):
        assert process.stdout.splitlines() == shown(example)


def test_there_are_examples():
    assert len(README) >= 3
    assert len(ORDER) >= 4 and all(map(shown, ORDER))
    assert len(MICROGRAD) >= 3 and all(map(shown, MICROGRAD))
    assert len(ASK) >= 3 and all(map(shown, ASK))
