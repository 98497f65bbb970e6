"""The changes that are made to a script's tree. None moves a line, so tracebacks stay as they are.

A definition gets a decorator that hands out ours; an iterable or an expression gets a call of ours
around it or before it. All of ours is reached through variables whose names no script can spell.
"""

from __future__ import annotations

import ast

from .facts import copied


def name_of_ours(kind: str) -> str:
    """The name among the variables: no identifier, as it has a space."""
    return f"isograd {kind}"


def decorate(definition: ast.FunctionDef | ast.ClassDef, kind: str) -> None:
    definition.decorator_list.append(ours(kind, definition))


def ours(kind: str, place: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(name_of_ours(kind), ast.Load()), place)


def call(kind: str, args: list[ast.expr], place: ast.expr) -> ast.Call:
    """A call of ours; arguments that have no place in the script yet get this one."""
    made = ast.copy_location(ast.Call(ours(kind, place), args, []), place)
    return ast.fix_missing_locations(made)


def lazily(parts: list[ast.expr]) -> ast.Lambda:
    """A function without arguments that returns the tuple of `parts`."""
    no_arguments = ast.arguments([], [], None, [], [], None, [])
    return ast.Lambda(no_arguments, ast.Tuple(parts, ast.Load()))


def moved(node: ast.expr, place: ast.expr) -> ast.expr:
    """A copy of an expression, to be evaluated at another place."""
    twin = copied(node)
    for part in ast.walk(twin):
        ast.copy_location(part, place)
    return twin


def replace(node: ast.expr, other: ast.expr, parent: ast.AST) -> None:
    """Puts `other` where `node` stands in its parent."""
    for name, part in ast.iter_fields(parent):
        if part is node:
            setattr(parent, name, other)
        elif isinstance(part, list):
            part[:] = [other if item is node else item for item in part]


def insert_before(statement: ast.stmt, other: ast.stmt, parent: ast.AST) -> None:
    """Puts `other` before the statement, in the block of its parent."""
    for _, block in ast.iter_fields(parent):
        if isinstance(block, list) and statement in block:
            block.insert(block.index(statement), other)
            return
    raise AssertionError("a statement is in a block of its parent")
