"""What of a script is a function of the module math, however the script calls it."""

from __future__ import annotations

import ast

from .facts import Facts


class MathNames:
    """The names that the script's imports bind, and nothing else does."""

    def __init__(self, script: Facts, line: int) -> None:
        self.script = script
        self.modules: set[str] = set()
        self.functions: dict[str, str] = {}
        self.is_there = False  # as `math`, before the line
        imported: dict[str, int] = {}
        for node in script.tree.body:
            self.read(node, imported, getattr(node, "lineno", line) < line)
        bound: dict[str, int] = {}
        for name, scope, _ in script.bindings:
            if scope.kind == "module" or name in scope.elsewhere:
                bound[name] = bound.get(name, 0) + 1
        again = {name for name, n in imported.items() if bound.get(name, 0) != n}
        self.modules -= again
        self.functions = {k: v for k, v in self.functions.items() if k not in again}
        self.is_there = "math" in self.modules

    def read(self, node: ast.stmt, imported: dict[str, int], is_before: bool) -> None:
        """Counts imports. One behind the line may say no more than what is known by then."""
        match node:
            case ast.Import(names=names):
                for alias in names:
                    name = alias.asname or "math"
                    if alias.name == "math" and (is_before or name in self.modules):
                        self.modules.add(name)
                        imported[name] = imported.get(name, 0) + 1
            case ast.ImportFrom(module="math", names=names, level=0):
                for alias in names:
                    name = alias.asname or alias.name
                    known = self.functions.get(name, alias.name if is_before else "")
                    if known == alias.name:
                        self.functions[name] = alias.name
                        imported[name] = imported.get(name, 0) + 1

    def function(self, node: ast.expr) -> str:
        """The function's name in math; empty for anything else."""
        match node:
            case ast.Attribute(value=ast.Name() as module, attr=attribute):
                return attribute if module.id in self.modules and self.is_global(module) else ""
            case ast.Name(id=name) if name in self.functions and self.is_global(node):
                return self.functions[name]
        return ""

    def is_global(self, name: ast.Name) -> bool:
        """Whether it is the module's variable; new nodes of ours are, too."""
        scope = self.script.scopes.get(name)
        return scope is None or scope.owner(name.id) is scope.module
