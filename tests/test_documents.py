"""The Python examples of README.md, ORDER.md and docs run as they stand and print what they say."""

import platform
import re
import subprocess
import sys
from collections import Counter
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


DOCUMENTS = ["README.md", "csrc/gpt/ORDER.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
NAMED = {
    f"{Path(path).stem} {i}": example
    for path in sorted(DOCUMENTS)
    for i, example in enumerate(examples(path), 1)
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
    least = {"README": 3, "ORDER": 4, "micrograd": 3, "training": 2, "ask": 3}
    found = Counter(name.split()[0] for name in NAMED)
    assert all(found[name] >= n for name, n in least.items())
    assert all(shown(example) for name, example in NAMED.items() if "README" not in name)
