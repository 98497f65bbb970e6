"""A function's statements in normal form: assignments split, preparations in order, locals inlined.

normal_form.py has treated what is inside the statements.
"""

from __future__ import annotations

import ast
from enum import IntEnum, auto


def split(statement: ast.stmt) -> list[ast.stmt]:
    """Returns `a, b = [], set()` as two assignments; other statements as they are."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            fits = len(targets) == len(values) and all(map(is_empty, values))
            if fits and all(isinstance(target, ast.Name) for target in targets):
                return [
                    ast.copy_location(ast.Assign([target], value), statement)
                    for target, value in zip(targets, values)
                ]
    return [statement]


def is_empty(node: ast.expr) -> bool:
    """Whether it is `[]` or `set()`."""
    match node:
        case ast.List(elts=[]) | ast.Call(func=ast.Name(id="set"), args=[], keywords=[]):
            return True
    return False


def without_continue(body: list[ast.stmt]) -> list[ast.stmt]:
    """A loop's body, where what follows `if x: ..; continue` is its else."""
    for i, statement in enumerate(body):
        match statement:
            case ast.If(body=[*first, ast.Continue()], orelse=[]):
                rest = without_continue(body[i + 1 :])
                choice = ast.copy_location(ast.If(statement.test, first, rest), statement)
                return [*body[:i], choice] if first or rest else body[:i]
    return body


def positive(node: ast.If) -> ast.If:
    """`if x in y: ..` first, where there is an else, and no `if x: else: ..`."""
    if not node.body:
        return ast.copy_location(ast.If(negation(node.test), node.orelse, []), node)
    match node:
        case ast.If(test=ast.Compare(ops=[ast.NotIn()]) as test, orelse=[_, *_]):
            return ast.copy_location(ast.If(negation(test), node.orelse, node.body), node)
    return node


def negation(test: ast.expr) -> ast.expr:
    other = {ast.In: ast.NotIn, ast.NotIn: ast.In}
    match test:
        case ast.Compare(ops=[(ast.In() | ast.NotIn()) as op]):
            return ast.copy_location(
                ast.Compare(test.left, [other[type(op)]()], test.comparators), test
            )
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


class Rank(IntEnum):
    """The statements that prepare the walk of backward(), in the order of ours."""

    LIST = auto()
    SET = auto()
    FUNCTION = auto()
    CALL = auto()
    STORE = auto()
    NO_PREPARATION = auto()


def rank(statement: ast.stmt) -> Rank:
    match statement:
        case ast.Assign(targets=[ast.Name()], value=value) if is_empty(value):
            return Rank.LIST if isinstance(value, ast.List) else Rank.SET
        case ast.FunctionDef():
            return Rank.FUNCTION
        case ast.Expr(value=ast.Call()):
            return Rank.CALL
        case ast.Assign(targets=[ast.Attribute(value=ast.Name())], value=ast.Constant()):
            return Rank.STORE
    return Rank.NO_PREPARATION


def in_order(body: list[ast.stmt]) -> list[ast.stmt]:
    """`body`, where the preparations at its beginning stand in the order of their ranks.

    The call must come after what it uses; nothing else there depends on the order.
    """
    ranks = [*map(rank, body), Rank.NO_PREPARATION]
    n = ranks.index(Rank.NO_PREPARATION)
    if ranks[:n].count(Rank.CALL) != 1:
        return body
    if any(later < Rank.CALL for later in ranks[ranks.index(Rank.CALL) : n]):
        return body
    return sorted(body[:n], key=rank) + body[n:]


def inlined(body: list[ast.stmt]) -> list[ast.stmt]:
    """`body`, where a local that only the next statement reads, and once, stands as its value."""
    body = list(body)
    i = 0
    while i + 1 < len(body):
        if inline(body, i):
            del body[i]
            i = max(i - 1, 0)
        else:
            i += 1
    return body


def inline(body: list[ast.stmt], i: int) -> bool:
    """Puts the value of the assignment body[i] into the next statement; False if it must stay."""
    following = body[i + 1]
    match body[i]:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if not is_empty(value):
            pass
        case _:
            return False
    if not isinstance(following, (ast.Assign, ast.Return)) or not following.value:
        return False
    uses = sum(mentions(statement, name) for statement in body[:i] + body[i + 1 :])
    if uses != 1 or mentions(value, name):
        return False
    replace = ReplaceName(name, value)
    following.value = replace.visit(following.value)
    return replace.done


def mentions(node: ast.AST, name: str) -> int:
    """How often a variable of that name is read, assigned or a parameter."""
    n = 0
    for part in ast.walk(node):
        match part:
            case ast.Name(id=found) | ast.arg(arg=found):
                n += found == name
    return n


class ReplaceName(ast.NodeTransformer):
    """Puts `value` where `name` is read, unless it would be evaluated more than once or later."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self.name = name
        self.value = value
        self.done = False

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id != self.name or not isinstance(node.ctx, ast.Load):
            return node
        self.done = True
        return self.value

    def skip(self, node: ast.AST) -> ast.AST:
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = skip
    visit_Lambda = skip
