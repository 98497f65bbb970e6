"""Modules beside the script: the class may be in one of them.

All of them are looked through as the script is, and changed as it is when they are imported. Only
what `from module import names` at the top level finds in the script's folder, and what these
modules import so, is known; a package's modules are found by their dotted names.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST = 30  # modules


@dataclass
class Beside:
    """A module in the script's folder."""

    name: str
    file: str
    tree: ast.Module


def imports_from(tree: ast.Module) -> list[str]:
    return [
        node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    ]


def file_of(name: str, folder: str) -> str | None:
    """Where a module or package of that name lies beside the script, as plain source.

    None for the names of the standard library, which may come before it.
    """
    parts = name.split(".")
    if parts[0] in sys.stdlib_module_names:
        return None
    path = os.path.join(folder, *parts)
    files = (os.path.join(path, "__init__.py"), f"{path}.py")
    return next(filter(os.path.isfile, files), None)


def modules_beside(tree: ast.Module, folder: str) -> list[Beside]:
    """What the script imports from its folder, each module after those that it imports."""
    found: dict[str, Beside] = {}

    def visit(name: str) -> None:
        package = name.rpartition(".")[0]
        if package:
            visit(package)
        file = file_of(name, folder)
        if file is None or name in met or len(met) >= MOST:
            return
        met.add(name)
        try:
            with open(file, "rb") as source:
                module = ast.parse(source.read(), file)
        except (OSError, SyntaxError, ValueError):
            return
        for other in imports_from(module):
            visit(other)
        found[name] = Beside(name, file, module)

    met: set[str] = set()
    for name in imports_from(tree):
        visit(name)
    return list(found.values())


# ---- importing ----

Fill = Callable[[dict[str, object]], None]


class Finder:
    """Finds the changed modules where Python finds the plain ones."""

    def __init__(self, codes: dict[str, tuple[str, types.CodeType]], fill: Fill) -> None:
        self.codes = codes
        self.fill = fill

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self.codes:
            return None
        file, code = self.codes[name]
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec and spec.origin and os.path.realpath(spec.origin) == os.path.realpath(file):
            spec.loader = Loader(name, spec.origin, code, self.fill)
            return spec
        return None


class Loader(importlib.machinery.SourceFileLoader):
    """Runs the code that it is given."""

    def __init__(self, name: str, path: str, code: types.CodeType, fill: Fill) -> None:
        super().__init__(name, path)
        self.code = code
        self.fill = fill

    def get_code(self, fullname: str) -> types.CodeType:
        return self.code

    def exec_module(self, module: types.ModuleType) -> None:
        self.fill(module.__dict__)
        super().exec_module(module)


def install(codes: dict[str, tuple[str, types.CodeType]], fill: Fill) -> None:
    sys.meta_path.insert(0, Finder(codes, fill))
