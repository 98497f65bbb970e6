"""Functions of the script that compute what one of our vector functions computes.

Only of one or two arguments, and no methods. Ours takes the place by a decorator.
"""

from __future__ import annotations

import ast

from . import known
from .facts import Facts
from .helpers import is_called_once, with_helper
from .meaning import Meaning
from .plan import Finding, compiled, left_alone
from .rewriting import decorate
from .value_class import ScriptClass

# What ours takes from the class, beyond what every class has that ours can replace.
NEEDED_METHODS = {
    "linear": (),
    "linear_swapped": (),
    "softmax": ("exp", "__sub__", "__truediv__"),
    "rmsnorm": ("__truediv__",),
}


def is_backward(node: ast.FunctionDef, script: Facts, klass: ScriptClass) -> bool:
    """Whether a function of the module is backward(), with the root as its parameter."""
    if len(node.args.args) != 1 or node.args.defaults or node.decorator_list:
        return False
    if [binding for binding in script.bindings if binding.name == node.name][1:]:
        return False
    has_closures = bool(klass.shape.closure)
    whole, helper = with_helper(node, script)
    traits = known.backward_of(whole, klass.vocabulary, script.scopes, has_closures)
    if traits is None:
        return False
    if helper and is_called_once(helper, script):
        klass.core.append(helper)
    own = {"float seed", "mirrored"} & {*klass.absent}
    if "backward" in klass.absent and not klass.backwards:
        klass.absent += traits
        return True
    return own == {*traits}


def look_at_function(node: ast.FunctionDef, script: Facts, klass: ScriptClass) -> Finding | None:
    """Lets ours take the place of a function; None if that is not one of those that we know."""
    if isinstance(script.parents[node], ast.ClassDef) or len(node.args.args) > 2:
        return None
    what = f"{node.name}()"
    functions = known.functions()
    if node in klass.backwards:
        decorate(node, "backward")
        return compiled(node, what)
    meaning = Meaning(node, klass.vocabulary, script.scopes)
    kind = next((kind for kind, ways in functions.items() if known.is_known(meaning, ways)), None)
    if kind is None and node.name in functions:
        ways = functions[node.name] + functions.get(f"{node.name}_swapped", [])
        line = meaning.line_unlike(way.meaning for way in ways)
        return left_alone(node, what, f"it is another one: see line {line}")
    if kind is None:
        return None
    lines = [binding.line for binding in script.bindings if binding.name == node.name]
    if len(lines) > 1:
        other = next((line for line in lines if line != node.lineno), node.lineno)
        return left_alone(node, what, f"line {other} gives its name another meaning")
    if not klass.may_be_fused:
        return left_alone(node, what, "the class's sums and products are not ours alone")
    for method in NEEDED_METHODS[kind]:
        if not klass.has_as_we_know_it(method):
            return left_alone(node, what, f"the class has no {method}() that we know")
    decorate(node, kind)
    return compiled(node, what)
