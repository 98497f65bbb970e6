"""The C part of `make lint`: arrows within C and around it point one way, and no compiler warns.

Compiles every C file of csrc and tests/c, without keeping the result, by each compiler in COMPILERS
with the warnings below as errors; a compiler that is missing is an error, too.
"""

import ast
import itertools
import os
import re
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "isograd"
COMPILERS = os.environ.get("COMPILERS", "gcc clang").split()
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]

# Which rooms of csrc a room's files, or a Cython module, may include.
ROOMS = {
    "numerics": {"numerics"},
    "gpt": {"gpt", "numerics"},
    "graph": {"graph", "numerics"},
    "run": {"run", "graph", "numerics"},
    "micrograd": {"micrograd", "graph", "numerics"},
}
MAY_KNOW = {
    **ROOMS,
    "_core": {"run", "micrograd", "graph", "numerics"},
    "_native": {"gpt", "numerics"},
}
# The same for Python: which of src/isograd may import a Cython module, and which it may import.
IMPORTERS = {"_core": {"_backend", "micrograd", "optim", "run"}, "_native": {"_backend"}}
IMPORTED = {"_core": {"reference"}, "_native": {"checks", "reference"}}
MOST_IN_A_CIRCLE = 4  # files (a header and its .c count as one) that include one another

INCLUDE = r'^\s*(?:#include|cdef extern from) "(.+?)"'
IMPORT = r"^\s*from \.(?: c?import )?(\w+)"
Arrows = dict[Path, set[Path]]


def room(path: Path) -> str:
    """What stands for `path` in the tables above."""
    return path.stem if path.suffix == ".pyx" else path.parent.name


def includes(sources: list[Path]) -> Arrows:
    """The files of ours that each of `sources` includes."""
    arrows: Arrows = {source: set() for source in sources}
    for source in sources:
        for name in re.findall(INCLUDE, source.read_text(), re.MULTILINE):
            found = [path for path in (source.parent / name, ROOT / "csrc" / name) if path.exists()]
            arrows[source].update(found[:1])
    return arrows


def upward(arrows: Arrows) -> list[str]:
    """A complaint for each include that points at a room which the includer may not know."""
    return [
        f"{source.relative_to(ROOT)} includes {target.relative_to(ROOT)}: "
        f"{room(source)} may know {', '.join(sorted(MAY_KNOW[room(source)]))} only"
        for source, targets in arrows.items()
        for target in sorted(targets)
        if room(target) not in MAY_KNOW[room(source)]
    ]


def imports_of_extensions() -> list[str]:
    """A complaint for each import of a Cython module by Python that may not know it."""
    complaints = []
    for source in sorted(PACKAGE.rglob("*.py")):
        importer = source.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                statement = ast.unparse(node)
                complaints += [
                    f"{source.relative_to(ROOT)}:{node.lineno}: {statement}: {extension} may be "
                    f"known to {', '.join(sorted(importers))} only"
                    for extension, importers in IMPORTERS.items()
                    if extension in re.findall(r"\w+", statement) and importer not in importers
                ]
    return complaints


def imports_by_extensions(extensions: list[Path]) -> list[str]:
    """A complaint for each import of Python of ours that a Cython module may not know."""
    return [
        f"{source.relative_to(ROOT)} imports {name}: {source.stem} may know "
        f"{', '.join(sorted(IMPORTED[source.stem]))} only"
        for source in extensions
        for name in re.findall(IMPORT, source.read_text(), re.MULTILINE)
        if name not in IMPORTED[source.stem]
    ]


def circles(arrows: Arrows) -> list[str]:
    """A complaint for each group of files, too large, that include one another."""
    units: dict[Path, set[Path]] = {}
    for source, targets in arrows.items():
        units.setdefault(source.with_suffix(""), set()).update(t.with_suffix("") for t in targets)

    def reachable(start: Path) -> frozenset[Path]:
        reached, todo = set(), [start]
        while todo:
            for target in units[todo.pop()] - reached:
                reached.add(target)
                todo.append(target)
        return frozenset(reached)

    reach = {unit: reachable(unit) for unit in units}
    groups = {
        frozenset(other for other in units if unit in reach[other] and other in reach[unit])
        for unit in units
    }
    return [
        f"{len(group)} files include one another: {' '.join(sorted(unit.name for unit in group))}"
        for group in groups
        if len(group) > MOST_IN_A_CIRCLE
    ]


def warnings(compiler: str, source: Path) -> str:
    """What `compiler` says of `source`."""
    flags = ["-std=c11", "-O2", "-ffp-contract=off", "-I", ROOT / "csrc", "-c", "-o", os.devnull]
    headers = ["-isystem", sysconfig.get_path("include")]
    command = [compiler, *WARNINGS, *flags, *headers, source]
    try:
        return subprocess.run(command, capture_output=True, text=True).stderr
    except FileNotFoundError:
        return f"there is no {compiler}\n"


def main() -> int:
    files = [path for name in ROOMS for path in sorted((ROOT / "csrc" / name).glob("*.[ch]"))]
    extensions = sorted(PACKAGE.glob("*.pyx"))
    arrows = includes([*files, *extensions])
    complaints = [*upward(arrows), *circles(arrows)]
    complaints += [*imports_of_extensions(), *imports_by_extensions(extensions)]
    programs = [*(path for path in arrows if path.suffix == ".c"), *ROOT.glob("tests/c/*.c")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = pool.map(warnings, *zip(*itertools.product(COMPILERS, programs)))
        complaints += filter(None, said)
    print("\n".join(complaints) or f"{len(programs)} C files: no warning by {', '.join(COMPILERS)}")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
