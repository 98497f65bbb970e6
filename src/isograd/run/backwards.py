"""The statements of a backward(), in the order in which ours has them.

What prepares the walk, the walk, the root's gradient, then the loop that hands gradients on. The
walk reads no gradient and the preparations depend on nothing but the root, so only their own order
and the place of the root's gradient vary from script to script.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .facts import without_docstring
from .normal_form import Scopes, Vocabulary
from .scopes import Scope


@dataclass
class Parts:
    """A backward() as two functions of the same nodes, with the scopes of those that are new."""

    order: ast.FunctionDef  # of the root; returns the list
    hand_on: ast.FunctionDef  # of the root and the list
    seed: object  # the root's gradient
    scopes: dict[ast.AST, Scope]


def parts_of(method: ast.FunctionDef, vocabulary: Vocabulary, scopes: Scopes) -> Parts | None:
    """None if it is no backward() of one parameter."""
    if len(method.args.args) != 1 or method.decorator_list:
        return None
    me = method.args.args[0].arg
    written = [part for part in without_docstring(method.body) if not isinstance(part, ast.Pass)]
    body = [part for statement in written for part in prepares(statement)]
    seeds = [statement for statement in body if is_seed(statement, me, vocabulary)]
    if len(seeds) != 1 or len(body) < 3:
        return None
    body.remove(seeds[0])
    loop = reversing(body)
    listed = list_of(loop)
    if loop is None or listed is None:
        return None
    name = listed.id
    result = ast.Name(name, ast.Load())
    ends = ast.Return(result)
    order = ast.FunctionDef("order", method.args, [*prepared(body[:-1]), ends], [])
    args = ast.arguments([], [ast.arg(me), ast.arg(name)], None, [], [], None, [])
    hand_on = ast.FunctionDef("hand_on", args, [loop], [])
    inner = scopes[loop.target]
    new: dict[ast.AST, Scope] = dict.fromkeys([result, args.args[1]], scopes[listed])
    for function in (order, hand_on):
        for part in ast.walk(function):
            if part not in scopes and part not in new:
                new[part] = inner
            if not hasattr(part, "lineno"):
                ast.copy_location(part, method)
        new[function] = scopes[method]
    seed = seeds[0]
    assert isinstance(seed, ast.Assign) and isinstance(seed.value, ast.Constant)
    return Parts(order, hand_on, seed.value.value, new)


def list_of(loop: ast.For | None) -> ast.Name | None:
    """What a loop runs over backwards, where it is a name."""
    match loop:
        case ast.For(
            iter=ast.Call(args=[ast.Name() as name]) | ast.Subscript(value=ast.Name() as name)
        ):
            return name
    return None


def is_seed(statement: ast.stmt, me: str, vocabulary: Vocabulary) -> bool:
    match statement:
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name(id=name), attr=attribute)],
            value=ast.Constant(value=value),
        ):
            is_grad = vocabulary.edges.get(attribute, attribute) == "grad"
            return name == me and is_grad and type(value) in (int, float) and value == 1
    return False


def reversing(body: list[ast.stmt]) -> ast.For | None:
    """The last statement; `for x in reversed(y)` where y.reverse() stands before `for x in y`."""
    loop = body[-1]
    if not isinstance(loop, ast.For) or loop.orelse:
        return None
    match body[-2], loop.iter:
        case (
            ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=turned), attr="reverse"))),
            ast.Name(id=name),
        ) if turned == name:
            backwards = ast.Call(ast.Name("reversed", ast.Load()), [loop.iter], [])
            twin = ast.For(loop.target, backwards, loop.body, [])
            for part in (twin, backwards, backwards.func):
                ast.copy_location(part, loop)
            del body[-2]
            return twin
    return loop


def prepared(body: list[ast.stmt]) -> list[ast.stmt]:
    """With the assignments at its beginning by what they assign: a list, a set, the stack."""
    n = 0
    while n < len(body) and is_preparation(body[n]):
        n += 1
    first = sorted(body[:n], key=kind)
    if n < len(body) and fill(first, body[n]):
        n += 1
    return first + body[n:]


def fill(prepared: list[ast.stmt], statement: ast.stmt) -> bool:
    """Makes `met = {root}` of `met = set()`, where the statement is `met.add(root)`."""
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="add"),
                args=[ast.Name() as root],
                keywords=[],
            )
        ):
            pass
        case _:
            return False
    for i, made in enumerate(prepared):
        match made:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call()) if target == name:
                filled = ast.copy_location(ast.Set([root]), made.value)
                prepared[i] = ast.copy_location(ast.Assign(made.targets, filled), made)
                return True
    return False


def kind(statement: ast.stmt) -> int:
    value = getattr(statement, "value", None)
    return 1 if not isinstance(value, ast.List) else 2 if value.elts else 0


def prepares(statement: ast.stmt) -> list[ast.stmt]:
    """`a, b = [], {self}` as two assignments."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            parts: list[ast.stmt] = [
                ast.copy_location(ast.Assign([target], value), statement)
                for target, value in zip(targets, values)
            ]
            if len(targets) == len(values) and all(map(is_preparation, parts)):
                return parts
    return [statement]


def is_preparation(statement: ast.stmt) -> bool:
    """Whether it is `x = []` or the like, of which none depends on another one."""
    match statement:
        case (
            ast.Assign(targets=[ast.Name()], value=value)
            | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            pass
        case _:
            return False
    match value:
        case ast.List(elts=[] | [ast.Tuple()]) | ast.Set(elts=[ast.Name()]):
            return True
        case ast.Call(func=ast.Name(id="set"), args=[], keywords=[]):
            return True
    return False
