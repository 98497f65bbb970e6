"""Other ways of writing a definition that compute the same, generated from those that we know.

A rule gives what may stand for a node, if anything may; it is the same wherever the node stands.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from .facts import copied

Rule = Callable[[ast.AST], ast.AST | None]


def with_arguments_swapped(function: ast.FunctionDef) -> ast.FunctionDef:
    twin = copied(function)
    twin.args.args.reverse()
    return twin


def mirrored(ways: list[ast.FunctionDef]) -> list[ast.FunctionDef]:
    """Of `ways` to walk over the children, those that a loop makes, from the last child on.

    Stacks that get children as they come do so.
    """
    fitting = [way for way in ways if any(map(turned, ast.walk(way)))]
    return [Apply(turned).visit(copied(way)) for way in fitting]


def turned(node: ast.AST) -> ast.AST | None:
    """A loop over all `_children`, the other way round."""
    match node:
        case ast.For(iter=ast.Attribute(attr="_children") as children):
            other: ast.expr = ast.Call(ast.Name("reversed", ast.Load()), [children], [])
        case ast.For(
            iter=ast.Call(
                func=ast.Name(id="reversed"), args=[ast.Attribute(attr="_children") as other]
            )
        ):
            pass
        case _:
            return None
    twin = copy(node)
    twin.iter = ast.copy_location(other, node.iter)
    return ast.fix_missing_locations(twin)


def variants(
    ways: list[ast.FunctionDef], equal: Iterable[tuple[ast.expr, ast.expr]]
) -> list[ast.FunctionDef]:
    """`ways` of writing a method, then all that equal them, by the pairs `equal` among others."""
    rules = [early_return, *(exchange(old, new) for old, new in equal)]
    nodes = [node for way in ways for node in ast.walk(way)]
    for rule in rules:
        if any(map(rule, nodes)):
            fitting = [way for way in ways if any(map(rule, ast.walk(way)))]
            ways = ways + [Apply(rule).visit(copied(way)) for way in fitting]
    return ways


class Apply(ast.NodeTransformer):
    """Applies a rule to all nodes of a tree but those that it gives."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def visit(self, node: ast.AST) -> Any:
        return self.rule(node) or self.generic_visit(node)


def exchange(old: ast.expr, new: ast.expr) -> Rule:
    """`new` for `old`."""
    text = ast.dump(old)
    return lambda node: new if type(node) is type(old) and ast.dump(node) == text else None


def early_return(node: ast.AST) -> ast.AST | None:
    """`if a in b: return` and the rest, for a function that is no more than `if a not in b: ..`."""
    match node:
        case ast.FunctionDef(
            body=[ast.If(test=ast.Compare(ops=[ast.NotIn()]) as test, body=rest, orelse=[])]
        ):
            leave = ast.If(ast.Compare(test.left, [ast.In()], test.comparators), [ast.Return()], [])
            twin = copy(node)
            twin.body = [leave, *rest]
            return twin
    return None
