"""Prints what isograd with some extras needs, for pip: all but isograd, which pip would compile.

`python tools/packages_of.py EXTRA,EXTRA`, for extras of pyproject.toml.
"""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def packages_of(project, extras):
    """Those of the extras, separated by commas, and of the extras that these name."""
    for extra in extras.split(","):
        for requirement in project["optional-dependencies"][extra]:
            others = re.fullmatch(rf"{project['name']}\[(.+)\]", requirement)
            yield from packages_of(project, others[1]) if others else [requirement]


def main():
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    print(*project["dependencies"], *packages_of(project, sys.argv[1]))


if __name__ == "__main__":
    main()
