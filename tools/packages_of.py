"""Prints what isograd with some extra needs, for pip: all but isograd, which pip would compile.

`python tools/packages_of.py EXTRA`, for an extra of pyproject.toml.
"""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def packages_of(project, extra):
    """Those of the extra, and of the extras that it names."""
    for requirement in project["optional-dependencies"][extra]:
        other = re.fullmatch(rf"{project['name']}\[(\w+)\]", requirement)
        yield from packages_of(project, other[1]) if other else [requirement]


def main():
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    print(*project["dependencies"], *packages_of(project, sys.argv[1]))


if __name__ == "__main__":
    main()
