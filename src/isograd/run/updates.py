"""Loops over parameters whose body is arithmetic: SGD, momentum, AdamW, clipping, averages.

The body is executed on symbols, like a method in derive.py. What becomes of a parameter's data and
grad, of the elements beside it (`m[i]`), and of what one turn hands to the next (`total += ..`) are
expressions, which one program computes for all parameters but the last: the loop that is left to
run is short, and leaves its variables as they would be. What cannot vary in the loop is computed
once, by Python, before it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from .arithmetic import BINARY, ONE, ZERO, Expression, Program, Reader, Unknown, is_bool, operation
from .facts import Facts, name_of
from .math_names import MathNames
from .statements import without_continue
from .value_class import ScriptClass

DATA, GRAD, INDEX = ("p.data",), ("p.grad",), ("i",)


@dataclass
class Header:
    """What a loop runs over."""

    kind: str  # "each", "enumerate" or "range"
    params: ast.expr
    value: str = ""  # the variable that is the parameter
    index: str = ""  # the variable that counts


@dataclass
class Update:
    """What script_loop.h needs, and what the loop's arguments are."""

    header: Header
    code: bytes = b""
    constants: tuple[object, ...] = ()
    stores: tuple[int, ...] = ()
    vectors: list[ast.expr] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    invariants: list[ast.expr] = field(default_factory=list)

    @property
    def parts(self) -> tuple[object, ...]:
        counts = len(self.vectors), len(self.carried), len(self.invariants)
        return self.code, self.constants, counts, self.stores


def read_header(loop: ast.For) -> Header | None:
    """None where it runs over nothing that we know."""
    match loop:
        case ast.For(
            target=ast.Tuple(elts=[ast.Name(id=index), ast.Name(id=value)]),
            iter=ast.Call(func=ast.Name(id="enumerate"), args=[params], keywords=[]),
        ):
            return Header("enumerate", params, value, index)
        case ast.For(
            target=ast.Name(id=index),
            iter=ast.Call(
                func=ast.Name(id="range"),
                args=[ast.Call(func=ast.Name(id="len"), args=[params], keywords=[])],
                keywords=[],
            ),
        ):
            return Header("range", params, "", index) if chain(params) else None
        case ast.For(target=ast.Name(id=value), iter=params):
            return Header("each", params, value)
    return None


def chain(node: ast.AST) -> list[str]:
    """The names in `a.b.c`; empty if it is something else."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=value, attr=attr) if chain(value):
            return [*chain(value), attr]
    return []


def why_not(node: ast.AST) -> str:
    """Why a part of a loop's body has no place there."""
    match node:
        case ast.Call(func=function) | ast.Expr(value=ast.Call(func=function)):
            return f"calls {in_short(function)}(), which is no arithmetic"
        case ast.Attribute() | ast.Subscript() | ast.Name():
            return (
                f"uses {in_short(node)}, which is neither the parameter's data or grad nor in a "
                "list by the loop's index"
            )
    return "is no arithmetic that we know"


def in_short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 40 else text[:37] + "..."


class Body:
    """Executes the body of a loop on symbols."""

    def __init__(
        self, header: Header, body: list[ast.stmt], script: Facts, klass: ScriptClass
    ) -> None:
        self.header = header
        self.body = body
        self.script = script
        self.klass = klass
        self.math = MathNames(script, getattr(body[0], "lineno", 0))
        self.reader = Reader(self.leaf, self.math.function, self.is_builtin, self.invariant)
        self.assigned = {
            part.id
            for statement in body
            for part in ast.walk(statement)
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
        }
        self.own = {header.value, header.index} - {""}
        self.state: dict[str, Expression | None] = {"p.data": DATA, "p.grad": GRAD}
        self.vectors: dict[str, ast.expr] = {}
        self.carried: list[str] = []
        self.invariants: dict[str, ast.expr] = {}
        self.aliases: set[str] = set()  # variables that are params[i]

    # ---- statements ----

    def run(self) -> None:
        """Raises Unknown where it is no arithmetic."""
        if self.own & self.assigned or len(self.own) != 1 + (self.header.kind == "enumerate"):
            raise Unknown(self.body[0], "assigns the loop's own variable")
        self.block(without_continue(self.body))
        for name in self.assigned - self.aliases:
            if self.state.get(name, ZERO) is None:
                raise Unknown(self.body[0], f"assigns {name} in some turns only")

    def block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.step(statement)

    def step(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if self.is_param(value):
                self.aliases.add(name)
            case ast.Assign(targets=[target], value=value):
                self.store(target, self.reader.read(value))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.store(target, self.reader.read(value))
            case ast.AugAssign(target=target, op=op, value=value) if type(op) in BINARY:
                now = self.leaf(target)
                self.store(target, operation(BINARY[type(op)], now, self.reader.read(value)))
            case ast.If(test=test, body=body, orelse=orelse):
                self.choose(self.test(test), body, orelse)
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise Unknown(statement, why_not(statement))

    def choose(self, test: Expression, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        before = dict(self.state)
        self.block(body)
        first, self.state = self.state, dict(before)
        self.block(orelse)
        for name in {*first, *self.state}:
            a, b = first.get(name), self.state.get(name)
            if name in self.vectors or name in self.carried:
                a, b = a or self.start(name), b or self.start(name)
            self.state[name] = a if a == b else ("if", test, a, b) if a and b else None

    def store(self, target: ast.expr, value: Expression) -> None:
        key = self.place(target)
        if key is None:
            if not isinstance(target, ast.Name) or target.id in self.aliases:
                raise Unknown(target, why_not(target))
            key = target.id
            if not self.is_local(target):
                raise Unknown(target, f"assigns {key}, which is global or nonlocal")
        if is_bool(value) and (key.startswith(("p.", "[")) or key in self.carried):
            raise Unknown(target, "keeps what is true or false")
        self.state[key] = value

    def is_local(self, name: ast.Name) -> bool:
        """Whether a variable of the scope that the loop is in."""
        scope = self.script.scopes[name]
        return name.id not in scope.elsewhere or scope.kind == "module"

    # ---- expressions ----

    def test(self, node: ast.expr) -> Expression:
        match node:
            case ast.Compare(left=ast.Attribute() as left, ops=[op], comparators=[right]) if (
                isinstance(right, ast.Constant) and right.value is None and self.place(left)
            ):
                if isinstance(op, (ast.Is, ast.IsNot)):
                    return ZERO if isinstance(op, ast.Is) else ONE
            case ast.BoolOp(op=op, values=[first, *rest]):
                result = self.test(first)
                for part in rest:
                    more = self.test(part)
                    both = isinstance(op, ast.And)
                    result = ("if", result, more, ZERO) if both else ("if", result, ONE, more)
                return result
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ("==", self.test(operand), ZERO)
        return self.reader.read(node)

    def invariant(self, node: ast.expr) -> Expression | None:
        """What Python computes before the loop; constants are the program's own."""
        if isinstance(node, ast.Constant) or not self.is_invariant(node):
            return None
        key = ast.dump(node)
        self.invariants.setdefault(key, node)
        return ("invariant", key)

    def is_invariant(self, node: ast.expr) -> bool:
        """Whether it is a number that no turn changes, and Python may compute once more."""
        match node:
            case ast.Constant(value=value):
                return type(value) in (int, float)
            case ast.Name(id=name):
                return name not in self.assigned | self.own | self.aliases
            case ast.Attribute(attr=attr):
                names = chain(node)
                return bool(names) and self.is_invariant_chain(names) and self.is_plain(attr)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                return self.is_invariant(left) and self.is_invariant(right)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.is_invariant(operand)
            case ast.Call(func=function, args=[arg], keywords=[]):
                return bool(self.math.function(function)) and self.is_invariant(arg)
        return False

    def is_invariant_chain(self, names: list[str]) -> bool:
        numbers = {self.klass.shape.data, self.klass.shape.grad}
        varying = self.assigned | self.own | self.aliases
        return names[0] not in varying and not numbers & {*names[1:]}

    def is_plain(self, attribute: str) -> bool:
        """Whether reading it runs no code of the script."""
        special = ("__getattr__", "__getattribute__", "__get__", attribute)
        return not any(
            isinstance(node, ast.FunctionDef) and node.name in special for node in self.script.nodes
        )

    def leaf(self, node: ast.expr) -> Expression:
        key = self.place(node)
        if key is None and isinstance(node, ast.Name):
            if node.id == self.header.index:
                return INDEX
            if node.id in self.assigned and node.id not in self.aliases:
                key = node.id
        if key is None:
            raise Unknown(node, why_not(node))
        if key not in self.state:
            self.state[key] = self.start(key)
        found = self.state[key]
        if found is None:
            raise Unknown(node, f"reads {key}, which some turns do not assign")
        return found

    def start(self, key: str) -> Expression:
        """What is there when a turn begins."""
        if key not in self.vectors and not key.startswith("p.") and key not in self.carried:
            self.carried.append(key)
        return ("start", key)

    def place(self, node: ast.expr) -> str | None:
        """The parameter's data or grad, or an element beside it, as a key of the state."""
        shape = self.klass.shape
        match node:
            case ast.Attribute(value=owner, attr=attr) if attr in (shape.data, shape.grad):
                if self.is_param(owner):
                    return "p.data" if attr == shape.data else "p.grad"
            case ast.Subscript(value=vector, slice=ast.Name(id=index)):
                names = chain(vector)
                if index and index == self.header.index and names:
                    if not self.is_invariant_chain(names) or self.is_params(vector):
                        return None
                    if len(names) > 1 and not self.is_plain(names[-1]):
                        return None
                    key = f"[{'.'.join(names)}]"
                    self.vectors.setdefault(key, vector)
                    return key
        return None

    def is_param(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name):
                return bool(name) and name in {self.header.value} | self.aliases
            case ast.Subscript(value=params, slice=ast.Name(id=index)):
                return index == self.header.index != "" and self.is_params(params)
        return False

    def is_params(self, node: ast.expr) -> bool:
        return bool(chain(node)) and chain(node) == chain(self.header.params)

    def is_builtin(self, name: ast.Name) -> bool:
        return self.script.scopes[name].owner(name.id) is None

    # ---- the program ----

    def update(self) -> Update:
        """Raises Unknown where the program is too long, or there is nothing to do."""
        result = Update(self.header)
        keys = list(self.vectors)
        result.vectors = list(self.vectors.values())
        result.carried = self.carried
        result.invariants = list(self.invariants.values())
        inputs: list[Expression] = [DATA, GRAD, INDEX]
        inputs += [("start", key) for key in [*keys, *self.carried]]
        inputs += [("invariant", key) for key in self.invariants]
        program = Program(inputs)
        stores = []
        for key in ["p.data", "p.grad", *keys, *self.carried]:
            value = self.state.get(key)
            if value and may_be_invariant(value):
                raise Unknown(self.body[0], "stores what Python has computed before")
            start = {"p.data": DATA, "p.grad": GRAD}.get(key, ("start", key))
            changes = value is not None and value != start
            needed = changes or key in self.carried
            stores.append(program.add(value or start) if needed else None)
        if not any(register is not None for register in stores):
            raise Unknown(self.body[0], "changes nothing")
        result.code, result.constants, place = program.finished()
        result.stores = tuple(-1 if register is None else place(register) for register in stores)
        return result


def may_be_invariant(value: Expression) -> bool:
    """Whether it may be a number of the script's as it is, True among others."""
    match value:
        case ("invariant", _):
            return True
        case ("if", _, a, b) | ("max" | "min", a, b):
            return may_be_invariant(a) or may_be_invariant(b)  # type: ignore[arg-type]
    return False


def read_update(loop: ast.For, script: Facts, klass: ScriptClass) -> Update:
    """Raises Unknown where the loop is none that we know."""
    header = read_header(loop)
    if header is None:
        raise Unknown(loop, "runs over nothing that we know")
    if loop.orelse:
        raise Unknown(loop, "has an else")
    body = Body(header, loop.body, script, klass)
    body.run()
    update = body.update()
    for name in update.carried:
        if not is_bound_before(name, loop, script):
            raise Unknown(loop, f"changes {name}, which may not be there")
    return update


def is_bound_before(name: str, loop: ast.AST, script: Facts) -> bool:
    """Whether a statement that runs before the loop, whatever happens, assigns the variable."""
    if any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Del)
        for node in script.nodes
    ):
        return False
    while not isinstance(loop, (ast.FunctionDef, ast.Module, ast.Lambda, ast.ClassDef)):
        above = script.parents[loop]
        for block in (getattr(above, part, None) for part in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and loop in block:
                if any(name in targets_of(earlier) for earlier in block[: block.index(loop)]):
                    return True
        loop = above
    return False


def targets_of(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Assign(targets=targets):
            parts = [p for t in targets for p in (t.elts if isinstance(t, ast.Tuple) else [t])]
            return [name_of(part) for part in parts]
        case ast.AnnAssign(target=target, value=ast.expr()):
            return [name_of(target)]
    return []
