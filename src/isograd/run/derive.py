"""What a method of the script's class makes: a node of which data, children and derivatives.

The method is executed on symbols, statement by statement. That works for the few constructs that
such methods use; whatever else there is raises Unknown, and the method stays the script's own.

Where the class has closures, a derivative is what the closure multiplies the result's gradient
with. It is read when backward() runs, here when the node is made: csrc/run/script_traits.h compares
the two.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .arithmetic import MINUS_ONE, ONE, Expression, Reader, Unknown, negated, operation
from .facts import name_of, without_docstring
from .shape import Shape, is_construction

OUT_GRAD: Expression = ("grad of the result",)
# What an operation writes into an attribute: the parts of a text, where None is its first number.
# Empty for what is no text, or another one each time.
Text = tuple[str | None, ...]


@dataclass
class Made:
    """A node: expressions of its children's data, ("data", i), and of numbers, ("number", i)."""

    data: Expression
    children: list[int] = field(default_factory=list)
    locals: list[Expression] | None = None  # None while the closure is not known
    texts: dict[str, Text] = field(default_factory=dict)  # of further attributes, such as `_op`


@dataclass
class Derived:
    """What a method of n_children operands and some numbers makes."""

    made: Made
    n_children: int
    n_numbers: int
    takes_numbers: bool  # as second operand


class Deriver:
    """Executes one method."""

    def __init__(
        self,
        shape: Shape,
        method: ast.FunctionDef,
        math: Callable[[ast.expr], str],
        is_builtin: Callable[[ast.Name], bool],
        wrappers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.wrappers = wrappers  # methods that make a Value of what is none, and their kinds
        self.shape = shape
        self.method = method
        self.names: dict[str, Expression] = {}
        self.made: dict[str, Made] = {}  # by the variable that holds it
        self.closures: dict[str, list[ast.stmt]] = {}
        self.is_wrapped = False  # the second operand was made a Value if it was none
        self.is_number: set[str] = set()  # parameters that an assertion says are numbers
        self.in_closure: Made | None = None
        self.is_attached = False  # a closure, which sees what its names become
        self.math = math
        self.modules: set[str] = set()  # math, as the method itself imports it
        self.reader = Reader(self.leaf, self.function, is_builtin)

    def function(self, node: ast.expr) -> str:
        """What of the module math it is."""
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in self.modules:
                return attribute
        return self.math(node)

    def derive(self) -> Derived:
        """Raises Unknown."""
        method = self.method
        args = method.args
        if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or not args.args:
            raise Unknown(method)
        if method.decorator_list:
            raise Unknown(method)
        me, *others = [arg.arg for arg in args.args]
        self.parameters = others
        self.names[me] = ("value", 0)
        for i, name in enumerate(others):
            self.names[name] = ("either", name) if i == 0 else ("parameter", name)
        made = self.run(without_docstring(method.body))
        if made.locals is None:
            raise Unknown(method, "makes a result without derivatives")
        n_children = 2 if self.is_wrapped else 1
        if sorted(made.children) != list(range(n_children)):
            raise Unknown(method, "makes a result of other children")
        numbers = others[n_children - 1 :]
        placed = Placed(numbers)
        local_grads = [placed(local) for local in made.locals]
        made = Made(placed(made.data), made.children, local_grads, made.texts)
        return Derived(in_order(made, method), n_children, len(numbers), self.is_wrapped)

    # ---- statements ----

    def run(self, body: list[ast.stmt]) -> Made:
        for statement in body:
            result = self.step(statement)
            if result is not None:
                return result
        raise Unknown(self.method, "does not return what it makes")

    def step(self, statement: ast.stmt) -> Made | None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.assign(name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.assign(name, value)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name), attr=attr)]):
                self.attach(name, attr, statement.value, statement)
            case ast.If(test=test, body=[inner], orelse=[]) if self.wraps(test, inner):
                self.is_wrapped = True
            case ast.If(test=test, body=[ast.Raise() | ast.Return()], orelse=[]):
                self.note_number(test, statement, negative=True)
            case ast.Assert(test=test):
                self.note_number(test, statement)
            case ast.FunctionDef(name=name, args=args, body=closure) if not args.args:
                if statement.decorator_list or args.vararg or args.kwarg or args.kwonlyargs:
                    raise Unknown(statement)
                self.closures[name] = closure
            case ast.Return(value=ast.Name(id=name)) if name in self.made:
                return self.made[name]
            case ast.Return(value=ast.Call() as value):
                made = self.construct(value)
                if made:
                    return made
                raise Unknown(statement)
            case ast.Import(names=names) if all(alias.name == "math" for alias in names):
                self.modules |= {alias.asname or "math" for alias in names}
            case ast.Pass():
                pass
            case _:
                raise Unknown(statement)
        return None

    def assign(self, name: str, value: ast.expr) -> None:
        if name in self.made or name in self.closures or self.is_attached:
            raise Unknown(value)
        match value:
            case ast.IfExp(test=test, body=ast.Name(id=kept), orelse=made):
                if self.is_of_class(test, kept) and self.is_wrap(made, kept):
                    self.wrap(name, kept, value)
                    return
            case ast.Call(args=[ast.Name(id=kept)], keywords=[]) if self.is_wrapper(value.func):
                self.wrap(name, kept, value)
                return
            case ast.Call() if is_construction(value, self.shape.name):
                self.made[name] = self.constructed(value)
                return
            case ast.Name(id=other) if self.names.get(other, ("none",))[0] == "value":
                self.names[name] = self.names[other]
                return
        self.names[name] = self.reader.read(value)

    def is_wrapper(self, function: ast.expr) -> bool:
        match function:
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                of_class = owner == self.shape.name and self.wrappers.get(name) != "method"
                return name in self.wrappers and (of_class or self.names.get(owner) == ("value", 0))
        return False

    def wrap(self, name: str, operand: str, place: ast.AST) -> None:
        if self.names.get(operand) != ("either", operand):
            raise Unknown(place)
        self.is_wrapped = True
        self.names[name] = ("value", 1)
        if name != operand:
            self.names[operand] = ("used up",)

    def wraps(self, test: ast.expr, statement: ast.stmt) -> bool:
        """`if not isinstance(x, C): x = C(x)`."""
        match test, statement:
            case (
                ast.UnaryOp(op=ast.Not(), operand=kind),
                ast.Assign(targets=[ast.Name(id=name)], value=made),
            ):
                if self.is_of_class(kind, name) and self.is_wrap(made, name):
                    self.wrap(name, name, statement)
                    return True
        return False

    def is_of_class(self, test: ast.expr, name: str) -> bool:
        match test:
            case ast.Call(
                func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), ast.Name(id=of)]
            ):
                return asked == name and of == self.shape.name and not test.keywords
        return False

    def is_wrap(self, made: ast.expr, name: str) -> bool:
        match made:
            case ast.Call(args=[ast.Name(id=wrapped)], keywords=[]):
                return wrapped == name and is_construction(made, self.shape.name)
        return False

    def note_number(self, test: ast.expr, place: ast.AST, negative: bool = False) -> None:
        """`isinstance(x, (int, float))`, where anything else raises or returns."""
        if negative:
            match test:
                case ast.UnaryOp(op=ast.Not(), operand=operand):
                    test = operand
                case _:
                    raise Unknown(place)
        match test:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kinds]):
                parts = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
                if {name_of(part) for part in parts} >= {"int", "float"} and not test.keywords:
                    self.is_number.add(name)
                    return
        raise Unknown(place)

    def attach(self, name: str, attribute: str, value: ast.expr, place: ast.AST) -> None:
        """What is assigned to an attribute of the result."""
        made = self.made.get(name)
        if made is None:
            raise Unknown(place)
        if attribute in self.shape.extras and isinstance(value, (ast.Constant, ast.JoinedStr)):
            made.texts[attribute] = self.text(value)
            return
        if attribute == self.shape.locals and made.locals is None:
            made.locals = self.numbers(value, made)
        elif attribute == self.shape.closure and made.locals is None:
            made.locals = self.derivatives(value, made)
            self.is_attached = True
        else:
            raise Unknown(place)

    # ---- expressions ----

    def leaf(self, node: ast.expr) -> Expression:
        match node:
            case ast.Name(id=name) if name in self.names:
                known = self.names[name]
                if known[0] == "either":
                    return ("parameter", name)
                if known[0] not in ("value", "used up"):
                    return known
            case ast.Attribute(value=ast.Name(id=name), attr=attr):
                owner = self.names.get(name, ("none",))
                if attr == self.shape.data and owner[0] == "value":
                    return ("data", owner[1])
                if attr == self.shape.data and name in self.made:
                    return self.made[name].data
                inside = self.in_closure is not None and self.made.get(name) is self.in_closure
                if attr == self.shape.grad and inside:
                    return OUT_GRAD
        raise Unknown(node)

    def construct(self, call: ast.Call) -> Made | None:
        return self.constructed(call) if is_construction(call, self.shape.name) else None

    def constructed(self, call: ast.Call) -> Made:
        given = self.shape.role_of(call)
        if given is None:
            raise Unknown(call)
        made: Made | None = None
        for parameter, value in given.items():
            role = self.shape.roles.get(parameter)
            if role == "data":
                data = self.reader.read(value)
                made = Made(("float", data) if self.shape.float_data else data)
        if made is None:
            raise Unknown(call)
        for parameter, value in given.items():
            role = self.shape.roles.get(parameter)
            if role == "children":
                made.children = self.values(value)
            elif role == "locals":
                made.locals = self.numbers(value, made)
            elif role != "data":
                if not isinstance(value, (ast.Constant, ast.JoinedStr)):
                    raise Unknown(value)
                for attribute, source in self.shape.extras.items():
                    if name_of(source) == parameter:
                        made.texts[attribute] = self.text(value)
        return made

    def text(self, node: ast.Constant | ast.JoinedStr) -> Text:
        """`"+"`, or `f"**{k}"` where k is the number that the method is given."""
        parts: list[str | None] = []
        for part in [node] if isinstance(node, ast.Constant) else node.values:
            match part:
                case ast.Constant(value=str(text)):
                    parts.append(text)
                case ast.FormattedValue(
                    value=ast.Name(id=name), conversion=-1, format_spec=None
                ) if name == self.parameters[0] and self.names[name] == ("either", name):
                    parts.append(None)
                case _:
                    return ()
        return tuple(parts)

    def values(self, node: ast.expr) -> list[int]:
        parts = getattr(node, "elts", None)
        if parts is None or not isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            raise Unknown(node)
        found = []
        for part in parts:
            value = self.names.get(name_of(part), ("none",))
            if value[0] != "value":
                raise Unknown(node)
            found.append(int(str(value[1])))
        return found

    def numbers(self, node: ast.expr, made: Made) -> list[Expression]:
        if not isinstance(node, (ast.Tuple, ast.List)):
            raise Unknown(node)
        return [self.reader.read(part) for part in node.elts]

    # ---- closures ----

    def derivatives(self, value: ast.expr, made: Made) -> list[Expression]:
        """For each child what its gradient gets, divided by the result's gradient."""
        match value:
            case ast.Name(id=name) if name in self.closures:
                body = self.closures[name]
            case _:
                raise Unknown(value)
        self.in_closure = made
        found: list[tuple[int, Expression]] = []
        for statement in without_docstring(body):
            found.append(self.contribution(statement))
        self.in_closure = None
        children = [child for child, _ in found]
        if sorted(children) != sorted(made.children) or len(set(children)) != len(children):
            raise Unknown(value, "hands its gradient to other children")
        if children != made.children and not is_symmetric(found):
            raise Unknown(value, "hands its gradient on in another order")
        return [dict(found)[child] for child in made.children]

    def contribution(self, statement: ast.stmt) -> tuple[int, Expression]:
        match statement:
            case ast.AugAssign(target=ast.Attribute() as target, op=ast.Add(), value=value):
                pass
            case ast.Assign(
                targets=[ast.Attribute() as target],
                value=ast.BinOp(left=ast.Attribute() as left, op=ast.Add(), right=value),
            ) if name_of(left.value) == name_of(target.value) and left.attr == target.attr:
                pass
            case _:
                raise Unknown(statement)
        owner = self.names.get(name_of(target.value), ("none",))
        if owner[0] != "value" or target.attr != self.shape.grad:
            raise Unknown(statement)
        return int(str(owner[1])), factor(self.reader.read(value), statement)


def factor(expression: Expression, place: ast.AST) -> Expression:
    """What the result's gradient is multiplied with."""
    match expression:
        case ("grad of the result",):
            return ONE
        case ("neg", ("grad of the result",)):
            return MINUS_ONE
        case ("neg", ("*", a, b)):
            return negated(factor(("*", a, b), place))
        case ("*", a, ("grad of the result",)) | ("*", ("grad of the result",), a) if isinstance(
            a, tuple
        ) and not mentions(a, OUT_GRAD):
            return a
    raise Unknown(place, "is no product with the result's gradient")


def mentions(expression: Expression, part: Expression) -> bool:
    return expression == part or any(
        isinstance(inner, tuple) and mentions(inner, part) for inner in expression
    )


def is_symmetric(found: list[tuple[int, Expression]]) -> bool:
    """Whether the order shows nowhere: also not where both children are the same node."""
    one = {exchanged(local, {("data", 1): ("data", 0)}) for _, local in found}
    return len(one) == 1


def exchanged(expression: Expression, new: dict[Expression, Expression]) -> Expression:
    if expression in new:
        return new[expression]
    parts = [exchanged(p, new) if isinstance(p, tuple) else p for p in expression]
    if parts and parts[0] in ("+", "*"):
        return operation(str(parts[0]), parts[1], parts[2])  # type: ignore[arg-type]
    return tuple(parts)


def kind_of_wrapper(method: ast.FunctionDef, class_name: str) -> str:
    """A kind of method that is `return x if isinstance(x, C) else C(x)`; empty for any other."""
    arguments = [arg.arg for arg in method.args.args]
    kinds = [name_of(decorator) for decorator in method.decorator_list]
    first = [] if kinds == ["staticmethod"] else arguments[:1]
    if kinds not in ([], ["staticmethod"], ["classmethod"]) or len(arguments) != len(first) + 1:
        return ""
    makers = {class_name, *(first if kinds == ["classmethod"] else [])}
    match without_docstring(method.body):
        case [
            ast.Return(
                value=ast.IfExp(
                    test=ast.Call(func=ast.Name(id="isinstance"), args=[asked, kind], keywords=[]),
                    body=kept,
                    orelse=ast.Call(func=maker, args=[wrapped], keywords=[]),
                )
            )
        ]:
            same = {name_of(asked), name_of(kept), name_of(wrapped)} == {arguments[-1]}
            if same and name_of(kind) in makers and name_of(maker) in makers:
                return kinds[0] if kinds else "method"
    return ""


class Placed:
    """Puts ("number", i) where a parameter is read."""

    def __init__(self, names: list[str]) -> None:
        self.new: dict[Expression, Expression] = {
            ("parameter", name): ("number", i) for i, name in enumerate(names)
        }

    def __call__(self, expression: Expression) -> Expression:
        placed = exchanged(expression, self.new)
        check_leaves(placed)
        return placed


def check_leaves(expression: Expression) -> None:
    if expression[0] in ("parameter", "value", "either", "used up", OUT_GRAD[0]):
        raise Unknown(ast.Pass(), "reads what is no number")
    for part in expression:
        if isinstance(part, tuple):
            check_leaves(part)


def in_order(made: Made, method: ast.FunctionDef) -> Made:
    """Children must come in the order of the operands, as C has them."""
    if made.locals is None or len(made.locals) != len(made.children):
        raise Unknown(method, "has not one local gradient for each child")
    if made.children != sorted(made.children):
        raise Unknown(method, "has its children in another order")
    return made
