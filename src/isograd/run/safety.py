"""Whether the rest of a script lets ours take the place of its class.

The same text means something else after `max = min` or `Value.exp = f`, and a script that looks
into its class sees that it is another one. So whatever could do either, anywhere but in what ours
replaces, is a hazard. Where in doubt, it is one.
"""

from __future__ import annotations

import ast
import re

from .._core import unary_methods
from .facts import Facts, name_of
from .modules import TREACHEROUS, hazard_of_import, may_use
from .plan import Different
from .value_class import ScriptClass

RELIED_ON = frozenset(
    "isinstance int float max set reversed zip sum len enumerate range staticmethod "
    "property".split()
)
# Names that let a script see or change what no syntax tree shows.
OPAQUE = frozenset(
    "exec eval globals locals vars compile __import__ setattr delattr dir breakpoint super object "
    "memoryview __builtins__ __loader__ __spec__ RecursionError help".split()
)
# Names of a module's own.
DUNDERS = frozenset(
    ["__name__", "__main__", "__file__", "__doc__", "__annotations__", "__future__", "__debug__"]
)
# Methods that neither arithmetic nor subscripts call.
QUIET = frozenset(["__init__", "__call__", "__repr__", "__str__", "__slots__"])
WORD = re.compile(r"\w+")


def check_rest(script: Facts, klass: ScriptClass, folder: str) -> None:
    """Raises Different at the first hazard in what ours does not replace."""
    check_bindings(script, klass)
    replaced = {part for statement in klass.core for part in ast.walk(statement)}
    hazards = Hazards(script, klass, folder)
    for node in script.nodes:
        if node not in replaced:
            why = hazards.of(node)
            if why:
                raise Different(f"line {getattr(node, 'lineno', 0)} {why}")


def check_bindings(script: Facts, klass: ScriptClass) -> None:
    """Raises Different unless the names that the class relies on mean what they seem to."""
    imports = lines_of_import_math(script.tree, before=klass.node.lineno)
    for name, _, line in script.bindings:
        again = name == klass.name and line != klass.node.lineno
        if name in RELIED_ON or again or (name == "math" and line not in imports):
            raise Different(f"line {line} gives {name} another meaning")
    if not imports:
        raise Different("import math is not at the top level before it")


def lines_of_import_math(tree: ast.Module, before: int) -> set[int]:
    return {
        node.lineno
        for node in tree.body
        if isinstance(node, ast.Import)
        and node.lineno < before
        and any(alias.name == "math" and not alias.asname for alias in node.names)
    }


def another_class_has_operators(script: Facts, klass: ScriptClass) -> bool:
    """Whether to read or add may do anything, as objects other than Values may be read or added."""
    first, last = klass.node.lineno, klass.node.end_lineno or 0
    return any(
        name.startswith("__") and name not in QUIET and scope.kind == "class"
        for name, scope, line in script.bindings
        if not first <= line <= last
    )


class Hazards:
    """Why the class cannot be ours with a node in the script; empty texts where it can."""

    def __init__(self, script: Facts, klass: ScriptClass, folder: str) -> None:
        self.parents = script.parents
        self.klass = klass
        self.folder = folder
        self.edges = {*klass.vocabulary.edges, "_children", "_local_grads"}
        self.methods = {*unary_methods, "backward"}
        self.modules = {  # by the name that stands for it
            alias.asname or alias.name.split(".")[0]: alias.name.split(".")[0]
            for node in script.nodes
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        self.docstrings = {node.value for node in script.nodes if isinstance(node, ast.Expr)}

    def of(self, node: ast.AST) -> str:
        match node:
            case ast.Name():
                return self.of_name(node)
            case ast.Attribute():
                return self.of_attribute(node)
            case ast.Import() | ast.ImportFrom():
                return hazard_of_import(node, self.folder)
            case ast.Call():
                return self.of_call(node)
            case ast.Constant(value=str(text)) if node not in self.docstrings:
                return self.of_string(text)
            case ast.MatchClass():
                return "matches a class"
        return ""

    def of_string(self, text: str) -> str:
        if text not in DUNDERS and "__" in text.replace("__main__", ""):
            return "has a string with two underscores"
        words = set(WORD.findall(text))
        return "has the name of an edge in a string" if self.edges & words else ""

    # ---- names ----

    def of_name(self, node: ast.Name) -> str:
        name, parent = node.id, self.parents[node]
        if name in OPAQUE:
            return f"uses {name}"
        if name.startswith("__") and name not in DUNDERS and name != "__slots__":
            return f"uses {name}"
        if name in ("type", "getattr", "hasattr"):
            is_call = isinstance(parent, ast.Call) and parent.func is node
            return "" if is_call else f"uses {name} other than in a call"
        if name in self.modules and isinstance(node.ctx, ast.Load):
            if not isinstance(parent, ast.Attribute):
                return f"uses the module {name} other than for a part of it"
        if name == self.klass.name and not self.is_harmless(node, parent):
            return f"uses the class {name} other than to make a {name}"
        return ""

    def is_harmless(self, node: ast.Name, parent: ast.AST) -> bool:
        """Whether the class is called, asked about or part of an annotation there."""
        if isinstance(parent, ast.Call):
            asked = name_of(parent.func) in ("isinstance", "map") and len(parent.args) == 2
            return parent.func is node or (asked and node in parent.args)
        child: ast.AST = node
        while isinstance(parent, (ast.Subscript, ast.Tuple, ast.List, ast.BinOp)):
            child, parent = parent, self.parents[parent]
        annotation = getattr(parent, "annotation", None), getattr(parent, "returns", None)
        return child in annotation

    # ---- attributes ----

    def of_attribute(self, node: ast.Attribute) -> str:
        name = node.attr
        if name in self.edges or name in TREACHEROUS:
            return f"uses {name}"
        if name.startswith("__") and name != "__name__":
            return f"uses {name}"
        module = self.modules.get(name_of(node.value))
        if module and not may_use(module, name):
            return f"uses {module}.{name}"
        match node.ctx:
            case ast.Store():
                return self.of_store(node)
            case ast.Del():
                return f"deletes .{name}"
        if name in self.methods and not module and not self.is_bare_call(node):
            return f"uses .{name} other than as .{name}()"
        return ""

    def is_bare_call(self, node: ast.Attribute) -> bool:
        match self.parents[node]:
            case ast.Call(args=[], keywords=[]):
                return True
        return False

    def of_store(self, node: ast.Attribute) -> str:
        """Data and grad may be assigned, and an object of another class may change itself."""
        if node.attr in ("data", "grad"):
            value = getattr(self.parents[node], "value", None)
            odd = isinstance(value, ast.Constant) and type(value.value) not in (int, float)
            return f"sets .{node.attr} to what is no number" if odd else ""
        return "" if self.is_self(node.value) else f"sets .{node.attr}"

    def is_self(self, node: ast.expr) -> bool:
        """Whether `node` is the first parameter of a method of a class other than ours."""
        method: ast.AST = node
        while not isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)):
            method = self.parents[method]
        if isinstance(method, ast.Module) or not isinstance(node, ast.Name):
            return False
        around = self.parents[method]
        parameters = [*method.args.posonlyargs, *method.args.args]
        return (
            isinstance(around, ast.ClassDef)
            and around is not self.klass.node
            and [arg.arg for arg in parameters[:1]] == [node.id]
            and not any(rebinds(part, node.id) for part in ast.walk(method))
            and not method.decorator_list
        )

    # ---- calls ----

    def of_call(self, node: ast.Call) -> str:
        function = name_of(node.func)
        if function == self.klass.name:
            return self.of_construction(node)
        if function == "type":
            return self.of_type(node)
        if function in ("getattr", "hasattr"):
            named = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
            return "" if named else f"uses {function} with a name that is computed"
        return ""

    def of_construction(self, node: ast.Call) -> str:
        makes = f"makes a {self.klass.name}"
        keywords = [keyword.arg for keyword in node.keywords]
        if keywords and (keywords != ["data"] or self.klass.vocabulary.parameters[0] != "data"):
            return f"{makes} with keywords"
        if any(isinstance(arg, ast.Starred) for arg in node.args):
            return f"{makes} with a starred argument"
        for arg in node.args[1:]:
            starred = any(isinstance(part, ast.Starred) for part in ast.walk(arg))
            if not isinstance(arg, (ast.Tuple, ast.List)) or starred:
                return f"{makes} whose edges are not written out"
        return ""

    def of_type(self, node: ast.Call) -> str:
        if len(node.args) != 1 or node.keywords:
            return "makes a class with type()"
        match self.parents[node]:
            case ast.Attribute(attr="__name__") | ast.Compare():
                return ""
            case ast.Call(func=function) if function is node:
                return ""
        return "shows a type"


def rebinds(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
