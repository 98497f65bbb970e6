"""Whether the lists of Adam's moments may be arrays of doubles, which ours updates in place.

They may where nothing but Adam's loop uses them, and each has as many as there are parameters.
"""

from __future__ import annotations

import ast

from . import known
from .facts import Facts, name_of
from .patterns import Captured
from .rewriting import call

LOOKS = ("len", "enumerate", "zip", "sum", "print", "tuple", "list")


def use_arrays(captured: Captured, loop: ast.For, script: Facts) -> bool:
    """Makes arrays of the moments of an Adam loop; False if one of them or both stay lists."""
    params = captured["params"]
    assert isinstance(params, ast.Name)
    if not is_steady(params, script):
        return False
    inside = set(ast.walk(loop))
    done = []
    for moment in (captured["m"], captured["v"]):
        assert isinstance(moment, ast.Name)
        outside = [use for use in script.uses(moment) if use not in inside]
        done.append(len(outside) == 1 and wrap_zeros(outside[0], params.id, script))
    return all(done)


def is_steady(params: ast.Name, script: Facts) -> bool:
    """Whether the sequence is assigned once and only looked at from then on."""
    uses = script.uses(params)
    stores = [node for node in uses if not isinstance(node.ctx, ast.Load)]
    if len(stores) != 1 or not isinstance(script.parents[stores[0]], ast.Assign):
        return False
    return all(is_look(node, script.parents[node]) for node in uses if node not in stores)


def is_look(node: ast.Name, parent: ast.AST) -> bool:
    """Whether `node`, which is no target, cannot get longer or shorter by what `parent` does."""
    match parent:
        case ast.Call(func=function):
            return name_of(function) in LOOKS
        case ast.Subscript(ctx=context):
            return isinstance(context, ast.Load)
        case ast.For() | ast.comprehension():
            return True
    return False


def wrap_zeros(target: ast.Name, params: str, script: Facts) -> bool:
    """Makes an array of `[0.0] * len(params)`, where that is what `target` is once assigned."""
    parent = script.parents[target]
    match parent, script.parents.get(parent):
        case ast.Tuple(elts=targets), ast.Assign(targets=[_], value=ast.Tuple(elts=values)):
            i = targets.index(target)
            if len(targets) == len(values) and is_zeros(values[i], params):
                values[i] = call("moments", [values[i]], values[i])
                return True
        case ((ast.Assign(targets=[_]) | ast.AnnAssign()), _):
            if parent.value and is_zeros(parent.value, params):
                parent.value = call("moments", [parent.value], parent.value)
                return True
    return False


def is_zeros(node: ast.expr, params: str) -> bool:
    for pattern in known.patterns("zeros"):
        captured: Captured = {}
        if pattern.match(pattern.expression, node, captured):
            return name_of(captured["params"]) == params
    return False
