"""Matching a piece of a script with a pattern, some of whose names stand for parts of the script.

A pattern is a function of programs.py. Its annotated parameters stand for what the predicates below
accept, and the names that it binds for names; all else must be equal. A name that comes twice
stands for the same both times. Others judge whether a match is safe to use.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from .facts import name_of, without_docstring

Captured = dict[str, ast.expr]  # by the pattern's names


class Pattern:
    """One function of programs.py as a pattern."""

    def __init__(self, definition: ast.FunctionDef) -> None:
        self.name = definition.name
        self.body = without_docstring(definition.body)
        self.parameters = [arg.arg for arg in definition.args.args]
        self.kinds: dict[str, Callable[[object], bool]] = {
            node.id: a_name
            for node in ast.walk(definition)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        for arg in definition.args.args:
            kind = name_of(arg.annotation)
            if kind:
                self.kinds[arg.arg] = PREDICATES[kind]

    @property
    def expression(self) -> ast.expr:
        """What the function returns, where that is all it does."""
        (statement,) = self.body
        assert isinstance(statement, ast.Return) and statement.value
        return statement.value

    @property
    def loop(self) -> ast.For:
        """The function's loop, where that is all it does."""
        (statement,) = self.body
        assert isinstance(statement, ast.For)
        return statement

    def match(self, part: object, node: object, captured: Captured) -> bool:
        """Whether `node` matches `part` of this pattern; adds to `captured` even if it does not."""
        if isinstance(part, ast.Name) and part.id in self.kinds:
            if not isinstance(node, ast.expr) or not self.kinds[part.id](node):
                return False
            return text(captured.setdefault(part.id, node)) == text(node)
        if type(part) is not type(node):
            return False
        if isinstance(part, ast.AST):
            fields = [name for name in part._fields if name not in ("type_comment", "kind")]
            return all(self.match(getattr(part, f), getattr(node, f), captured) for f in fields)
        if isinstance(part, list) and isinstance(node, list):
            pairs = zip(part, node)
            return len(part) == len(node) and all(self.match(a, b, captured) for a, b in pairs)
        return part == node

    def names(self, captured: Captured) -> list[str]:
        """What the pattern's names stand for."""
        return [name_of(node) for key, node in captured.items() if self.kinds[key] is a_name]

    def expressions(self, captured: Captured) -> list[ast.expr]:
        """What its other parameters stand for."""
        return [node for key, node in captured.items() if self.kinds[key] is not a_name]


def text(node: ast.expr) -> str:
    """A text to compare: the same for a name that is read and one that is assigned."""
    return name_of(node) or ast.dump(node)


# ---- what parameters of a pattern are annotated with ----


def a_name(node: object) -> bool:
    return isinstance(node, ast.Name)


def arithmetic(node: object) -> bool:
    """Whether it is made of names, numbers and arithmetic: evaluated once or often, the same."""
    match node:
        case ast.BinOp(left=left, right=right):
            return arithmetic(left) and arithmetic(right)
        case ast.UnaryOp(operand=operand):
            return arithmetic(operand)
        case ast.Constant(value=value):
            return type(value) in (int, float)
    return isinstance(node, ast.Name)


def readable(node: object) -> bool:
    """Whether it may be read once more with no effect: names, constants, arithmetic, subscripts."""
    match node:
        case ast.Subscript(value=value, slice=index):
            return readable(value) and readable(index)
        case ast.Slice(lower=lower, upper=upper, step=step):
            return all(part is None or readable(part) for part in (lower, upper, step))
        case ast.BinOp(left=left, right=right):
            return readable(left) and readable(right)
        case ast.JoinedStr(values=values):
            return all(map(readable, values))
        case ast.FormattedValue(value=value):
            return isinstance(value, ast.Name)
        case ast.Call(func=ast.Name(id="len"), args=args, keywords=[]):
            return all(map(readable, args))
    return isinstance(node, (ast.Name, ast.Constant))


PREDICATES = {"a_name": a_name, "arithmetic": arithmetic, "readable": readable}
