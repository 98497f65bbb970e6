"""The C part of `make lint`: includes point one way, and no compiler warns.

Compiles every C file of csrc and tests/c, without keeping the result, by each compiler in COMPILERS
with the warnings below as errors; a compiler that is missing is an error, too.
"""

import itertools
import os
import re
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPILERS = os.environ.get("COMPILERS", "gcc clang").split()
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]

# Which rooms of csrc a room's files may include.
MAY_KNOW = {
    "numerics": {"numerics"},
    "gpt": {"gpt", "numerics"},
    "graph": {"graph", "numerics"},
    "run": {"run", "graph", "numerics"},
}
MOST_IN_A_CIRCLE = 4  # files (a header and its .c count as one) that include one another

Arrows = dict[Path, set[Path]]


def includes(sources: list[Path]) -> Arrows:
    """The files of ours that each of `sources` includes."""
    arrows: Arrows = {source: set() for source in sources}
    for source in sources:
        for name in re.findall(r'^#include "(.+)"', source.read_text(), re.MULTILINE):
            found = [path for path in (source.parent / name, ROOT / "csrc" / name) if path.exists()]
            arrows[source].update(found[:1])
    return arrows


def upward(arrows: Arrows) -> list[str]:
    """A complaint for each include that points at a room which the includer may not know."""
    return [
        f"{source.relative_to(ROOT)} includes {target.relative_to(ROOT)}: "
        f"{source.parent.name} may know {', '.join(sorted(MAY_KNOW[source.parent.name]))} only"
        for source, targets in arrows.items()
        for target in sorted(targets)
        if target.parent.name not in MAY_KNOW[source.parent.name]
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
    rooms = [ROOT / "csrc" / room for room in MAY_KNOW]
    arrows = includes([path for room in rooms for path in sorted(room.glob("*.[ch]"))])
    complaints = [*upward(arrows), *circles(arrows)]
    programs = [*(path for path in arrows if path.suffix == ".c"), *ROOT.glob("tests/c/*.c")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = pool.map(warnings, *zip(*itertools.product(COMPILERS, programs)))
        complaints += filter(None, said)
    print("\n".join(complaints) or f"{len(programs)} C files: no warning by {', '.join(COMPILERS)}")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
