"""What a script's class keeps in which attribute, read from its __init__() and from who uses it.

A node has data, a grad and children; then either local gradients beside the children, or a closure
that hands its gradient on. Whatever else it keeps (a label, the operation's sign) is an extra.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from .facts import name_of, without_docstring
from .plan import Different


@dataclass
class Shape:
    """The attributes, by what the script calls them, and the parameters that they come from."""

    name: str
    parameters: list[str]
    n_required: int
    data: str = ""
    grad: str = ""
    children: str = ""
    locals: str = ""  # empty where there are closures
    closure: str = ""  # empty where there are local gradients
    roles: dict[str, str] = field(default_factory=dict)  # of parameters: data, children, locals
    extras: dict[str, ast.expr] = field(default_factory=dict)  # other attributes, and their values
    float_data: bool = False
    float_grad: bool = False
    is_set: bool = False  # the children's order is that of a set
    is_unconditional: bool = True

    @property
    def edges(self) -> dict[str, str]:
        """Ours by the script's name, where the two may differ."""
        ours = {self.data: "data", self.grad: "grad", self.children: "_children"}
        if self.locals:
            ours[self.locals] = "_local_grads"
        if self.closure:
            ours[self.closure] = "_backward"
        return ours

    @property
    def is_canonical(self) -> bool:
        """Whether the constructor's first parameters are data, children and local gradients."""
        return [self.roles.get(name) for name in self.parameters[:3]] == [
            "data",
            "children",
            "locals",
        ]

    def role_of(self, call: ast.Call) -> dict[str, ast.expr] | None:
        """The arguments of a call of the constructor, by parameter; None if that is hard to say."""
        if len(call.args) > len(self.parameters):
            return None
        found = dict(zip(self.parameters, call.args))
        for keyword in call.keywords:
            if keyword.arg not in self.parameters or keyword.arg in found:
                return None
            found[keyword.arg] = keyword.value
        if any(isinstance(value, ast.Starred) for value in found.values()):
            return None
        return None if any(p not in found for p in self.parameters[: self.n_required]) else found


def read_shape(klass: ast.ClassDef, init: ast.FunctionDef) -> Shape:
    """Raises Different where it is not to be found out."""
    args = init.args
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or len(args.args) < 2:
        raise Different(f"its __init__() in line {init.lineno} has unusual parameters")
    parameters = [arg.arg for arg in args.args[1:]]
    shape = Shape(klass.name, parameters, len(parameters) - len(args.defaults))
    if any(not is_harmless_default(default) for default in args.defaults):
        raise Different(f"its __init__() in line {init.lineno} has unusual defaults")
    me = args.args[0].arg
    stores: list[tuple[str, ast.expr]] = []
    for statement in without_docstring(init.body):
        if is_check(statement, parameters[0], klass.name):
            continue
        stores += stores_of(statement, me, init)
    names = [name for name, _ in stores]
    if len(set(names)) != len(names):
        raise Different(f"its __init__() in line {init.lineno} assigns an attribute twice")
    Reader(shape, klass, dict(stores)).read()
    return shape


def is_harmless_default(node: ast.expr) -> bool:
    match node:
        case ast.Constant() | ast.Tuple(elts=[]) | ast.UnaryOp(operand=ast.Constant()):
            return True
        case ast.Call(func=ast.Name(id="tuple" | "set" | "frozenset"), args=[], keywords=[]):
            return True
        case ast.Lambda(body=ast.Constant()):
            return True
    return False


def is_check(statement: ast.stmt, data: str, class_name: str) -> bool:
    """What lets numbers pass as they are: whatever else comes, the script's own class is asked."""
    match statement:
        case ast.Assert(test=ast.Call(func=ast.Name(id="isinstance"), args=[asked, kinds])):
            parts = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
            return name_of(asked) == data and {"int", "float"} <= {name_of(p) for p in parts}
        case ast.If(
            test=ast.Call(func=ast.Name(id="isinstance"), args=[asked, kind]),
            body=[ast.Assign(targets=[target], value=ast.Attribute(value=value))],
            orelse=[],
        ):
            same = [name_of(asked), name_of(target), name_of(value)] == [data] * 3
            return same and name_of(kind) == class_name
    return False


def stores_of(statement: ast.stmt, me: str, init: ast.FunctionDef) -> list[tuple[str, ast.expr]]:
    """What a statement of __init__() assigns to which attribute of `me`."""
    targets: list[ast.expr]
    value: ast.expr
    match statement:
        case ast.Assign():
            targets, value = statement.targets, statement.value
        case ast.AnnAssign(target=target, value=ast.expr() as own):
            targets, value = [target], own
        case ast.Pass() | ast.AnnAssign(value=None):
            return []
        case _:
            raise Different(f"line {statement.lineno} of its __init__() is none that we know")
    found: list[tuple[str, ast.expr]] = []
    for each in targets:
        match each, value:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute), _ if name == me:
                found.append((attribute, value))
            case ast.Tuple(elts=parts), ast.Tuple(elts=values) if len(parts) == len(values):
                for part, own in zip(parts, values):
                    twin = ast.copy_location(ast.Assign([part], own), statement)
                    found += stores_of(twin, me, init)
            case _:
                raise Different(f"line {statement.lineno} of its __init__() is none that we know")
    return found


class Reader:
    """Finds out which attribute is what."""

    def __init__(self, shape: Shape, klass: ast.ClassDef, stores: dict[str, ast.expr]) -> None:
        self.shape = shape
        self.klass = klass
        self.stores = stores

    def read(self) -> None:
        self.read_data()
        children, local_grads = self.parameters_of_edges()
        self.read_children(children)
        self.read_locals(local_grads)
        self.read_grad()
        for name, value in self.stores.items():
            self.read_extra(name, value)

    def take(self, role: str, attribute: str, parameter: str = "") -> None:
        setattr(self.shape, role, attribute)
        del self.stores[attribute]
        if parameter:
            self.shape.roles[parameter] = role

    def read_data(self) -> None:
        first = self.shape.parameters[0]
        for attribute, value in self.stores.items():
            match value:
                case ast.Name(id=name) if name == first:
                    pass
                case ast.Call(func=ast.Name(id="float"), args=[ast.Name(id=name)], keywords=[]) if (
                    name == first
                ):
                    self.shape.float_data = True
                case _:
                    continue
            return self.take("data", attribute, first)
        raise Different("its __init__() keeps its first parameter nowhere")

    def parameters_of_edges(self) -> tuple[str, str]:
        """Which parameters __add__() gives a tuple of Values and one of numbers, if any."""
        children = local_grads = ""
        for node in ast.walk(self.klass):
            if not isinstance(node, ast.Call) or not is_construction(node, self.klass.name):
                continue
            for parameter, value in (self.shape.role_of(node) or {}).items():
                parts = getattr(value, "elts", None)
                if parts and all(isinstance(part, ast.Name) for part in parts):
                    if any(part.id == "self" or part.id == self.me for part in parts):
                        children = children or parameter
                        continue
                if parts and parameter not in (children, self.shape.parameters[0]):
                    local_grads = local_grads or parameter
        if not children:
            raise Different("none of its methods makes one with children")
        return children, local_grads if local_grads != children else ""

    @property
    def me(self) -> str:
        methods = [n for n in self.klass.body if isinstance(n, ast.FunctionDef) and n.args.args]
        return methods[0].args.args[0].arg if methods else "self"

    def read_children(self, parameter: str) -> None:
        for attribute, value in self.stores.items():
            match value:
                case ast.Name(id=name) if name == parameter:
                    kind = ""
                case ast.Call(
                    func=ast.Name(id="tuple" | "list" | "set" | "frozenset" as kind),
                    args=[ast.Name(id=name)],
                    keywords=[],
                ) if name == parameter:
                    pass
                case _:
                    continue
            self.shape.is_set = kind in ("set", "frozenset")
            return self.take("children", attribute, parameter)
        raise Different("its __init__() keeps the children nowhere")

    def read_locals(self, parameter: str) -> None:
        for attribute, value in self.stores.items():
            match value:
                case ast.Name(id=name) if parameter and name == parameter:
                    return self.take("locals", attribute, parameter)
                case ast.Lambda(args=args, body=ast.Constant(value=None)) if not args.args:
                    return self.take("closure", attribute)
                case ast.Constant(value=None) if "backward" in attribute or "grad_fn" in attribute:
                    return self.take("closure", attribute)
        raise Different("its __init__() keeps neither local gradients nor a closure")

    def read_grad(self) -> None:
        zeros = [
            (name, value.value)
            for name, value in self.stores.items()
            if isinstance(value, ast.Constant)
            and type(value.value) in (int, float)
            and value.value == 0
        ]
        seeded = {
            node.targets[0].attr
            for node in ast.walk(self.klass)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Attribute)
            and isinstance(node.value, ast.Constant)
            and node.value.value == 1
        }
        named = [z for z in zeros if z[0] in seeded] or [z for z in zeros if z[0] == "grad"]
        if len(named) != 1:
            raise Different("which attribute is the gradient, that begins at 0, is not clear")
        attribute, zero = named[0]
        self.shape.float_grad = type(zero) is float
        self.take("grad", attribute)

    def read_extra(self, attribute: str, value: ast.expr) -> None:
        match value:
            case ast.Constant():
                pass
            case ast.Name(id=name) if name in self.shape.parameters[1:]:
                self.shape.roles.setdefault(name, "extra")
            case ast.UnaryOp(operand=ast.Constant()):
                pass
            case _:
                raise Different(f"what its __init__() keeps as {attribute} is none that we know")
        self.shape.extras[attribute] = value


def is_construction(node: ast.Call, class_name: str) -> bool:
    """Whether it makes one of the class."""
    match node.func:
        case ast.Name(id=name):
            return name == class_name
        case ast.Attribute(value=ast.Name(id="self"), attr="__class__"):
            return True
        case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id="self")]):
            return True
    return False
