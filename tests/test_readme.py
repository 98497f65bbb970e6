"""The README's Python examples run as they stand, and say what they say they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(example, tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    for promise in re.findall(r"print\(.*\) +# (.*)", example):
        assert promise in process.stdout.splitlines()


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
