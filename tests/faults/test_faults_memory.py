"""Every request for memory or a thread fails once: short_of_memory.py says what must hold then.

Single operations, and nodes that find no slot, are in test_out_of_memory.py and
test_micrograd_memory.py; the native step without Python in tests/c/test_memory.c.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from amount import WHOLE

HERE = Path(__file__).parent
NAMES = re.findall(r'^    "([\w ]+)": ', (HERE / "short_of_memory.py").read_text(), re.M)

pytest.importorskip("isograd._core")
pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="takes the place of glibc's"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("no C compiler, or another library in the place of malloc()")
    path = tmp_path_factory.mktemp("memory") / "failing_memory.so"
    headers = sysconfig.get_path("include")
    options = ["-shared", "-fPIC", "-O1", "-I", headers, "-o", path]
    subprocess.run([compiler, *options, HERE / "failing_memory.c"], check=True)
    return path


def ended(name, library, folder):
    """Starts the program; returns what it has counted, or what it has complained of."""
    # What measures Python's lines asks for memory, too.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    process = subprocess.run(
        [sys.executable, HERE / "short_of_memory.py", name],
        cwd=folder,
        env={**environment, "LD_PRELOAD": str(library)},
        capture_output=True,
        encoding="utf-8",
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [*NAMES, "flat.py", "micrograd.py", "moons.py"])
def test_every_request_for_memory_fails_once(name, library, tmp_path, counted):
    n_failed, n_raised = ended(name, library, tmp_path)
    assert n_failed >= n_raised >= WHOLE  # a number or two may be of another request than before
    survived = n_failed - n_raised
    counted(
        f"{name}: {n_failed:,} requests failed once, {n_raised:,} of them with MemoryError, "
        f"{survived:,} without effect; nothing lost, nothing leaked"
    )
