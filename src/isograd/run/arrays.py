"""Whether numbers of NumPy and its like stay out of the script's class.

An element of an array is no Python float: it prints in another way and divides by zero without an
error. The compiled class holds Python's numbers alone. So what such a library makes must become
one of these before it goes anywhere: by float() or .tolist(), in a text, in a call of a library, or
as a draw of a single number, which is a float already.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from .facts import Facts, name_of
from .modules import ARRAYS, VIEWERS

CONVERTERS = frozenset("float int str print len bool range".split())
METHODS = frozenset(
    "tolist item seed shuffle manual_seed savefig save savez set_printoptions".split()
)
# Of numpy.random: what is one Python number if no size is given, and how many arguments say none.
DRAWS = {"rand": 0, "randn": 0, "random": 0, "uniform": 2, "normal": 2, "gauss": 2, "randint": 2}


class Arrays:
    """What a script makes with such a library, and where it goes."""

    def __init__(self, script: Facts, modules: Mapping[str, str]) -> None:
        self.script = script
        self.modules = modules
        self.looking: set[ast.AST] = set()

    def escape(self, node: ast.expr) -> ast.AST | None:
        """Where a number made from `node` may get into a Value; None if nowhere."""
        parent = self.script.parents[node]
        match parent:
            case ast.Attribute(attr=attribute):
                return None if attribute in METHODS else self.escape(parent)
            case ast.Call(func=function) if function is node:
                return None if self.is_one_draw(parent) else self.escape(parent)
            case ast.Call(func=function):
                return None if self.converts(function) else node
            case ast.keyword():
                call = self.script.parents[parent]
                return None if isinstance(call, ast.Call) and self.converts(call.func) else node
            case ast.FormattedValue() | ast.Expr() | ast.Assert() | ast.If() | ast.While():
                return None
            case ast.Compare() | ast.UnaryOp() | ast.BinOp() | ast.List() | ast.Tuple():
                return self.escape(parent)
            case ast.Subscript(value=value) if value is node:
                return self.escape(parent)
            case ast.Assign(targets=[ast.Name() as target]) if parent.value is node:
                return self.escape_of_variable(target, parent)
            case ast.arg() | ast.AnnAssign() | ast.FunctionDef():
                return None if self.is_annotation(node, parent) else node
        return node

    @staticmethod
    def is_annotation(node: ast.expr, parent: ast.AST) -> bool:
        return node in (getattr(parent, "annotation", None), getattr(parent, "returns", None))

    def escape_of_variable(self, target: ast.Name, place: ast.AST) -> ast.AST | None:
        uses = self.script.uses(target)
        if not uses:
            return place
        for use in uses:
            if isinstance(use.ctx, ast.Load) and use not in self.looking:
                self.looking.add(use)
                found = self.escape(use)
                if found is not None:
                    return found
        return None

    def converts(self, function: ast.expr) -> bool:
        """Whether a call of it gives no number of an array, or belongs to a library."""
        root: ast.AST = function
        while isinstance(root, (ast.Attribute, ast.Call, ast.Subscript)):
            root = root.func if isinstance(root, ast.Call) else root.value
        library = self.modules.get(name_of(root), "")
        if library in ARRAYS or library in VIEWERS:
            return True  # in the former case the call's own result is looked at
        return name_of(function) in CONVERTERS

    @staticmethod
    def is_one_draw(call: ast.Call) -> bool:
        match call.func:
            case ast.Attribute(value=ast.Attribute(attr="random"), attr=name) if name in DRAWS:
                return len(call.args) <= DRAWS[name] and not call.keywords
        return False
