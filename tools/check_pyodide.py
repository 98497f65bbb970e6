"""Installs a pure wheel in Pyodide, under Node, and trains there.

`python tools/check_pyodide.py WHEEL FOLDER` gets the npm package pyodide and all other wheels into
FOLDER. `make wheels` does so where there is npm.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RECORD = HERE.parent / "tests" / "golden" / "names-tiny.json"
PYODIDE, MICROPIP = "pyodide@314.0.7", "micropip==0.11.1"  # that one has CPython 3.14


def install(wheel: Path, folder: Path) -> None:
    """Gets what is needed. Raises CalledProcessError if a package cannot be had."""
    npm = [shutil.which("npm") or "npm", "install", "--prefix", folder, "--silent", "--no-audit"]
    subprocess.run([*npm, "--no-fund", PYODIDE], check=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder / "wheels"]
    subprocess.run([*pip, wheel], check=True)
    theirs = ["--python-version=3.14", "--only-binary=:all:"]  # whatever runs this
    subprocess.run([*pip, *theirs, MICROPIP], check=True)


def train(folder: Path) -> bool:
    """Whether all was the same; prints what was."""
    node = shutil.which("node") or "node"
    folders = [folder / "node_modules" / "pyodide", folder / "wheels"]
    return subprocess.run([node, HERE / "check_pyodide.mjs", *folders, RECORD]).returncode == 0


if __name__ == "__main__":
    wheel, folder = map(Path, sys.argv[1:])
    install(wheel, folder)
    sys.exit(not train(folder))
