"""`make wheels`: builds every package that this machine can, and tries each as a stranger would.

`python tools/check_wheels.py FOLDER [PYTHON...]` writes into FOLDER the sdist and, made from it,
the pure wheel and one for each CPython given or found. Linters read them; the files of one wheel
are compared with those that the tree itself gives. Then each wheel is installed into a new virtual
environment, with no compiler on PATH, by the pip that chose it among all of them, and trains: what
it prints must have the bytes of a record in tests/golden. Ends with status 1 if anything is wrong,
a wheel has a megabyte or more, or install and run take 10 seconds or more.

PyPy and CPython without the GIL, if given, take the pure wheel. So does the newest CPython, once,
and Pyodide, where there is npm.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import check_pyodide

ROOT = Path(__file__).parent.parent
SUPPORTED = range(10, 16)  # CPython 3.x
MOST_BYTES, MOST_SECONDS = 1_000_000, 10
COMPILERS = ("cc", "gcc", "g++", "c99", "clang", "tcc", "cl")
RECORDED = ("x86_64", "glibc", "2.36")  # the libm of tests/golden, as in tests/test_golden.py
BUILDING = ("PATH", "CC", "CFLAGS", "LDFLAGS", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
ABOUT = (
    "import json, platform, sys, sysconfig; print(json.dumps([sys.implementation.name,"
    "'%d.%d.%d' % sys.version_info[:3] + 't' * bool(sysconfig.get_config_var('Py_GIL_DISABLED')),"
    "[platform.machine(), *platform.libc_ver()]]))"
)


class Python(NamedTuple):
    """An interpreter that wheels are tried with."""

    path: str
    implementation: str
    version: str
    libm: tuple[str, ...]

    @property
    def compiles(self) -> bool:
        return self.implementation == "cpython" and not self.version.endswith("t")


class Trained(NamedTuple):
    of: str  # the record that was repeated
    seconds: float
    same: bool  # the bytes of what it printed


class Tried(NamedTuple):
    """What became of one wheel in a new environment."""

    python: Python
    wheel: Path
    backend: str
    new_user: float  # seconds of pip with nothing in its cache
    again: float  # seconds of pip with a warm cache
    trained: Trained
    faults: list[str]


def python_at(path: str) -> Python | None:
    """None for what is there by name only, as pyenv's shims are."""
    found = subprocess.run([path, "-c", ABOUT], capture_output=True, text=True)
    if found.returncode:
        return None
    implementation, version, libm = json.loads(found.stdout)
    return Python(path, implementation, version, tuple(libm))


def pythons_here() -> list[Python]:
    """One of each supported CPython, from PATH or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for minor in SUPPORTED:
        paths = [shutil.which(f"python3.{minor}"), *map(str, pyenv.glob(f"3.{minor}.*/bin/python"))]
        usable = (python for path in paths if path and (python := python_at(path)))
        found += [next((x for x in usable if x.version.startswith(f"3.{minor}.")), None)]
    return [python for python in found if python]


def run(*command: str | Path, show: bool = False, **environment: str) -> None:
    """Shows the command; what it says if `show`, or if it fails with CalledProcessError."""
    print("$", *(Path(word).name if os.sep in str(word) else word for word in command), flush=True)
    output = None if show else subprocess.PIPE
    finished = subprocess.run(
        [*command], env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
    )
    if finished.returncode:
        sys.stdout.buffer.write(finished.stdout or b"")
        finished.check_returncode()


def build(python: str, source: Path, folder: Path, **environment: str) -> Path:
    """The wheel of an sdist or a tree, in `folder`."""
    before = {*folder.glob("*.whl")}
    pip = (python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source)
    run(*pip, **environment)
    [wheel] = {*folder.glob("*.whl")} - before
    return wheel


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def differences_from_tree(python: Python, wheel: Path) -> list[str]:
    """What differs between the wheel of the sdist and that of a copy of this tree."""
    made = (".git", ".venv*", "build", "dist", "node_modules", "*.egg-info", "*.so", "_*.c")
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*made))
        theirs = content(build(python.path, tree, Path(name)))
    ours = content(wheel)
    return [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]


def clean_environment(scripts: Path) -> dict[str, str]:
    """Ours, but PATH has one folder. Raises RuntimeError if a compiler is found there."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if name not in BUILDING and not name.startswith("ISOGRAD_")
    }
    found = [name for name in COMPILERS if shutil.which(name, path=str(scripts))]
    if found:
        raise RuntimeError(f"{scripts} has {found}")
    return {**kept, "PATH": str(scripts)}


def timed(command: list[str | Path], environment: dict[str, str]) -> tuple[float, bytes]:
    start = time.perf_counter()
    output = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout
    return time.perf_counter() - start, output.replace(os.linesep.encode(), b"\n")


def new_prefix(python: Python, folder: Path) -> tuple[Path, dict[str, str]]:
    """The scripts of a new virtual environment, and what its programs see."""
    run(python.path, "-m", "venv", folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    return scripts, clean_environment(scripts)


def train(python: Python, backend: str, command: Path, environment: dict[str, str]) -> Trained:
    """Has `isograd train` repeat a recorded run: the default one if C computes it."""
    of = "default" if backend == "c" else "tiny"  # pure Python takes two minutes for the first
    record = json.loads((ROOT / "tests" / "golden" / f"names-{of}.json").read_text("utf-8"))
    options = [f"--{key.replace('_', '-')}={x}" for key, x in record["config"].items()]
    seconds, output = timed([command, "train", *options], environment)
    expected = record["stdout_sha256"]
    if python.libm != RECORDED:
        _, reference = timed([command, "train", *options, "--tier=reference"], environment)
        expected = hashlib.sha256(reference).hexdigest()
    return Trained(of, seconds, hashlib.sha256(output).hexdigest() == expected)


def try_wheel(python: Python, wheels: Path, wanted: Path, choose: bool = True) -> Tried:
    """Has pip choose, installs, trains. Without `choose`, pip is given the wheel."""
    faults = []
    with tempfile.TemporaryDirectory() as name:
        scripts, environment = new_prefix(python, Path(name, "new"))
        pip: list[str | Path] = [scripts / "python", "-m", "pip"]
        asked = ["download", "--quiet", "--no-deps", "--no-index", "--find-links", wheels]
        subprocess.run([*pip, *asked, "--dest", name, "isograd"], check=True, env=environment)
        [chosen] = Path(name).glob("isograd-*")
        if choose and chosen.name != wanted.name:
            faults.append(f"pip took {chosen.name}")
        new_user, _ = timed([*pip, "install", "--quiet", "--no-cache-dir", wanted], environment)
        # What a second environment takes, once the dependencies are in pip's cache.
        timed([*pip, "download", "--quiet", "--dest", Path(name, "cached"), wanted], environment)
        scripts, environment = new_prefix(python, Path(name, "again"))
        pip = [scripts / "python", "-m", "pip"]
        again, _ = timed([*pip, "install", "--quiet", wanted], environment)
        asked = [scripts / "python", "-c", "import isograd; print(isograd.backend)"]
        backend = timed(asked, environment)[1].decode().strip()
        trained = train(python, backend, scripts / "isograd", environment)
    if not trained.same:
        faults.append("prints other bytes than pure Python")
    if max(new_user, again) + trained.seconds >= MOST_SECONDS:
        faults.append(f"takes {MOST_SECONDS} s or more")
    return Tried(python, wanted, backend, new_user, again, trained, faults)


def table(tried: list[Tried]) -> None:
    head = ("Python", "wheel", "bytes", "backend", "pip, new", "pip, cached", "train", "run", "")
    rows = [head]
    for x in tried:
        seconds = [f"{s:.2f} s" for s in (x.new_user, x.again, x.trained.seconds)]
        name = f"{x.python.implementation} {x.python.version}"
        kind = x.wheel.name.split("-", 2)[2].removesuffix(".whl")
        verdict = "; ".join(x.faults) or "ok"
        rows.append(
            (name, kind, f"{x.wheel.stat().st_size:,}", x.backend, *seconds, x.trained.of, verdict)
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main(folder: Path, given: list[str]) -> int:
    named = {path: python_at(path) for path in given if shutil.which(path)}
    unusable = [path for path in given if not named.get(path)]
    if unusable:
        sys.exit(f"no Python: {', '.join(unusable)}")
    pythons = [python for python in named.values() if python] or pythons_here()
    compiling = [python for python in pythons if python.compiles]
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "build", "--sdist", "--outdir", folder, ROOT)
    [sdist] = folder.glob("*.tar.gz")
    newest = compiling[-1] if compiling else Python(sys.executable, "cpython", "", ())
    pure = build(newest.path, sdist, folder, ISOGRAD_PURE="1")
    built = {python: build(python.path, sdist, folder) for python in compiling}
    packages = [sdist, pure, *built.values()]
    tools = Path(sys.executable).parent
    run(tools / "twine", "check", "--strict", *packages, show=True)
    run(tools / "check-wheel-contents", pure, *built.values(), show=True)
    if sys.platform == "linux":
        for wheel in built.values():
            run(tools / "auditwheel", "show", wheel, show=True)
    sizes = {x.name: x.stat().st_size for x in (pure, *built.values())}
    faults = [f"{name} has {n:,} bytes" for name, n in sizes.items() if n >= MOST_BYTES]
    if compiling:
        other = differences_from_tree(newest, built[newest])
        faults += [f"{name} is another one if built from the tree" for name in other]
    tried = [try_wheel(python, folder, built.get(python, pure)) for python in pythons]
    if compiling:
        tried.append(try_wheel(newest, folder, pure, choose=False))
    table(tried)
    if shutil.which("npm"):
        check_pyodide.install(pure, folder / "pyodide")
        if not check_pyodide.train(folder / "pyodide"):
            faults.append("Pyodide: see above")
    else:
        print("Pyodide was not tried: npm was not found")
    print("No compiler was on PATH:", *COMPILERS)
    print(*faults or ["The tree gives the same files as the sdist, byte for byte."], sep="\n")
    return 1 if faults or any(x.faults for x in tried) else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
