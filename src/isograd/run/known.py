"""The methods, functions and patterns that we know, read from programs.py and the reference.

meaning.py says whether a definition of a script is one of them, variants.py what else equals them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from os import path

from .._core import unary_methods
from ..reference import value as reference
from .backwards import parts_of
from .facts import copied, without_docstring
from .meaning import Meaning
from .normal_form import OURS, Scopes, Vocabulary
from .patterns import Pattern
from .scopes import Names
from .variants import mirrored, variants, with_arguments_swapped


@dataclass(frozen=True)
class Known:
    """One way of writing a method or function of ours."""

    definition: ast.FunctionDef

    @cached_property
    def meaning(self) -> Meaning:
        return Meaning(self.definition, OURS, Names(self.definition).scopes)


def is_known(meaning: Meaning, ways: Iterable[Known]) -> bool:
    """Whether one of the `ways` means the same. Derives no more of their meanings than it needs."""
    return any(meaning == way.meaning for way in ways)


@cache
def methods() -> dict[str, list[Known]]:
    """The class, by method."""
    written = definitions(class_in(programs()))
    own = definitions(class_in(tree_of(reference.__file__)))
    written["backward"] = []
    for name in unary_methods:
        written[name] = [*own[name], *written.get(name, [])]
    equal = equal_expressions()
    return {name: list(map(Known, variants(ways, equal))) for name, ways in written.items()}


def backward_of(
    method: ast.FunctionDef, vocabulary: Vocabulary, scopes: Scopes, has_closures: bool
) -> list[str] | None:
    """The traits of a backward(), None if it is none that we know."""
    parts = parts_of(method, vocabulary, scopes)
    if parts is None:
        return None
    all_scopes = {**scopes, **parts.scopes}
    ending = "hand_on_by_closures" if has_closures else "hand_on"
    if not is_known(Meaning(parts.hand_on, vocabulary, all_scopes), endings(ending)):
        return None
    traits = ["float seed"] if type(parts.seed) is float else []
    order = Meaning(parts.order, vocabulary, all_scopes)
    if is_known(order, orders()):
        return traits
    return [*traits, "mirrored"] if is_known(order, orders(is_mirrored=True)) else None


@cache
def orders(is_mirrored: bool = False) -> list[Known]:
    """All ways of writing the walk; or that from the last child to the first."""
    written = definitions(programs())["order"]
    ways = variants(mirrored(written) if is_mirrored else written, equal_expressions())
    return [Known(with_ending(way, "return order")) for way in ways]


def with_ending(function: ast.FunctionDef, statement: str) -> ast.FunctionDef:
    twin = copied(function)
    twin.body += ast.parse(statement).body
    return twin


@cache
def endings(name: str) -> list[Known]:
    """All ways of handing gradients on."""
    return list(map(Known, variants(definitions(programs())[name], equal_expressions())))


@cache
def functions() -> dict[str, list[Known]]:
    """The vector functions, by what we call them; `_swapped` where arguments change places."""
    written = definitions(programs())
    swapped = map(with_arguments_swapped, written["linear"])
    return {
        "linear": list(map(Known, written["linear"])),
        "linear_swapped": list(map(Known, swapped)),
        "softmax": list(map(Known, written["softmax"])),
        "rmsnorm": list(map(Known, written["rmsnorm"])),
    }


@cache
def patterns(*names: str) -> list[Pattern]:
    """The patterns of these names, in their order."""
    written = definitions(programs())
    return [Pattern(definition) for name in names for definition in written[name]]


# ---- reading ----


def equal_expressions() -> list[tuple[ast.expr, ast.expr]]:
    """The pairs of programs.py."""
    (table,) = patterns("equal_expressions")
    rows = getattr(table.expression, "elts", [])
    return [(row.elts[0], row.elts[1]) for row in rows]


@cache
def programs() -> ast.Module:
    return tree_of(path.join(path.dirname(__file__), "programs.py"))


def tree_of(file: str) -> ast.Module:
    with open(file, "rb") as source:
        return ast.parse(source.read())


def class_in(tree: ast.Module) -> ast.ClassDef:
    return next(
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Value"
    )


def definitions(tree: ast.Module | ast.ClassDef) -> dict[str, list[ast.FunctionDef]]:
    """The functions of a module or class by name; takes their docstrings off."""
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.body = without_docstring(node.body)
            found.setdefault(node.name, []).append(node)
    return found
