"""The C programs in tests/c, which know nothing of Python, built and run under the sanitizers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "test_numerics": ["numerics"],
    "test_gpt": ["gpt", "numerics"],
    "test_memory": ["gpt", "numerics"],
    "test_pace": ["gpt", "numerics"],
}
BARE = ["test_numerics", "test_gpt", "test_pace"]  # which need nothing put before them
WITH_LIBM = ["test_numerics", "test_gpt"]


def check_program(name, folder, *more, sanitizers="address,undefined"):
    """Compiles tests/c/`name`.c, its rooms and `more` with the sanitizers, and runs it."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler")
    program = folder / name
    sources = [ROOT / "tests" / "c" / f"{name}.c"]
    for room in ROOMS[name]:
        sources += sorted((ROOT / "csrc" / room).glob("*.c"))
    command = [compiler, "-std=c11", "-O0", "-g", "-I", ROOT / "csrc", "-o", program]
    command += ["-ffp-contract=off", "-fno-builtin-pow", "-fno-builtin-exp", "-fno-builtin-log"]
    command += [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    command += [*sources, *more, "-lm", "-pthread"]
    build = subprocess.run(command, capture_output=True, text=True)
    if build.returncode and "sanitize" in build.stderr + build.stdout:
        pytest.skip("this compiler has no sanitizers")
    assert build.returncode == 0, build.stderr
    process = subprocess.run([program], capture_output=True, text=True)
    if "unexpected memory mapping" in process.stderr:
        pytest.skip("this system's layout of memory is not what the sanitizer expects")
    assert process.returncode == 0 and "OK" in process.stdout, process.stdout + process.stderr


@pytest.mark.once
@pytest.mark.parametrize("name", BARE)
def test_a_program_runs_clean(name, tmp_path):
    check_program(name, tmp_path)


@pytest.mark.once
def test_threads_do_not_race(tmp_path):
    check_program("test_gpt", tmp_path, "-O1", sanitizers="thread")


@pytest.mark.once
@pytest.mark.parametrize("name", WITH_LIBM)
def test_with_an_unknown_libm_its_word_is_final(name, tmp_path):
    odd = ROOT / "tests" / "c" / "odd_libm"
    check_program(name, tmp_path, "-DKNOWN_LIBM=0", "-include", f"{odd}.h", odd.with_suffix(".c"))


@pytest.mark.once
def test_each_request_for_memory_or_a_thread_fails_once(tmp_path):
    scarce = ROOT / "tests" / "c" / "scarce_memory"
    check_program("test_memory", tmp_path, "-include", f"{scarce}.h", scarce.with_suffix(".c"))
