"""Finds in a script what is provably the same program as ours; script.py puts ours in its place.

A definition must be one of those in forms.py, and nothing else in the script may make the same text
mean something else (a builtin of another meaning, an attribute assigned, code that is a string) or
show whose class it is. Where in doubt, a thing is left alone, with the reason and its line.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import re
import sys
import sysconfig
from dataclasses import dataclass, field
from typing import Any

from . import forms
from .forms import FUNCTION_NODES, Form, Names, Scope

RELIED_ON = frozenset(
    "isinstance int float max set reversed zip sum len enumerate range staticmethod "
    "property".split()
)
# Names that let a script see or change what no syntax tree shows.
OPAQUE = frozenset(
    "exec eval globals locals vars compile __import__ setattr delattr dir breakpoint super object "
    "memoryview __builtins__ __loader__ __spec__ RecursionError help".split()
)
# Modules of the standard library that neither patch nor inspect, with what may be used of them.
MODULES: dict[str, frozenset[str] | None] = dict.fromkeys(
    "__future__ argparse array atexit base64 bisect cmath collections csv datetime enum getpass "
    "glob gzip hashlib heapq io itertools json locale logging math numbers pathlib platform pprint "
    "random re secrets shutil statistics string struct tempfile textwrap time typing unicodedata "
    "urllib uuid zipfile zlib".split()
)
MODULES.update(
    dataclasses=frozenset(["dataclass", "field"]),
    contextlib=frozenset(["contextmanager", "nullcontext", "redirect_stdout", "suppress"]),
    functools=frozenset(["reduce", "partial", "lru_cache", "cache", "cmp_to_key"]),
    gc=frozenset(["disable", "enable", "freeze"]),
    operator=frozenset("add sub mul truediv neg pow itemgetter lt le gt ge eq ne".split()),
    os=frozenset(
        "path environ getenv makedirs mkdir listdir getcwd remove rename replace sep linesep name "
        "cpu_count get_terminal_size getpid system".split()
    ),
    sys=frozenset(
        "argv exit stdout stderr stdin path version version_info platform maxsize float_info "
        "setrecursionlimit executable byteorder".split()
    ),
    traceback=frozenset(["print_exc", "format_exc"]),
)
COMPILED_METHODS = frozenset(["log", "exp", "relu", "backward"])
# Methods that neither arithmetic nor subscripts call.
QUIET = frozenset(["__init__", "__call__", "__repr__", "__str__", "__slots__"])
# Where a module shows another one.
TREACHEROUS = frozenset(
    "builtins sys os gc inspect types importlib functools operator contextlib dataclasses "
    "traceback attrgetter methodcaller".split()
)
WORD = re.compile(r"\w+")
# Names of a module's own.
DUNDERS = frozenset(
    ["__name__", "__main__", "__file__", "__doc__", "__annotations__", "__future__", "__debug__"]
)


@dataclass
class Finding:
    """One definition of the script: what it is, whether ours takes its place, and else why not."""

    line: int
    what: str
    replaced: bool
    why: str = ""

    def __str__(self) -> str:
        verdict = "compiled" if self.replaced else "left alone"
        return f"line {self.line}: {self.what}: {verdict}" + (f", {self.why}" if self.why else "")


@dataclass
class Plan:
    """What script.py is to do: the changed tree, and what the class needs."""

    tree: ast.Module
    findings: list[Finding] = field(default_factory=list)
    absent: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def replaces(self) -> bool:
        return any(finding.replaced for finding in self.findings)


class Different(Exception):
    """Why a definition is not ours."""


def recognise(tree: ast.Module, folder: str) -> Plan:
    """What can be replaced in the script `tree`, whose imports are looked up from `folder`.

    The plan's tree is `tree` itself, changed.
    """
    return Recogniser(tree, folder).plan


class Recogniser:
    """One script, looked through once."""

    def __init__(self, tree: ast.Module, folder: str) -> None:
        self.plan = Plan(tree)
        self.tree = tree
        self.folder = folder
        self.nodes = list(ast.walk(tree))
        self.parents = {
            id(child): node for node in self.nodes for child in ast.iter_child_nodes(node)
        }
        candidates = [
            node for node in tree.body if isinstance(node, ast.ClassDef) and is_candidate(node)
        ]
        if not candidates:
            self.note(tree, "class Value", "there is no class with a backward() at the top level")
            return
        self.names = Names(tree)
        self.class_node = candidates[0]
        self.class_name = self.class_node.name
        self.edges: dict[str, str] = {}
        self.core: list[ast.stmt] = []  # of the class, what ours replaces
        self.function_forms = forms.function_forms()
        what = f"class {self.class_name}"
        try:
            if len(candidates) > 1:
                raise Different(f"line {candidates[1].lineno} has a backward(), too")
            self.check_class()
            self.check_script()
        except Different as difference:
            why = f"{difference}; without it nothing else can be compiled"
            self.note(self.class_node, what, why)
            return
        self.replaced: list[ast.AST] = [*self.core]  # what is not run any more
        self.class_node.decorator_list.append(self.name("isograd class", self.class_node))
        kept = f"with its own {', '.join(self.plan.extra)}" if self.plan.extra else ""
        self.note(self.class_node, what, kept, replaced=True)
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef):
                self.look_at_function(node)
            elif isinstance(node, ast.For):
                self.look_at_loop(node)
        self.look_at_expressions()
        self.plan.findings.sort(key=lambda finding: finding.line)

    def note(self, node: ast.AST, what: str, why: str, replaced: bool = False) -> None:
        self.plan.findings.append(Finding(getattr(node, "lineno", 1), what, replaced, why))

    @staticmethod
    def name(identifier: str, at: ast.AST) -> ast.Name:
        return ast.copy_location(ast.Name(identifier, ast.Load()), at)

    # ---- the class ----

    def check_class(self) -> None:
        node = self.class_node
        if node.bases or node.keywords or getattr(node, "type_params", None):
            raise Different("it has bases, keywords or type parameters")
        if node.decorator_list:
            raise Different("it is decorated")
        methods, aliases, slots = self.members(node)
        if "__init__" not in methods:
            raise Different("it has no __init__()")
        parameters = self.read_init(methods["__init__"])
        if slots is not None and slots != {"data", "grad", *self.edges}:
            raise Different("its __slots__ are not data, grad, children and local gradients")
        self.compare_methods(methods, aliases, parameters)
        if slots is None:
            self.plan.absent += ("__slots__",)

    def members(
        self, node: ast.ClassDef
    ) -> tuple[dict[str, ast.FunctionDef], dict[str, str], set[str] | None]:
        """The methods by name, those that are other names for a method, and the slots."""
        methods: dict[str, ast.FunctionDef] = {}
        aliases: dict[str, str] = {}
        slots = None
        for statement in forms.without_docstring(node.body):
            target = getattr(statement, "targets", [None])[0]
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.FunctionDef):
                if statement.name in methods:
                    raise Different(f"line {statement.lineno} defines {statement.name}() again")
                methods[statement.name] = statement
            elif isinstance(statement, ast.Assign) and text_of(target) == "__slots__":
                slots = strings_in(value)
                self.core.append(statement)
            elif isinstance(statement, ast.Assign) and isinstance(value, ast.Name):
                aliases[text_of(target)] = value.id
                self.core.append(statement)
            elif isinstance(statement, ast.AnnAssign) and value is None:
                pass
            elif not isinstance(statement, ast.Pass):
                raise Different(f"line {statement.lineno} is no method")
        return methods, aliases, slots

    def read_init(self, init: ast.FunctionDef) -> list[str]:
        """Finds the names of the attributes that hold the edges; returns __init__'s parameters."""
        parameters = [arg.arg for arg in init.args.args[1:]]
        for node in ast.walk(init):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Name):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if isinstance(target, ast.Attribute) and node.value.id in parameters[1:3]:
                    ours = ("_children", "_local_grads")[parameters.index(node.value.id) - 1]
                    self.edges[target.attr] = ours
        if len(self.edges) != 2:
            raise Different(f"its __init__() in line {init.lineno} is not one we know")
        return parameters

    def compare_methods(
        self, methods: dict[str, ast.FunctionDef], aliases: dict[str, str], parameters: list[str]
    ) -> None:
        known = forms.value_forms()
        for alias, name in aliases.items():
            if (alias, name) not in (("__radd__", "__add__"), ("__rmul__", "__mul__")):
                raise Different(f"{alias} = {name} is nothing we know")
        absent, extra = [], []
        for name in known:
            if name not in methods and name not in aliases:
                if name in forms.REQUIRED:
                    raise Different(f"it has no {name}()")
                absent.append(name)
        for name, node in methods.items():
            if name not in known:
                self.check_extra(name, node)
                extra.append(name)
                continue
            form = Form(node, self.class_name, parameters, self.edges)
            if form in known[name]:
                self.core.append(node)
            elif name in forms.REPLACEABLE:
                self.check_extra(name, node)
                extra.append(name)
            else:
                line = form.differs_from(known[name])
                raise Different(f"its {name}() is another one: see line {line}")
        if set(self.edges) & {*methods, *aliases, "data", "grad"}:
            raise Different("its edges have the name of something else")
        self.plan.absent, self.plan.extra = tuple(absent), tuple(extra)
        self.parameters = parameters

    def check_extra(self, name: str, node: ast.FunctionDef) -> None:
        if name.startswith("__") and name.endswith("__") and name not in ("__repr__", "__str__"):
            raise Different(f"line {node.lineno} gives it a {name}(), which ours does not have")
        for decorator in node.decorator_list:
            if text_of(decorator) not in ("property", "staticmethod"):
                raise Different(f"{name}() in line {node.lineno} is decorated")
        if name in ("data", "grad", "_children", "_local_grads") or mangled(name):
            raise Different(f"{name}() in line {node.lineno} has a name that ours uses otherwise")

    # ---- the whole script ----

    def check_script(self) -> None:
        for name, _, line in self.names.bindings:
            if name in RELIED_ON:
                raise Different(f"line {line} gives {name} another meaning")
            if name == self.class_name and line != self.class_node.lineno:
                raise Different(f"line {line} gives {name} another meaning")
            if name == "math" and not self.is_import_of_math(line):
                raise Different(f"line {line} gives math another meaning")
        if not any(self.is_import_of_math(node.lineno) for node in self.tree.body):
            raise Different("import math is not at the top level before it")
        core = {id(part) for method in self.core for part in ast.walk(method)}
        docstrings = {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}
        for node in self.nodes:
            if id(node) not in core:
                why = self.hazard(node, docstrings)
                if why:
                    raise Different(f"line {getattr(node, 'lineno', 0)} {why}")

    def is_import_of_math(self, line: int) -> bool:
        """Whether `import math` stands in that line, at the top level and before the class."""
        return any(
            isinstance(node, ast.Import)
            and node.lineno == line
            and node.lineno < self.class_node.lineno
            and any(alias.name == "math" and not alias.asname for alias in node.names)
            for node in self.tree.body
        )

    def hazard(self, node: ast.AST, docstrings: set[int]) -> str:
        """Why the class cannot be ours with `node` in the script, or nothing."""
        if isinstance(node, ast.Name):
            return self.hazard_of_name(node)
        if isinstance(node, ast.Attribute):
            return self.hazard_of_attribute(node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return self.hazard_of_import(node)
        if isinstance(node, ast.Call):
            return self.hazard_of_call(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return "" if id(node) in docstrings else self.hazard_of_string(node.value)
        if isinstance(node, ast.MatchClass):
            return "matches a class"
        return ""

    def hazard_of_string(self, value: str) -> str:
        if value not in DUNDERS and "__" in value.replace("__main__", ""):
            return "has a string with two underscores"
        hidden = {*self.edges, "_children", "_local_grads"}
        return "has the name of an edge in a string" if hidden & set(WORD.findall(value)) else ""

    def hazard_of_name(self, node: ast.Name) -> str:
        parent = self.parents[id(node)]
        if node.id in OPAQUE:
            return f"uses {node.id}"
        if node.id.startswith("__") and node.id not in DUNDERS and node.id != "__slots__":
            return f"uses {node.id}"
        if node.id in ("type", "getattr", "hasattr"):
            is_call = isinstance(parent, ast.Call) and parent.func is node
            return "" if is_call else f"uses {node.id} other than in a call"
        if node.id in self.modules() and isinstance(node.ctx, ast.Load):
            if not isinstance(parent, ast.Attribute):
                return f"uses the module {node.id} other than for a part of it"
        if node.id == self.class_name and not self.is_harmless(node, parent):
            return f"uses the class {node.id} other than to make a {node.id}"
        return ""

    def is_harmless(self, node: ast.Name, parent: ast.AST) -> bool:
        """Whether the class is called, asked about or part of an annotation there."""
        if isinstance(parent, ast.Call):
            asked = text_of(parent.func) in ("isinstance", "map") and len(parent.args) == 2
            return parent.func is node or (asked and node in parent.args)
        child: ast.AST = node
        while isinstance(parent, (ast.Subscript, ast.Tuple, ast.List, ast.BinOp)):
            child, parent = parent, self.parents[id(parent)]
        annotation = getattr(parent, "annotation", None), getattr(parent, "returns", None)
        return child in annotation

    def hazard_of_attribute(self, node: ast.Attribute) -> str:
        if node.attr in self.edges or node.attr in ("_children", "_local_grads"):
            return f"uses {node.attr}"
        if node.attr.startswith("__") and node.attr != "__name__":
            return f"uses {node.attr}"
        if node.attr in TREACHEROUS:
            return f"uses {node.attr}"
        module = self.modules().get(text_of(node.value))
        if module:
            allowed = MODULES.get(module)
            if node.attr.startswith("_") or (allowed is not None and node.attr not in allowed):
                return f"uses {module}.{node.attr}"
        if isinstance(node.ctx, ast.Load):
            if node.attr in COMPILED_METHODS and not module and not self.is_bare_call(node):
                return f"uses .{node.attr} other than as .{node.attr}()"
            return ""
        if isinstance(node.ctx, ast.Del):
            return f"deletes .{node.attr}"
        return self.hazard_of_store(node)

    def is_bare_call(self, node: ast.Attribute) -> bool:
        parent = self.parents[id(node)]
        return isinstance(parent, ast.Call) and not (parent.args or parent.keywords)

    def hazard_of_store(self, node: ast.Attribute) -> str:
        """Data and grad may be assigned, and an object of another class may change itself."""
        parent = self.parents[id(node)]
        if node.attr in ("data", "grad"):
            value = getattr(parent, "value", None)
            odd = isinstance(value, ast.Constant) and type(value.value) not in (int, float)
            return f"sets .{node.attr} to what is no number" if odd else ""
        return "" if self.is_self(node.value) else f"sets .{node.attr}"

    def is_self(self, node: ast.expr) -> bool:
        """Whether `node` is the first parameter of a method of a class other than ours."""
        inner: ast.AST = node
        while not isinstance(inner, (*FUNCTION_NODES, ast.Module)):
            inner = self.parents[id(inner)]
        if isinstance(inner, ast.Module) or not isinstance(node, ast.Name):
            return False
        klass = self.parents[id(inner)]
        parameters = [arg.arg for arg in (*inner.args.posonlyargs, *inner.args.args)]
        rebound = [
            part
            for part in ast.walk(inner)
            if isinstance(part, ast.Name)
            and part.id == node.id
            and not isinstance(part.ctx, ast.Load)
        ]
        return (
            isinstance(klass, ast.ClassDef)
            and klass is not self.class_node
            and parameters[:1] == [node.id]
            and not rebound
            and not inner.decorator_list
        )

    def hazard_of_call(self, node: ast.Call) -> str:
        function = text_of(node.func)
        if function == self.class_name:
            return self.hazard_of_construction(node)
        if function == "type":
            return self.hazard_of_type(node)
        if function in ("getattr", "hasattr"):
            named = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
            return "" if named else f"uses {function} with a name that is computed"
        return ""

    def hazard_of_construction(self, node: ast.Call) -> str:
        keywords = [keyword.arg for keyword in node.keywords]
        if keywords not in ([], ["data"]) or (keywords and self.parameters[0] != "data"):
            return f"makes a {self.class_name} with keywords"
        if any(isinstance(arg, ast.Starred) for arg in node.args):
            return f"makes a {self.class_name} with a starred argument"
        for arg in node.args[1:]:
            starred = any(isinstance(part, ast.Starred) for part in ast.walk(arg))
            if not isinstance(arg, (ast.Tuple, ast.List)) or starred:
                return f"makes a {self.class_name} whose edges are not written out"
        return ""

    def hazard_of_type(self, node: ast.Call) -> str:
        parent = self.parents[id(node)]
        if len(node.args) != 1 or node.keywords:
            return "makes a class with type()"
        named = isinstance(parent, ast.Attribute) and parent.attr == "__name__"
        called = isinstance(parent, ast.Call) and parent.func is node
        compared = isinstance(parent, ast.Compare)
        return "" if named or called or compared else "shows a type"

    def modules(self) -> dict[str, str]:
        """The names that stand for modules."""
        if not hasattr(self, "_modules"):
            self._modules = {
                alias.asname or alias.name.split(".")[0]: alias.name.split(".")[0]
                for node in self.nodes
                if isinstance(node, ast.Import)
                for alias in node.names
            }
        return self._modules

    def hazard_of_import(self, node: ast.Import | ast.ImportFrom) -> str:
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif node.level or node.module is None:
            return "imports from a package of its own"
        else:
            modules = [node.module]
            allowed = MODULES.get(node.module.split(".")[0])
            for alias in node.names:
                if alias.name == "*" or alias.name in TREACHEROUS or alias.name.startswith("_"):
                    return f"imports {alias.name} from {node.module}"
                if allowed is not None and alias.name not in allowed:
                    return f"imports {alias.name} from {node.module}"
        for module in modules:
            if not self.is_harmless_module(module.split(".")[0]):
                return f"imports {module}"
        return ""

    def is_harmless_module(self, name: str) -> bool:
        """Whether it is one of those in MODULES, and the standard library's."""
        if name not in MODULES:
            return False
        if name in sys.builtin_module_names:
            return True
        path = [self.folder, *sys.path[1:]]
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
        libraries = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)
        origin = os.path.realpath(spec.origin) if spec and spec.origin else ""
        return origin.startswith(libraries) and "site-packages" not in origin

    # ---- functions ----

    def look_at_function(self, node: ast.FunctionDef) -> None:
        known = self.function_forms
        if isinstance(self.parents[id(node)], ast.ClassDef) or len(node.args.args) > 2:
            return
        form = Form(node, self.class_name, self.parameters, self.edges)
        kinds = [kind for kind, accepted in known.items() if form in accepted]
        what = f"{node.name}()"
        if not kinds:
            if node.name in known:
                line = form.differs_from(
                    [*known[node.name], *known.get(f"{node.name}_swapped", [])]
                )
                self.note(node, what, f"it is another one: see line {line}")
            return
        lines = [line for name, _, line in self.names.bindings if name == node.name]
        missing = [
            name
            for name in forms.NEEDED_METHODS[kinds[0]]
            if name in self.plan.absent or name in self.plan.extra
        ]
        if len(lines) > 1:
            other = next((line for line in lines if line != node.lineno), node.lineno)
            self.note(node, what, f"line {other} gives its name another meaning")
        elif missing:
            self.note(node, what, f"the class has no {missing[0]}() that we know")
        else:
            node.decorator_list.append(self.name(f"isograd {kinds[0]}", node))
            self.note(node, what, "", replaced=True)
            self.replaced.append(node)

    # ---- expressions ----

    def has_objects_of_its_own(self) -> bool:
        """Whether another class has operators, so that to read or add may do anything."""
        last = self.class_node.end_lineno or 0
        return any(
            name.startswith("__") and name not in QUIET and scope.kind == "class"
            for name, scope, line in self.names.bindings
            if not self.class_node.lineno <= line <= last
        )

    def look_at_expressions(self) -> None:
        """`expression` becomes `ours(..) or expression`: ours gives None where it cannot.

        A Value is true, as the class has no __bool__, and so is a list that is not empty.
        """
        if self.has_objects_of_its_own():
            return
        known = []
        for kind, source, arguments, lazily in forms.EXPRESSIONS:
            pattern = ast.parse(source, mode="eval").body
            known.append((kind, pattern, arguments.replace(" ", "").split(","), lazily))
        own = {id(part) for node in self.replaced for part in ast.walk(node)}
        for node in self.nodes:
            if not isinstance(node, (ast.Call, ast.ListComp)) or id(node) in own:
                continue
            if isinstance(node, ast.Call) and text_of(node.func) != "sum":
                continue
            if is_in_class(node.scope):  # type: ignore[union-attr]
                continue
            for kind, pattern, names, lazily in known:
                captured: dict[str, ast.expr] = {}
                if forms.match(pattern, node, captured) and self.is_closed(captured):
                    self.look_at_expression(node, kind, names, captured, lazily)
                    break

    @staticmethod
    def is_closed(captured: dict[str, ast.expr]) -> bool:
        """Whether the comprehension's own names are different ones, and in nothing that we read."""
        own = [forms.text(part) for key, part in captured.items() if key[0] == "N"]
        read = [part for key, part in captured.items() if key[0] == "R"]
        return len(set(own)) == len(own) and not any(
            isinstance(name, ast.Name) and name.id in own
            for part in read
            for name in ast.walk(part)
        )

    def look_at_expression(
        self,
        node: ast.Call | ast.ListComp,
        kind: str,
        arguments: list[str],
        captured: dict[str, ast.expr],
        lazily: bool,
    ) -> None:
        if kind == "relu" and "relu" in (*self.plan.absent, *self.plan.extra):
            return
        args: list[ast.expr] = [
            ast.Constant(None) if name == "None" else forms.copied(captured[name])
            for name in arguments
            if name
        ]
        if lazily:
            args = [ast.Lambda(no_arguments(), ast.Tuple(args, ast.Load()))]
        choice = ast.BoolOp(ast.Or(), [self.call(f"isograd {kind}", args, node), node])
        self.substitute(node, ast.copy_location(choice, node))
        what = {"add": "sum of lists", "relu": "relu of a list"}.get(kind, "sum of products")
        self.note(node, what, "", replaced=True)

    def substitute(self, node: ast.expr, other: ast.expr) -> None:
        parent = self.parents[id(node)]
        for name, part in ast.iter_fields(parent):
            if part is node:
                setattr(parent, name, other)
            elif isinstance(part, list) and any(item is node for item in part):
                part[[item is node for item in part].index(True)] = other

    # ---- loops ----

    def look_at_loop(self, node: ast.For) -> None:
        if is_in_class(node.scope):  # type: ignore[attr-defined]
            return
        if self.is_zeroing(node):
            node.iter = self.call("isograd zero", [node.iter], node.iter)
            self.note(node, "zeroing loop", "", replaced=True)
            return
        if not any(map(is_update, node.body)):
            return
        try:
            if self.has_objects_of_its_own():
                raise Different("another class has operators")
            captured, zero = self.read_adam(node)
        except Different as difference:
            self.note(node, "Adam loop", str(difference))
            return
        loop_names = [captured[key] for key in ("N_params", "N_m", "N_v")]
        rates = [captured[f"E_{rate}"] for rate in forms.ADAM_RATES]
        loads = [at(part, node.iter) for part in [*loop_names, *rates]]
        numbers = ast.Tuple([*loads, ast.Constant(zero)], ast.Load())
        lazily = ast.Lambda(no_arguments(), numbers)
        params = captured["N_params"]
        where = [
            self.is_steady(params) and self.use_array(captured[key], params, node)
            for key in ("N_m", "N_v")
        ]
        node.iter = self.call("isograd adam", [node.iter, lazily], node.iter)
        self.note(node, "Adam loop", "" if all(where) else "its moments stay lists", replaced=True)

    def call(self, function: str, args: list[ast.expr], place: ast.expr) -> ast.expr:
        call = ast.copy_location(ast.Call(self.name(function, place), args, []), place)
        return ast.fix_missing_locations(call)

    @staticmethod
    def is_zeroing(node: ast.For) -> bool:
        captured: dict[str, ast.expr] = {}
        pattern = forms.pattern_of(forms.ZEROING)
        return forms.match(pattern, node, captured) and forms.text(captured["N_p"]) != forms.text(
            captured["N_params"]
        )

    def read_adam(self, node: ast.For) -> tuple[dict[str, ast.expr], bool]:
        """What the loop's names and numbers are; Different where it is not the loop we know."""
        captured: dict[str, ast.expr] = {}
        header = forms.pattern_of(forms.ADAM_HEADER)
        assert isinstance(header, ast.For)
        if not forms.match(header.target, node.target, captured) or not forms.match(
            header.iter, node.iter, captured
        ):
            raise Different("it does not run over enumerate() of a name")
        found: list[str] = []
        for statement in node.body:
            kind = next((k for k in forms.ADAM if self.matches(k, statement, captured)), None)
            if kind is None or kind in found:
                raise Different(f"line {statement.lineno} is not in ours")
            found.append(kind)
        missing = [kind for kind in forms.ADAM if kind not in found and kind != "zero"]
        if missing:
            raise Different(f"nothing in it is the line for {missing[0]}")
        for first, second in forms.ADAM_ORDER:
            if second in found and found.index(first) > found.index(second):
                raise Different(f"{second} comes before {first}")
        own = [forms.text(captured[key]) for key in captured if key[0] == "N"]
        if len(set(own)) != len(own):
            raise Different("one name stands for two things")
        for key, part in captured.items():
            for name in ast.walk(part):
                if key[0] == "E" and isinstance(name, ast.Name) and name.id in own:
                    raise Different(f"{name.id} changes in the loop")
        return captured, "zero" in found

    @staticmethod
    def matches(kind: str, statement: ast.stmt, captured: dict[str, ast.expr]) -> bool:
        for source in forms.ADAM[kind]:
            attempt = dict(captured)
            if forms.match(forms.pattern_of(source), statement, attempt):
                captured.update(attempt)
                return True
        return False

    def uses(self, name: ast.expr) -> list[ast.Name]:
        """Where the variable is used; none if that is hard to say."""
        assert isinstance(name, ast.Name)
        scope = name.scope.owner(name.id)  # type: ignore[attr-defined]
        declared = [
            node
            for node in self.nodes
            if isinstance(node, (ast.Global, ast.Nonlocal)) and name.id in node.names
        ]
        return [
            node
            for node in self.nodes
            if isinstance(node, ast.Name)
            and node.id == name.id
            and node.scope.owner(node.id) is scope  # type: ignore[attr-defined]
            and scope
            and not declared
        ]

    def is_steady(self, params: ast.expr) -> bool:
        """Whether the sequence is assigned once and only looked at from then on."""
        uses = self.uses(params)
        stores = [node for node in uses if not isinstance(node.ctx, ast.Load)]
        return len(stores) == 1 and all(
            isinstance(self.parents[id(stores[0])], ast.Assign)
            if node in stores
            else is_look(node, self.parents[id(node)])
            for node in uses
        )

    def use_array(self, name: ast.expr, params: ast.expr, loop: ast.For) -> bool:
        """Makes the list `name` an array where it is used nowhere but in the loop."""
        inside = {id(node) for node in ast.walk(loop)}
        outside = [node for node in self.uses(name) if id(node) not in inside]
        return len(outside) == 1 and self.wrap_zeros(outside[0], forms.text(params))

    def wrap_zeros(self, target: ast.Name, params: str) -> bool:
        """`target = [0.0] * len(params)` is the only assignment: makes it an array of doubles."""
        parent = self.parents[id(target)]
        if isinstance(parent, ast.Tuple):
            assign = self.parents[id(parent)]
            values: Any = getattr(assign, "value", None)
            same = isinstance(values, ast.Tuple) and len(values.elts) == len(parent.elts)
            if not isinstance(assign, ast.Assign) or len(assign.targets) != 1 or not same:
                return False
            i = parent.elts.index(target)
            if not is_zeros(values.elts[i], params):
                return False
            values.elts[i] = self.call(  # type: ignore[union-attr]
                "isograd moments",
                [values.elts[i]],
                values.elts[i],  # type: ignore[union-attr]
            )
            return True
        if not isinstance(parent, (ast.Assign, ast.AnnAssign)) or not parent.value:
            return False
        if isinstance(parent, ast.Assign) and len(parent.targets) != 1:
            return False
        if not is_zeros(parent.value, params):
            return False
        parent.value = self.call("isograd moments", [parent.value], parent.value)
        return True


def is_in_class(scope: Scope) -> bool:
    """Whether a class body is what runs there."""
    while scope.kind == "comprehension" and scope.parent:
        scope = scope.parent
    return scope.kind == "class"


def no_arguments() -> ast.arguments:
    return ast.arguments([], [], None, [], [], None, [])


def at(node: ast.expr, place: ast.expr) -> ast.expr:
    """A copy of an expression, read at another place."""
    source = ast.parse(ast.unparse(node), mode="eval").body
    for part in ast.walk(source):
        ast.copy_location(part, place)
    return source


def is_candidate(node: ast.ClassDef) -> bool:
    return any(isinstance(part, ast.FunctionDef) and part.name == "backward" for part in node.body)


def is_update(statement: ast.stmt) -> bool:
    """`something.data -= ..`"""
    target = getattr(statement, "target", None) or getattr(statement, "targets", [None])[0]
    return isinstance(target, ast.Attribute) and target.attr == "data"


def is_look(node: ast.Name, parent: ast.AST) -> bool:
    """Whether `node` cannot get longer or shorter by what `parent` does with it."""
    if isinstance(parent, ast.Call):
        return text_of(parent.func) in ("len", "enumerate", "zip", "sum", "print", "tuple", "list")
    if isinstance(parent, ast.Subscript):
        return isinstance(parent.ctx, ast.Load)
    return isinstance(parent, (ast.For, ast.comprehension)) and parent.iter is node


ZEROS = ["[0.0] * len(N_params)", "[0.0 for N_any in N_params]"]


def is_zeros(node: ast.expr, params: str) -> bool:
    captured: dict[str, ast.expr] = {}
    patterns = [forms.pattern_of(source).value for source in ZEROS]  # type: ignore[attr-defined]
    fits = any(forms.match(pattern, node, captured) for pattern in patterns)
    return fits and forms.text(captured["N_params"]) == params


def text_of(node: object) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def strings_in(node: object) -> set[str]:
    parts = getattr(node, "elts", [])
    return {str(part.value) for part in parts if isinstance(part, ast.Constant)}


def mangled(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")
