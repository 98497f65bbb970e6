"""The script's class: whether ours can take its place, and what of it stays.

Ours must know how a node keeps what it keeps (shape.py). Each method is then ours, or computed by a
program (kernels.py), or the script's own. What the rest of the script does with the class is
safety.py's question.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from .._core import unary_methods
from . import known
from .arithmetic import Unknown
from .assembly import Assembled
from .derive import Deriver, Text, kind_of_wrapper
from .facts import Facts, name_of, without_docstring
from .helpers import is_called_once, with_helper
from .kernels import Kernel, compile_kernel, is_ours
from .math_names import MathNames
from .meaning import Meaning
from .normal_form import Vocabulary
from .plan import Different
from .shape import Shape, is_construction, read_shape

ALIASES = {"__radd__": "__add__", "__rmul__": "__mul__"}
# Operators that the reference makes of others. Ours may stand for one if it may for these.
MADE_OF = {
    "__radd__": ("__add__",),
    "__rmul__": ("__mul__",),
    "__neg__": ("__mul__",),
    "__sub__": ("__add__", "__neg__"),
    "__rsub__": ("__add__", "__neg__"),
    "__truediv__": ("__mul__", "__pow__"),
    "__rtruediv__": ("__mul__", "__pow__"),
}
# Special methods that the class may have of its own: csrc/run/script_operators.c calls them, or
# Python finds them in the class, as it finds any method.
OWN_SPECIAL = frozenset(
    "__add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__ "
    "__rtruediv__ __itruediv__ __pow__ __rpow__ __floordiv__ __rfloordiv__ __mod__ __rmod__ "
    "__matmul__ __rmatmul__ __neg__ __pos__ __abs__ __invert__ __int__ __float__ __index__ "
    "__bool__ __lt__ __le__ __gt__ __ge__ __repr__ __str__ __format__ __round__ __floor__ "
    "__ceil__ __trunc__".split()
)
NAMES_OF_OURS = ("data", "grad", "_children", "_local_grads")


@dataclass
class ScriptClass:
    """A class in whose place ours can stand."""

    node: ast.ClassDef
    pieces: list[ast.ClassDef]  # the definitions of the script that make it up
    frame: set[ast.AST]  # what else puts it together
    shape: Shape
    vocabulary: Vocabulary
    core: list[ast.stmt] = field(default_factory=list)  # what ours replaces
    absent: list[str] = field(default_factory=list)  # what ours has and it has not, and traits
    extra: list[str] = field(default_factory=list)  # what it goes on doing in its own way
    kernels: dict[str, Kernel] = field(default_factory=dict)  # what programs compute
    read: set[str] = field(default_factory=set)  # attributes that the script reads
    stored: set[str] = field(default_factory=set)  # attributes that it assigns, of any object
    givers: dict[str, set[str]] = field(default_factory=dict)  # further attributes that its
    # operations set, and which do
    backwards: set[ast.AST] = field(default_factory=set)  # functions of the module that are its own
    loops: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)  # what turns.py makes
    reads_edges: bool = False  # in code of its own
    texts: dict[str, dict[str, Text]] = field(default_factory=dict)  # by method, then attribute
    lines: dict[str, int] = field(default_factory=dict)  # where an own method differs from ours

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def may_be_fused(self) -> bool:
        """Whether vector functions may stand for its sums and products."""
        needed = ("__add__", "__radd__", "__mul__", "__rmul__", "backward")
        own = {"__bool__", "__iadd__", "__imul__"} & {*self.extra} or "mirrored" in self.absent
        ours = all(map(self.has_as_we_know_it, needed[:4])) and "backward" not in self.extra
        shape = self.shape
        # Where sums have 1.0 as derivatives, an int's gradient is a float: a fused sum's is not.
        ints = "float ones" in self.absent and not (shape.float_grad or shape.float_data)
        return ours and not (own or ints or self.reads_edges or shape.closure)

    def keeps_text(self, attribute: str) -> bool:
        """Whether each operation writes one text of its own into it, so that a node tells it."""
        if "float ones" in self.absent:  # whose sums look like products
            return False
        for name, texts in self.texts.items():
            kernel = self.kernels.get(name)
            of_two = kernel is not None and kernel.n_children == 2
            parts = texts.get(attribute, ("",))
            if not parts or (None in parts and (kernel or name != "__pow__")):
                return False
            if of_two and not self.shape.closure:  # these look like products
                return False
        own = {*self.extra} & {*self.givers.get(attribute, ())}
        return not own

    @property
    def mentionable(self) -> set[str]:
        """Methods that the script may read from the class, to call them later."""
        ours = {name for name in unary_methods if self.has_as_we_know_it(name)}
        own = {name for name in self.kernels if not name.startswith("__")}
        return {*self.extra} | own | ours

    def has_as_we_know_it(self, method: str) -> bool:
        return not (method in self.absent or method in self.extra or method in self.kernels)


@dataclass
class Members:
    """What stands in a class."""

    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)  # other names for a method
    constants: list[str] = field(default_factory=list)
    slots: set[str] | None = None
    assignments: list[ast.stmt] = field(default_factory=list)  # of aliases and slots


def names_in(node: ast.ClassDef) -> set[str]:
    names = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    return names | {name_of(part.targets[0]) for part in node.body if isinstance(part, ast.Assign)}


def is_candidate(node: ast.ClassDef) -> bool:
    names = names_in(node)
    return "__init__" in names and ("backward" in names or {"__add__", "__mul__"} <= names)


def has_sums(node: ast.ClassDef) -> bool:
    return {"__add__", "__mul__"} <= names_in(node)


def read_class(assembled: Assembled, script: Facts, any_order: bool = False) -> ScriptClass:
    """What ours must know to take the place of the class; raises Different if it cannot."""
    node = assembled.node
    if [base for base in node.bases if name_of(base) != "object"] or node.keywords:
        raise Different("it has bases or keywords")
    if getattr(node, "type_params", None):
        raise Different("it has type parameters")
    if node.decorator_list:
        raise Different("it is decorated")
    members = read_members(node, script)
    if "__init__" not in members.methods:
        raise Different("it has no __init__()")
    shape = read_shape(node, members.methods["__init__"])
    if shape.is_set and not any_order:
        raise Different(
            "it keeps its children in a set, whose order depends on memory addresses, so plain "
            "Python itself promises no bits; --any-order takes the order of insertion"
        )
    vocabulary = Vocabulary(node.name, tuple(shape.parameters), shape.edges)
    klass = ScriptClass(node, assembled.pieces, assembled.frame, shape, vocabulary)
    check_names(shape, members)
    klass.core += [*members.assignments, members.methods["__init__"]]
    Comparison(klass, members, script).compare()
    klass.givers = given_by_operations(klass)
    check_slots(klass, members)
    add_traits(klass)
    return klass


def check_names(shape: Shape, members: Members) -> None:
    own = {shape.data, shape.grad, shape.children, shape.locals, shape.closure} - {""}
    if len(own) < 4 or own & {*members.methods, *members.aliases, *members.constants}:
        raise Different("its edges have the name of something else")
    if any(name.startswith("__") for name in own):
        raise Different("its attributes have names that Python changes")
    for ours, theirs in zip(NAMES_OF_OURS, (shape.data, shape.grad, shape.children, shape.locals)):
        if theirs != ours and ours in own | {*shape.extras, *members.methods}:
            raise Different(f"{ours} is the name of something else in it")


def check_slots(klass: ScriptClass, members: Members) -> None:
    shape = klass.shape
    kept = {shape.data, shape.grad, shape.children, shape.locals, shape.closure, *shape.extras}
    kept -= {""}
    if members.slots is None:
        klass.absent.append("__slots__")
    elif not members.slots >= kept:
        raise Different("its __slots__ are not what its __init__() assigns")
    else:
        for name in sorted(members.slots - kept):
            klass.shape.extras[name] = ast.Name("unset", ast.Load())


def given_by_operations(klass: ScriptClass) -> dict[str, set[str]]:
    """The further attributes that methods set: by a parameter of the constructor, or directly."""
    shape = klass.shape
    givers: dict[str, set[str]] = {}
    for method in klass.node.body:
        found: set[str] = set()
        owner = getattr(method, "name", "") or name_of(getattr(method, "targets", [None])[0])
        if owner == "__init__":
            continue
        for node in ast.walk(method):
            if isinstance(node, ast.Call) and is_construction(node, shape.name):
                parameters = shape.role_of(node) or {}
                found |= {
                    name for name, value in shape.extras.items() if name_of(value) in parameters
                }
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found |= {node.attr} & {*shape.extras}
        for name in found:
            givers.setdefault(name, set()).add(owner)
    return givers


def add_traits(klass: ScriptClass) -> None:
    shape = klass.shape
    traits = {
        "float data": shape.float_data,
        "float grad": shape.float_grad,
        "closures": bool(shape.closure),
        "other parameters": not shape.is_canonical,
    }
    klass.absent += [name for name, is_so in traits.items() if is_so]
    for ours, theirs in zip(NAMES_OF_OURS, (shape.data, shape.grad, shape.children, shape.locals)):
        if theirs and theirs != ours:
            klass.absent.append(f"{ours}={theirs}")


# ---- members ----


def read_members(node: ast.ClassDef, script: Facts) -> Members:
    """Raises Different at a statement that is no method, alias, constant, annotation or slots."""
    members = Members()
    for statement in without_docstring(node.body):
        match statement:
            case ast.FunctionDef(name=name):
                add_method(members, name, statement)
            case ast.Assign(targets=[ast.Name(id="__slots__"), *_], value=value):
                members.slots = strings_in(value)
                members.assignments.append(statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda() as function):
                add_method(members, name, as_definition(name, function, statement, script))
            case ast.Assign(targets=targets, value=ast.Name(id=method)):
                for target in targets:
                    check_new(members, name_of(target), statement)
                    members.aliases[name_of(target)] = method
                members.assignments.append(statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant()):
                members.constants.append(name)
            case ast.AnnAssign(value=None) | ast.Pass():
                pass
            case _:
                raise Different(f"line {statement.lineno} is no method")
    return members


def add_method(members: Members, name: str, method: ast.FunctionDef) -> None:
    check_new(members, name, method)
    members.methods[name] = method


def check_new(members: Members, name: str, place: ast.stmt) -> None:
    """Raises Different where the class has a method of that name already."""
    if name in members.methods or name in members.aliases:
        raise Different(f"line {place.lineno} defines {name}() again")


def as_definition(
    name: str, function: ast.Lambda, place: ast.stmt, script: Facts
) -> ast.FunctionDef:
    """`def name(..): return ..` for `name = lambda ..: ..`, of the same nodes."""
    body: list[ast.stmt] = [ast.copy_location(ast.Return(function.body), place)]
    made = ast.copy_location(ast.FunctionDef(name, function.args, body, []), place)
    script.scopes[made] = script.scopes[place]
    script.scopes[body[0]] = script.scopes[function.body]
    return made


def strings_in(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    parts = getattr(node, "elts", [])
    return {str(part.value) for part in parts if isinstance(part, ast.Constant)}


# ---- methods ----


class Comparison:
    """Sorts the methods of a class into ours, kernels and its own."""

    def __init__(self, klass: ScriptClass, members: Members, script: Facts) -> None:
        self.klass = klass
        self.members = members
        self.script = script
        self.math = MathNames(script, klass.node.lineno)
        self.wrappers = {
            name: kind
            for name, method in members.methods.items()
            if (kind := kind_of_wrapper(method, klass.name))
        }
        self.ours: set[str] = {"__init__"}
        self.has_float_ones = False
        self.helper: ast.FunctionDef | None = None  # that backward() leaves the walk to
        self.backward = self.read_backward()

    def compare(self) -> None:
        """Fills in core, kernels, extra and absent."""
        for name, method in self.members.methods.items():
            if name in MADE_OF or name in ("__init__", "backward"):
                continue
            if name == "__hash__" and self.is_identity_hash(method):
                self.klass.core.append(method)  # what ours has without it
                continue
            self.derive(name, method)
        for name in MADE_OF:
            if name in self.members.methods:
                self.compare_derived(name, self.members.methods[name])
            elif name in self.members.aliases:
                self.compare_alias(name, self.members.aliases[name])
        for name, other in self.members.aliases.items():
            if name not in MADE_OF:
                self.compare_alias(name, other)
        if "backward" in self.members.methods:
            self.compare_backward(self.members.methods["backward"])
        self.klass.extra += self.members.constants
        if self.has_float_ones:
            self.klass.absent += ["float ones", "real leaves"]
        self.klass.absent += [name for name in known.methods() if self.is_absent(name)]

    def is_absent(self, name: str) -> bool:
        return name not in {**self.members.methods, **self.members.aliases}

    def is_text_of_ours(self, name: str, method: ast.FunctionDef) -> bool:
        ways = known.methods().get(name, [])
        if not ways:
            return False
        meaning = Meaning(method, self.klass.vocabulary, self.script.scopes)
        return known.is_known(meaning, ways)

    def derive(self, name: str, method: ast.FunctionDef) -> None:
        """One that makes a node itself."""
        shape = self.klass.shape
        written = shape.is_canonical and not shape.closure and not shape.float_data
        written = written and name not in MADE_OF  # whose text means ours only on top of ours
        try:
            if written and self.math.is_there and self.is_text_of_ours(name, method):
                return self.take(name, method)
            derived = Deriver(
                shape, method, self.math.function, self.is_builtin, self.wrappers
            ).derive()
            same, has_float_ones = is_ours(name, derived, shape)
            if same and (not has_float_ones or not shape.closure or self.has_float_gradients):
                self.has_float_ones |= has_float_ones and not shape.closure
                self.klass.texts[name] = derived.made.texts
                return self.take(name, method)
            kernel = compile_kernel(derived, bool(shape.closure))
        except Unknown as unknown:
            if self.makes_nodes_with_closures(method):
                raise Different(f"{unknown} in its {name}()") from None
            return self.leave(name, method, unknown.line)
        self.check_own(name, method)
        self.klass.kernels[name] = kernel
        self.klass.texts[name] = derived.made.texts
        self.klass.core.append(method)

    def makes_nodes_with_closures(self, method: ast.FunctionDef) -> bool:
        closure = self.klass.shape.closure
        return bool(closure) and any(
            isinstance(node, ast.Attribute) and node.attr == closure for node in ast.walk(method)
        )

    def is_builtin(self, name: ast.Name) -> bool:
        return self.script.scopes[name].owner(name.id) is None

    def is_identity_hash(self, method: ast.FunctionDef) -> bool:
        """`return id(self)`."""
        match without_docstring(method.body):
            case [ast.Return(value=ast.Call(func=ast.Name(id="id") as asked, args=[ast.Name()]))]:
                return self.is_builtin(asked) and not method.decorator_list
        return False

    def compare_derived(self, name: str, method: ast.FunctionDef) -> None:
        """One that calls others."""
        if self.is_text_of_ours(name, method) and self.ours >= {*MADE_OF[name]}:
            return self.take(name, method)
        self.derive(name, method)

    def compare_alias(self, name: str, method: str) -> None:
        if method not in self.members.methods:
            raise Different(f"{name} = {method} is nothing we know")
        if ALIASES.get(name) == method and method in self.ours:
            self.ours.add(name)
        elif method in self.klass.kernels and self.klass.shape.closure:
            raise Different(f"{name} = {method} is nothing we know")
        else:
            self.check_own(name, self.members.methods[method])
            self.klass.extra.append(name)

    def read_backward(self) -> list[str] | None:
        """The traits of its backward(), if it has one that we know."""
        method = self.members.methods.get("backward")
        if method is None:
            return None
        has_closures = bool(self.klass.shape.closure)
        whole, self.helper = with_helper(method, self.script)
        return known.backward_of(whole, self.klass.vocabulary, self.script.scopes, has_closures)

    @property
    def has_float_gradients(self) -> bool:
        """Whether closures multiply with floats alone, so that 1.0 and 1 give the same.

        The root's gradient is a float, and what a result gets is a product with such a one.
        """
        return "float seed" in (self.backward or [])

    def compare_backward(self, method: ast.FunctionDef) -> None:
        has_closures = bool(self.klass.shape.closure)
        found = self.backward
        if found is None and has_closures:
            raise Different(f"its backward() in line {method.lineno} is none that we know")
        if found is None:
            self.leave("backward", method, method.lineno)
            self.klass.reads_edges = True
            return
        self.klass.absent += found
        self.take("backward", method)
        if self.helper and is_called_once(self.helper, self.script):
            self.klass.core.append(self.helper)

    def take(self, name: str, method: ast.FunctionDef) -> None:
        self.ours.add(name)
        self.klass.core.append(method)

    def leave(self, name: str, method: ast.FunctionDef, line: int) -> None:
        self.check_own(name, method)
        self.klass.extra.append(name)
        if name in known.methods() and name not in unary_methods:
            self.klass.lines[name] = line or method.lineno

    def check_own(self, name: str, method: ast.FunctionDef) -> None:
        """Raises Different unless ours can have the method, too."""
        special = name.startswith("__") and name.endswith("__")
        hashes = self.members.methods.get("__hash__")
        compares = name in ("__eq__", "__ne__") and hashes and self.is_identity_hash(hashes)
        if special and name not in OWN_SPECIAL and not compares:
            raise Different(f"line {method.lineno} gives it a {name}(), which ours does not have")
        for decorator in method.decorator_list:
            if name_of(decorator) not in ("property", "staticmethod", "classmethod"):
                raise Different(f"{name}() in line {method.lineno} is decorated")
        mangled = name.startswith("__") and not special
        if name in NAMES_OF_OURS or mangled:
            raise Different(f"{name}() in line {method.lineno} has a name that ours uses otherwise")
