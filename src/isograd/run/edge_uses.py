"""What a script does with edges: ours are tuples, and must be taken for nothing else.

It may go through the children of a node, as one goes through any sequence. It may make nodes of
tuples and lists that nothing can change any more.
"""

from __future__ import annotations

import ast

from .facts import Facts

# Functions that see no more of a sequence than what is in it.
LOOKS = frozenset("len zip enumerate reversed iter sum any all list tuple set".split())


def is_look(node: ast.Attribute, script: Facts, is_set: bool) -> bool:
    """Whether edges are only gone through there, as one goes through any sequence."""
    if not isinstance(node.ctx, ast.Load):
        return False
    match script.parents[node]:
        case ast.Call(func=ast.Name(id=name) as function):
            is_builtin = script.scopes[function].owner(name) is None
            return is_builtin and name in LOOKS and not (is_set and name == "reversed")
        case ast.Call(func=ast.Attribute(attr=("extend" | "update") as name), args=[_]):
            return not any(name == bound for bound, _, _ in script.bindings)
        case ast.For() | ast.comprehension():
            return True
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[edges]):
            return edges is node
        case ast.Subscript(slice=index):
            return not isinstance(index, ast.Slice) and not is_set
        case ast.BoolOp() | ast.IfExp() | ast.If() | ast.While():
            return is_asked(node, script)
    return False


def is_asked(node: ast.expr, script: Facts) -> bool:
    """Whether only its truth counts."""
    above = script.parents[node]
    if isinstance(above, ast.BoolOp):
        return is_asked(above, script)
    return getattr(above, "test", None) is node or isinstance(above, ast.UnaryOp)


def is_fresh(edges: ast.expr, node: ast.Call, script: Facts) -> bool:
    """Whether it is a tuple or list that nothing can change once the node is made."""
    match edges:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return not any(isinstance(part, ast.Starred) for part in parts)
        case ast.ListComp():
            return True
        case ast.Call(func=ast.Name(id="tuple" | "list") as function, args=[_], keywords=[]):
            return script.scopes[function].owner(function.id) is None
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return is_fresh(left, node, script) and is_fresh(right, node, script)
        case ast.Name():
            return is_last_use(edges, node, script)
    return False


def is_last_use(name: ast.Name, node: ast.Call, script: Facts) -> bool:
    """Whether a function returns the node, and its variable is a fresh list that it filled."""
    above = script.parents[node]
    if not isinstance(above, ast.Return) or is_in_try(above, script):
        return False
    uses = script.uses(name)
    stores = [use for use in uses if isinstance(use.ctx, ast.Store)]
    values = [getattr(script.parents[use], "value", None) for use in stores]
    if script.scopes[name].kind != "function" or len(stores) != 1 or not values[0]:
        return False
    seen = [use for use in uses if use is not name and use not in stores]
    return (
        not isinstance(values[0], ast.Name)
        and isinstance(script.parents[stores[0]], (ast.Assign, ast.AnnAssign))
        and is_fresh(values[0], node, script)
        and all(script.scopes[use] is script.scopes[name] for use in uses)
        and all(is_filling(use, script) for use in seen)
    )


def is_in_try(node: ast.AST, script: Facts) -> bool:
    while not isinstance(node, (ast.FunctionDef, ast.Module)):
        node = script.parents[node]
        if isinstance(node, ast.Try):
            return True
    return False


def is_filling(use: ast.Name, script: Facts) -> bool:
    """`x[i]`, `x.append(..)`, `len(x)`: nothing that keeps the list."""
    match script.parents[use]:
        case ast.Subscript(value=value, slice=index):
            return value is use and not isinstance(index, ast.Slice)
        case ast.Attribute(attr="append" | "extend" | "insert") as method:
            return is_statement(method, script)
        case ast.Call(func=ast.Name(id=name)):
            return name in ("len", "sum", "max", "min", "enumerate", "zip")
        case ast.For() | ast.comprehension() as loop:
            return loop.iter is use
    return False


def is_statement(method: ast.Attribute, script: Facts) -> bool:
    """Whether it is called, and what that gives is dropped."""
    call = script.parents[method]
    return isinstance(call, ast.Call) and isinstance(script.parents[call], ast.Expr)
