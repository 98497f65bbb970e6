"""The part of `make lint` that needs a build: stubtest compares the stubs with the built modules.

They are those in src, or else those installed for this Python. Where there are none, says so and
fails only if the environment variable ISOGRAD_STUBS is `required`.
"""

import importlib.machinery
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
MODULES = ("_core", "_native")


def are_built(folder: Path) -> bool:
    """Whether `folder` holds the package with both modules, built for this Python."""
    return all(
        any(
            (folder / "isograd" / (name + end)).exists()
            for end in importlib.machinery.EXTENSION_SUFFIXES
        )
        for name in MODULES
    )


def main() -> int:
    folder = next((path for path in (SOURCE, *map(Path, sys.path)) if are_built(path)), None)
    if folder is None:
        print(
            "stubtest has nothing to test: build with `make demo`, or for this Python with "
            "`python setup.py build_ext --inplace`"
        )
        return int(os.environ.get("ISOGRAD_STUBS") == "required")
    print(f"stubtest of the modules in {folder}")
    command = [sys.executable, "-m", "mypy.stubtest"]
    command += ["--mypy-config-file", str(ROOT / "pyproject.toml")]
    command += [f"isograd.{name}" for name in MODULES]
    environment = {**os.environ, "PYTHONPATH": str(folder), "MYPYPATH": str(SOURCE)}
    environment.pop("ISOGRAD_BACKEND", None)
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
