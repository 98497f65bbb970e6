"""Expressions that one of ours may compute: `expression` becomes `ours(..) or expression`.

Where ours cannot, it gives None, and the script's own expression is evaluated. All else that ours
gives is true: a Value, as the class has no __bool__, or a list that is not empty.
"""

from __future__ import annotations

import ast

from . import known
from .facts import Facts, copied, name_of
from .patterns import Captured, Pattern
from .plan import Finding, compiled
from .rewriting import call, lazily, replace
from .value_class import ScriptClass

WHAT = {
    "dot": "sum of products",
    "lazy_dot": "sum of products",
    "add": "sum of lists",
    "relu": "relu of a list",
}


def look_at_expression(node: ast.expr, script: Facts, klass: ScriptClass) -> Finding | None:
    """Puts ours before an expression; None if that is not one of those that we know."""
    found = find(node)
    if found is None or script.runs_in_class_body(node):
        return None
    pattern, captured = found
    if pattern.name == "relu" and not klass.has_as_we_know_it("relu"):
        return None
    args = [
        copied(captured[name]) if name in captured else ast.Constant(None)
        for name in pattern.parameters
    ]
    if pattern.name == "lazy_dot":
        args = [lazily(args)]
    choice = ast.BoolOp(ast.Or(), [call(pattern.name, args, node), node])
    replace(node, ast.copy_location(choice, node), script.parents[node])
    return compiled(node, WHAT[pattern.name])


def find(node: ast.expr) -> tuple[Pattern, Captured] | None:
    """The pattern that an expression matches, with what is captured."""
    for pattern in known.patterns(*WHAT):
        captured: Captured = {}
        if pattern.match(pattern.expression, node, captured) and is_closed(pattern, captured):
            return pattern, captured
    return None


def is_closed(pattern: Pattern, captured: Captured) -> bool:
    """Whether the comprehension's own names are different ones, and in nothing that ours reads."""
    own = pattern.names(captured)
    return len(set(own)) == len(own) and not any(
        name_of(part) in own for read in pattern.expressions(captured) for part in ast.walk(read)
    )
