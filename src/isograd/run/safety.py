"""Whether the rest of a script lets ours take the place of its class.

The same text means something else after `max = min` or `Value.exp = f`, and a script that looks
into its class sees that it is another one. So whatever could do either, anywhere but in what ours
replaces, is a hazard. Where in doubt, it is one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from .._core import unary_methods
from .arrays import Arrays
from .assembly import GENERIC
from .edge_uses import is_fresh, is_look, is_statement
from .facts import Facts, name_of
from .modules import ARRAYS, TREACHEROUS, VIEWERS, hazard_of_import, may_use, modules_of
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
# Methods that neither arithmetic nor subscripts call, nor len() and f-strings of names.
QUIET = frozenset(
    "__init__ __call__ __repr__ __str__ __slots__ __post_init__ __iter__ __next__ __contains__ "
    "__enter__ __exit__ __del__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __bool__".split()
)
WORD = re.compile(r"\w+")
FIELD = re.compile(r"\{[^{}]*?\.([\w.]*)")  # what a format shows of something


def check_rest(
    script: Facts, klass: ScriptClass, folder: str, beside: Collection[str] = ()
) -> None:
    """Raises Different at the first hazard in what ours does not replace.

    `beside` are modules in the script's folder that are checked as well.
    """
    check_bindings(script, klass, beside)
    replaced = {part for statement in klass.core for part in ast.walk(statement)} | klass.frame
    hazards = Hazards(script, klass, folder, beside)
    for node in script.nodes:
        if node not in replaced:
            why = hazards.of(node)
            if why:
                raise Different(f"line {getattr(node, 'lineno', 0)} {why}")
    check_extras(script, klass)


def check_extras(script: Facts, klass: ScriptClass) -> None:
    """Raises Different where the script reads what its operations write into a node."""
    for name in sorted(klass.read & {*klass.givers}):
        if not klass.keeps_text(name):
            raise Different(f"something reads .{name}, which its operations set; ours does not")
        klass.reads_edges = True
    for name in sorted(klass.stored & {*klass.extra, *klass.kernels}):
        raise Different(f"something sets .{name}, which the class has for all its objects")
    ends = any(isinstance(n, ast.FunctionDef) and n.name == "__del__" for n in script.nodes)
    if ends and klass.read & (klass.stored | {*klass.shape.extras}):
        raise Different("its nodes keep more than numbers, and something has a __del__()")


def check_bindings(script: Facts, klass: ScriptClass, beside: Collection[str]) -> None:
    """Raises Different unless the names that the class relies on mean what they seem to."""
    imports = {
        node.lineno
        for node in script.nodes
        if isinstance(node, ast.Import)
        and any(alias.name == "math" and not alias.asname for alias in node.names)
    }
    is_here = klass.node in script.parents
    makes = {klass.node.lineno} if is_here else lines_of_imports(script, beside)
    for name, _, line in script.bindings:
        again = name == klass.name and line not in makes
        if name in RELIED_ON or again or (name == "math" and line not in imports):
            raise Different(f"line {line} gives {name} another meaning")


def lines_of_imports(script: Facts, beside: Collection[str]) -> set[int]:
    """Where the script imports from modules beside it."""
    return {
        node.lineno
        for node in script.tree.body
        if isinstance(node, ast.ImportFrom) and node.module in beside and not node.level
    }


def another_class_has_operators(script: Facts, klass: ScriptClass) -> bool:
    """Whether to read or add may do anything, as objects other than Values may be read or added."""
    pieces = [piece for piece in klass.pieces if piece in script.parents]
    return any(
        name.startswith("__") and name not in QUIET and scope.kind == "class"
        for name, scope, line in script.bindings
        if not any(piece.lineno <= line <= (piece.end_lineno or 0) for piece in pieces)
    )


class Hazards:
    """Why the class cannot be ours with a node in the script; empty texts where it can."""

    def __init__(
        self, script: Facts, klass: ScriptClass, folder: str, beside: Collection[str]
    ) -> None:
        self.beside = beside
        self.script = script
        self.parents = script.parents
        self.klass = klass
        self.folder = folder
        shape = klass.shape
        own = {shape.children, shape.locals, shape.closure} - {""}
        self.edges = {*own, "_children", "_local_grads"}
        self.readable = own & {shape.children, shape.locals}
        self.hidden = {
            ours
            for ours in ("data", "grad")
            if ours not in (shape.data, shape.grad) and ours in klass.vocabulary.edges.values()
        }
        self.numbers = {shape.data, shape.grad}
        self.methods = {*unary_methods, "backward"}
        self.modules = {  # by the name that stands for it
            alias.asname or alias.name.split(".")[0]: alias.name.split(".")[0]
            for node in script.nodes
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        self.libraries = {
            alias.asname or alias.name
            for node in script.nodes
            if isinstance(node, ast.ImportFrom) and {*modules_of(node)} & (ARRAYS | VIEWERS)
            for alias in node.names
        }
        everything = dict.fromkeys(self.libraries, "numpy") | self.modules
        self.arrays = Arrays(script, everything)
        self.from_arrays = {
            alias.asname or alias.name
            for node in script.nodes
            if isinstance(node, ast.ImportFrom) and {*modules_of(node)} & ARRAYS
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
                return self.of_import(node)
            case ast.Call():
                return self.of_call(node)
            case ast.Constant(value=str(text)) if node not in self.docstrings:
                return self.of_string(text)
            case ast.MatchClass():
                return "matches a class"
        return ""

    def of_string(self, text: str) -> str:
        """A format shows attributes: `{0._children}`; the rest is for who puts texts together."""
        if text not in DUNDERS and "__" in text.replace("__main__", ""):
            return "has a string with two underscores"
        words = set(WORD.findall(text))
        private = {edge for edge in self.edges if edge.startswith("_")}
        fields = {found for part in FIELD.findall(text) for found in (part or "?").split(".")}
        if private & words or self.edges & fields:
            return "has the name of an edge in a string"
        return "has a format that shows an attribute" if "?" in fields else ""

    def of_import(self, node: ast.Import | ast.ImportFrom) -> str:
        """A module beside the script may be imported from: it is checked as the script is."""
        if not isinstance(node, ast.ImportFrom) or node.level or node.module not in self.beside:
            return hazard_of_import(node, self.folder)
        at_top = isinstance(self.parents[node], ast.Module)
        if not at_top or any(alias.asname or alias.name == "*" for alias in node.names):
            return f"imports from {node.module} in another way than by names at the top"
        return ""

    # ---- names ----

    def of_name(self, node: ast.Name) -> str:
        name, parent = node.id, self.parents[node]
        if name in OPAQUE and not self.is_tame(node, parent):
            return f"uses {name}"
        if name.startswith("__") and name not in DUNDERS and name != "__slots__":
            if not self.is_member(node):
                return f"uses {name}"
        if name in ("type", "getattr", "hasattr"):
            is_call = isinstance(parent, ast.Call) and parent.func is node
            return "" if is_call else f"uses {name} other than in a call"
        if name in self.modules and isinstance(node.ctx, ast.Load):
            if not isinstance(parent, ast.Attribute):
                return f"uses the module {name} other than for a part of it"
        if isinstance(node.ctx, ast.Load) and self.is_of_arrays(name):
            place = self.arrays.escape(node)
            if place is not None:
                return (
                    f"uses {name} for a number that may not be a Python float; "
                    "convert with float() or .tolist()"
                )
        if name == self.klass.name and not self.is_harmless(node, parent):
            return f"uses the class {name} other than to make a {name}"
        return ""

    def is_member(self, node: ast.Name) -> bool:
        """Whether a statement of the class gives itself a method of that name."""
        above = self.parents[self.parents[node]]
        return above in self.klass.pieces and not isinstance(node.ctx, ast.Load)

    def is_of_arrays(self, name: str) -> bool:
        return self.modules.get(name) in ARRAYS or name in self.from_arrays

    def is_tame(self, node: ast.Name, parent: ast.AST) -> bool:
        """Whether it cannot reach the class there: super() and object of another class."""
        match node.id, parent:
            case "super", ast.Call(args=[], keywords=[]):
                return isinstance(self.parents[parent], ast.Attribute) and self.in_other(node)
            case "object", ast.ClassDef() | ast.Call(args=[], keywords=[]):
                return True
            case (("setattr" | "delattr"), ast.Call(args=[target, *_])):
                return self.is_self(target)
            case "vars", ast.Call(args=[ast.Name() as target], keywords=[]):
                return self.is_namespace(target)
        return False

    def in_other(self, node: ast.AST) -> bool:
        """Whether it stands in another class than ours."""
        while not isinstance(node, (ast.ClassDef, ast.Module)):
            node = self.parents[node]
        return isinstance(node, ast.ClassDef) and node not in self.klass.pieces

    def is_namespace(self, name: ast.Name) -> bool:
        """Whether it is what argparse made, and nothing else."""
        stores = [use for use in self.script.uses(name) if isinstance(use.ctx, ast.Store)]
        values = [getattr(self.parents[use], "value", None) for use in stores]
        return bool(values) and all(
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr == "parse_args"
            for value in values
        )

    def is_harmless(self, node: ast.Name, parent: ast.AST) -> bool:
        """Whether the class is called, asked about or part of an annotation there."""
        if isinstance(parent, ast.Call):
            asked = name_of(parent.func) in ("isinstance", "map") and len(parent.args) == 2
            return parent.func is node or (asked and node in parent.args)
        match parent, self.parents.get(parent):
            case ast.Tuple(), ast.Call(func=function):
                return name_of(function) == "isinstance"
        if isinstance(parent, ast.Attribute) and isinstance(parent.ctx, ast.Load):
            return parent.attr in self.klass.mentionable
        if isinstance(parent, ast.Compare):
            return all(map(self.is_type_or_class, [parent.left, *parent.comparators]))
        if self.is_alias(node):
            return True
        child: ast.AST = node
        while isinstance(parent, (ast.Subscript, ast.Tuple, ast.List, ast.BinOp)):
            child, parent = parent, self.parents[parent]
        annotation = getattr(parent, "annotation", None), getattr(parent, "returns", None)
        return child in annotation

    def is_type_or_class(self, node: ast.expr) -> bool:
        """`type(x)` or the class: the two may be compared."""
        match node:
            case ast.Call(func=ast.Name(id="type"), args=[_], keywords=[]):
                return True
        return name_of(node) == self.klass.name

    def is_alias(self, node: ast.AST) -> bool:
        """Whether it is part of a type's alias: `Vector = list[Value]`."""
        inside = False
        while isinstance(self.parents[node], (ast.Subscript, ast.Tuple, ast.List, ast.BinOp)):
            node = self.parents[node]
            inside |= isinstance(node, ast.Subscript) and name_of(node.value) in GENERIC
        above = self.parents[node]
        return inside and isinstance(above, (ast.Assign, ast.AnnAssign)) and above.value is node

    # ---- attributes ----

    def of_attribute(self, node: ast.Attribute) -> str:
        name = node.attr
        module = self.modules.get(name_of(node.value))
        if module in VIEWERS or module in ARRAYS:
            return "" if isinstance(node.ctx, ast.Load) else f"sets .{name}"
        if name in self.readable and is_look(node, self.script, self.klass.shape.is_set):
            self.klass.reads_edges = True
            return ""
        own = self.is_own(node)
        if name in self.edges and not (own and self.readable):
            return f"uses {name}"
        if name in TREACHEROUS and not own:
            return f"uses {name}"
        if isinstance(node.ctx, ast.Load) and not own:
            self.klass.read.add(name)
        if name in self.hidden and not own:
            return f"uses {name}, which its class calls otherwise"
        if name.startswith("__") and not self.is_plain_special(node):
            return f"uses {name}"
        if module and not may_use(module, name):
            return f"uses {module}.{name}"
        if module == "gc" and name == "collect" and not is_statement(node, self.script):
            return "uses what gc.collect() found"
        match node.ctx:
            case ast.Store():
                return self.of_store(node)
            case ast.Del():
                return f"deletes .{name}"
        of_class = name_of(node.value) == self.klass.name
        if name in self.methods and not (module or of_class or self.is_bare_call(node)):
            return f"uses .{name} other than as .{name}()"
        return ""

    def is_own(self, node: ast.Attribute) -> bool:
        """Whether it is what an object of another class keeps for itself."""
        return self.is_self(node.value)

    def is_plain_special(self, node: ast.Attribute) -> bool:
        """`__name__`, `x.__class__.__name__`, and what super() is asked for."""
        match node:
            case ast.Attribute(attr="__name__"):
                return True
            case ast.Attribute(attr="__class__"):
                above = self.parents[node]
                return isinstance(above, ast.Attribute) and above.attr == "__name__"
            case ast.Attribute(attr="__dict__"):
                return self.is_own(node) and not self.is_called_by_class(node)
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=[])):
                return node.attr in ("__init__", "__call__", "__repr__", "__str__")
        return False

    def is_called_by_class(self, node: ast.AST) -> bool:
        """Whether methods of the class around it may get what is none of its objects."""
        while not isinstance(node, ast.ClassDef):
            node = self.parents[node]
        return any(
            isinstance(part, ast.Attribute) and name_of(part.value) == node.name
            for part in self.script.nodes
        )

    def is_bare_call(self, node: ast.Attribute) -> bool:
        match self.parents[node]:
            case ast.Call(args=[], keywords=[]):
                return True
        return False

    def of_store(self, node: ast.Attribute) -> str:
        """Data and grad may be assigned, and objects of other classes may get what they like."""
        name = node.attr
        if name in self.numbers and not self.is_self(node.value):
            value = getattr(self.parents[node], "value", None)
            odd = isinstance(value, ast.Constant) and type(value.value) not in (int, float)
            return f"sets .{name} to what is no number" if odd else ""
        if self.is_self(node.value):
            return ""
        module = name_of(node.value) in self.modules or name_of(node.value) in self.libraries
        if (
            module
            or name in self.methods
            or not isinstance(node.value, (ast.Name, ast.Attribute, ast.Subscript))
        ):
            return f"sets .{name}"
        self.klass.stored.add(name)
        return ""

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
            and around not in self.klass.pieces
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
            if named:
                self.klass.read.add(str(getattr(node.args[1], "value", "")))
            return "" if named else f"uses {function} with a name that is computed"
        return ""

    def of_construction(self, node: ast.Call) -> str:
        makes = f"makes a {self.klass.name}"
        if any(isinstance(arg, ast.Starred) for arg in node.args):
            return f"{makes} with a starred argument"
        given = self.klass.shape.role_of(node)
        if given is None:
            return ""  # which raises, as it does for the script's own class
        for parameter, arg in given.items():
            if self.klass.shape.roles.get(parameter) not in ("children", "locals"):
                continue
            if isinstance(arg, ast.Tuple) and not arg.elts:
                continue
            if self.klass.shape.closure:
                return f"{makes} with children"
            if not is_fresh(arg, node, self.script):
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
