"""What is to be done with a script: a finding for each definition, and the changed tree.

Nothing in here looks at a script; recognise.py makes the plan, script.py carries it out.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .beside import Beside
    from .derive import Text
    from .kernels import Kernel
    from .shape import Shape


@dataclass
class Finding:
    """One definition of the script: what it is, whether ours takes its place, and else why not."""

    line: int
    what: str
    replaced: bool
    why: str = ""
    end: int = 0  # its last line
    file: str = ""  # the module beside the script that it is in

    def __str__(self) -> str:
        verdict = "compiled" if self.replaced else "left alone"
        where = f" of {self.file}" if self.file else ""
        return f"line {self.line}{where}: {self.what}: {verdict}" + (
            f", {self.why}" if self.why else ""
        )


def compiled(node: ast.AST, what: str, note: str = "") -> Finding:
    return Finding(getattr(node, "lineno", 1), what, True, note)


def left_alone(node: ast.AST, what: str, why: str) -> Finding:
    line = getattr(node, "lineno", 1)
    return Finding(line, what, False, why, getattr(node, "end_lineno", None) or line)


@dataclass
class Adoption:
    """How the script's class differs from ours, for who puts ours in its place."""

    absent: tuple[str, ...]  # what ours has and it has not, and traits
    extra: tuple[str, ...]  # what it goes on doing in its own way
    kernels: dict[str, Kernel]
    shape: Shape
    kept: dict[str, str]  # further attributes: "read" or "dropped"
    texts: dict[str, dict[str, Text]]  # what operations write into them, by method


@dataclass
class Plan:
    """The findings, the tree with ours in it, and what that calls."""

    tree: ast.Module
    findings: list[Finding]
    adoption: Adoption | None = None
    loops: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    modules: list[Beside] = field(default_factory=list)  # changed as well
    forks: bool = False  # the script may make processes that are copies of this one

    @property
    def replaces(self) -> bool:
        return any(finding.replaced for finding in self.findings)


class Different(Exception):
    """Says why a definition is not ours."""
