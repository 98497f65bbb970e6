"""Scopes: what each name of a script stands for, by Python's rules of binding.

Only what the tree shows; safety.py refuses scripts that bind names in ways it does not show.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Literal, NamedTuple


class Scope:
    """A module, class, function or comprehension, with the names that are bound in it."""

    def __init__(
        self,
        kind: Literal["module", "class", "function", "comprehension"],
        parent: Scope | None,
    ) -> None:
        self.kind = kind
        self.parent = parent
        self.bound: set[str] = set()
        self.elsewhere: dict[str, Literal["global", "nonlocal"]] = {}  # as its statements declare

    def owner(self, name: str) -> Scope | None:
        """The scope whose variable `name` is here; None for a builtin."""
        scope: Scope | None = self
        if self.elsewhere.get(name) == "global":
            scope = self.module
        while scope:
            visible = scope is self or scope.kind != "class"
            if visible and name in scope.bound and name not in scope.elsewhere:
                return scope
            scope = scope.parent
        return None

    @property
    def module(self) -> Scope:
        return self.parent.module if self.parent else self

    def is_inside(self, outer: Scope) -> bool:
        return self.parent is outer or (self.parent is not None and self.parent.is_inside(outer))

    def without_comprehensions(self) -> Scope:
        """The scope whose statement is running here."""
        if self.kind == "comprehension" and self.parent:
            return self.parent.without_comprehensions()
        return self


class Binding(NamedTuple):
    """A place where a name gets a meaning."""

    name: str
    scope: Scope
    line: int


class Names(ast.NodeVisitor):
    """The scope of every node that names something, and all bindings, once `tree` was visited."""

    def __init__(self, tree: ast.AST) -> None:
        self.scopes: dict[ast.AST, Scope] = {}
        self.bindings: list[Binding] = []
        self.scope = Scope("module", None)
        self.visit(tree)

    def bind(self, name: str, node: ast.AST, scope: Scope) -> None:
        scope.bound.add(name)
        self.bindings.append(Binding(name, scope, getattr(node, "lineno", 0)))

    def inside(
        self, kind: Literal["class", "function", "comprehension"], nodes: Iterable[ast.AST]
    ) -> None:
        """Visits `nodes` in a scope of their own."""
        outer, self.scope = self.scope, Scope(kind, self.scope)
        for node in nodes:
            self.visit(node)
        self.scope = outer

    def generic_visit(self, node: ast.AST) -> None:
        self.scopes[node] = self.scope
        for name in ("name", "rest"):  # `except .. as name`, patterns of `match`
            bound = getattr(node, name, None)
            if isinstance(bound, str):
                self.bind(bound, node, self.scope)
        super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self.scopes[node] = self.scope
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id, node, self.scope)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        scope = self.scope.without_comprehensions()
        self.scopes[node] = self.scopes[node.target] = scope
        self.bind(node.target.id, node, scope)

    def visit_alias(self, node: ast.alias) -> None:
        self.bind(node.asname or node.name.split(".")[0], node, self.scope)

    def visit_Global(self, node: ast.Global) -> None:
        self.declare(node, "global")

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.declare(node, "nonlocal")

    def declare(
        self, node: ast.Global | ast.Nonlocal, where: Literal["global", "nonlocal"]
    ) -> None:
        for name in node.names:
            self.scope.elsewhere[name] = where
            self.bindings.append(Binding(name, self.scope, node.lineno))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.define(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.define(node)

    def define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.scopes[node] = self.scope
        self.bind(node.name, node, self.scope)
        for outer in [*node.decorator_list, *evaluated_outside(node.args)]:
            self.visit(outer)
        if node.returns:
            self.visit(node.returns)
        self.inside("function", [*parameters(node.args), *node.body])

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outer in evaluated_outside(node.args):
            self.visit(outer)
        self.inside("function", [*parameters(node.args), node.body])

    def visit_arg(self, node: ast.arg) -> None:
        self.scopes[node] = self.scope
        self.bind(node.arg, node, self.scope)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bind(node.name, node, self.scope)
        for outer in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(outer)
        self.inside("class", node.body)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self.comprehend(node, node.generators, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self.comprehend(node, node.generators, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self.comprehend(node, node.generators, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self.comprehend(node, node.generators, [node.key, node.value])

    def comprehend(
        self, node: ast.expr, generators: list[ast.comprehension], results: list[ast.expr]
    ) -> None:
        self.scopes[node] = self.scope
        first, *others = generators
        self.visit(first.iter)
        inner = [first.target, *first.ifs]
        for generator in others:
            inner += [generator.target, generator.iter, *generator.ifs]
        self.inside("comprehension", [*inner, *results])


def parameters(args: ast.arguments) -> list[ast.arg]:
    extra = [arg for arg in (args.vararg, args.kwarg) if arg]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *extra]


def evaluated_outside(args: ast.arguments) -> list[ast.expr]:
    """Defaults and annotations."""
    annotations = [arg.annotation for arg in parameters(args) if arg.annotation]
    return [*args.defaults, *filter(None, args.kw_defaults), *annotations]
