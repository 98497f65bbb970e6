"""The C programs in tests/c, which know nothing of Python, built and run under the sanitizers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"test_numerics": ["numerics"], "test_gpt": ["gpt", "numerics"]}


@pytest.mark.once
@pytest.mark.parametrize("name", ROOMS)
def test_a_program_runs_clean(name, tmp_path):
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path / name
    sources = [ROOT / "tests" / "c" / f"{name}.c"]
    for room in ROOMS[name]:
        sources += sorted((ROOT / "csrc" / room).glob("*.c"))
    command = [compiler, "-std=c11", "-O0", "-g", "-I", ROOT / "csrc", "-o", program]
    command += ["-ffp-contract=off", "-fno-builtin-pow", "-fno-builtin-exp", "-fno-builtin-log"]
    command += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    build = subprocess.run([*command, *sources, "-lm", "-pthread"], capture_output=True, text=True)
    if build.returncode and "sanitize" in build.stderr + build.stdout:
        pytest.skip("this compiler has no sanitizers")
    assert build.returncode == 0, build.stderr
    process = subprocess.run([program], capture_output=True, text=True)
    assert process.returncode == 0 and "OK" in process.stdout, process.stdout + process.stderr
