"""The C programs in tests/c, which know nothing of Python, built and run under the sanitizers."""

import os
import re
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
REQUEST = re.compile(r"\b(calloc|realloc|aligned_alloc|pthread_create)\(")
ANY = re.compile("")

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compiles a C file with some options, once for all programs; returns the object file."""
    folder, done = tmp_path_factory.mktemp("objects"), {}

    def compile(source, *options):
        key = source, *options
        if key not in done:
            done[key] = folder / f"{len(done)}.o"
            run_compiler("-c", source, "-o", done[key], *options)
        return done[key]

    return compile


def run_compiler(*arguments):
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler")
    build = subprocess.run([compiler, *arguments], capture_output=True, text=True)
    if build.returncode and "sanitize" in build.stderr + build.stdout:
        pytest.skip("this compiler has no sanitizers")
    assert build.returncode == 0, build.stderr


def check_program(
    name, folder, compiled, *more, where=ANY, sources=(), sanitizers="address,undefined"
):
    """Compiles tests/c/`name`.c, its rooms and `sources` with the sanitizers, and runs it.

    Options `more` are for the files in which `where` is found; the others are compiled already.
    """
    sources = [ROOT / "tests" / "c" / f"{name}.c", *sources]
    for room in ROOMS[name]:
        sources += sorted((ROOT / "csrc" / room).glob("*.c"))
    options = ["-std=c11", "-O0", "-g", "-I", ROOT / "csrc", "-ffp-contract=off"]
    options += ["-fno-builtin-pow", "-fno-builtin-exp", "-fno-builtin-log"]
    options += [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    objects = [
        compiled(source, *options, *(more if where.search(source.read_text("utf-8")) else ()))
        for source in sources
    ]
    program = folder / name
    run_compiler(*objects, "-o", program, f"-fsanitize={sanitizers}", "-lm", "-pthread")
    process = subprocess.run([program], capture_output=True, text=True)
    if "unexpected memory mapping" in process.stderr:
        pytest.skip("this system's layout of memory is not what the sanitizer expects")
    assert process.returncode == 0 and "OK" in process.stdout, process.stdout + process.stderr


@pytest.mark.parametrize("name", BARE)
def test_a_program_runs_clean(name, tmp_path, compiled):
    check_program(name, tmp_path, compiled)


def test_threads_do_not_race(tmp_path, compiled):
    check_program("test_gpt", tmp_path, compiled, "-O1", sanitizers="thread")


@pytest.mark.parametrize("name", WITH_LIBM)
def test_with_an_unknown_libm_its_word_is_final(name, tmp_path, compiled):
    odd = ROOT / "tests" / "c" / "odd_libm"
    options = "-DKNOWN_LIBM=0", "-include", f"{odd}.h"
    check_program(name, tmp_path, compiled, *options, sources=[odd.with_suffix(".c")])


def test_each_request_for_memory_or_a_thread_fails_once(tmp_path, compiled):
    scarce = ROOT / "tests" / "c" / "scarce_memory"
    sources = [scarce.with_suffix(".c")]
    options = "-include", f"{scarce}.h"
    check_program("test_memory", tmp_path, compiled, *options, where=REQUEST, sources=sources)


def test_no_header_makes_a_request():
    headers = [path for room in ROOMS["test_memory"] for path in (ROOT / "csrc" / room).glob("*.h")]
    assert not [path.name for path in headers if REQUEST.search(path.read_text("utf-8"))]
