"""Arithmetic of a script as expressions that can be compared, and as programs that C runs.

An expression is a nested tuple: an operation, then its operands. Only what gives the same number in
every case is brought into one form: the operands of a sum or product, in either order. The programs
are those of csrc/run/script_program.h, which has the operations in the same order.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

Expression = tuple[object, ...]

BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
COMPARISONS = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
OPS = "end + - * / ** neg abs float max min < <= > >= == != move math jump_if_zero jump".split()
FUNCTIONS = (
    "exp log sqrt tanh sin cos fabs atan sinh cosh tan erf log1p expm1 log2 log10 asin acos erfc "
    "asinh"
).split()
CONSTANTS = ("pi", "e", "tau", "inf")
MAX_REGISTERS = 128


class Unknown(Exception):
    """Says which part of a script has no place in an expression."""

    def __init__(self, node: ast.AST, why: str = "is none that we know") -> None:
        self.line = getattr(node, "lineno", 0)
        super().__init__(f"line {self.line} {why}" if self.line else f"it {why}")


def constant(x: object) -> Expression:
    """A number; 1, 1.0 and True are three of them."""
    return ("const", type(x).__name__, repr(x))


ZERO, ONE, MINUS_ONE = constant(0), constant(1), constant(-1)


def operation(op: str, a: Expression, b: Expression) -> Expression:
    if op in "+*" and repr(b) < repr(a):
        a, b = b, a
    return (op, a, b)


def negated(a: Expression) -> Expression:
    match a:
        case ("const", "int" | "float", text):
            return constant(-ast.literal_eval(str(text)))
    return ("neg", a)


class Reader:
    """Reads expressions; `leaf` says what names, attributes and other parts of the script are."""

    def __init__(
        self,
        leaf: Callable[[ast.expr], Expression],
        math: Callable[[ast.expr], str],
        is_builtin: Callable[[ast.Name], bool],
        first: Callable[[ast.expr], Expression | None] = lambda node: None,
    ) -> None:
        self.first = first  # is asked about every part before it is looked at
        self.leaf = leaf
        self.math = math  # what of the module math an expression is, or nothing
        self.is_builtin = is_builtin

    def read(self, node: ast.expr) -> Expression:
        """Raises Unknown."""
        found = self.first(node)
        if found is not None:
            return found
        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                return constant(value)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                return operation(BINARY[type(op)], self.read(left), self.read(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return negated(self.read(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return (COMPARISONS[type(op)], self.read(left), self.read(right))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return ("if", self.read(test), self.read(body), self.read(orelse))
            case ast.Call(func=function, args=args, keywords=[]):
                return self.read_call(node, function, args)
        name = self.math(node)
        if name in CONSTANTS:
            return ("pi", name)
        return self.leaf(node)

    def read_call(self, node: ast.expr, function: ast.expr, args: list[ast.expr]) -> Expression:
        if any(isinstance(arg, ast.Starred) for arg in args):
            raise Unknown(node)
        name = self.math(function)
        if name in FUNCTIONS and len(args) == 1:
            return ("math", name, self.read(args[0]))
        if name == "pow":
            raise Unknown(node, "calls math.pow, which is not **")
        if not isinstance(function, ast.Name) or not self.is_builtin(function):
            return self.leaf(node)
        match function.id, args:
            case (("max" | "min" as kind), [a, b]):
                return (kind, self.read(a), self.read(b))
            case (("abs" | "float" as kind), [a]):
                return (kind, self.read(a))
            case "pow", [a, b]:
                return ("**", self.read(a), self.read(b))
        return self.leaf(node)


def is_bool(expression: Expression) -> bool:
    """Whether it may be True or False, which print in another way than 1 and 0."""
    match expression:
        case ("<" | "<=" | ">" | ">=" | "==" | "!=", *_):
            return True
        case ("max" | "min", a, b):
            return is_bool(a) or is_bool(b)  # type: ignore[arg-type]
        case ("if", _, a, b):
            return is_bool(a) or is_bool(b)  # type: ignore[arg-type]
    return False


class Program:
    """Puts expressions into one program. Inputs come first in the registers, then constants."""

    def __init__(self, inputs: list[Expression], constants: list[object] | None = None) -> None:
        self.registers: dict[Expression, int] = {part: i for i, part in enumerate(inputs)}
        self.n_inputs = len(inputs)
        self.constants: list[object] = []
        self.code: list[tuple[int, int, int, int]] = []
        self.n_temporaries = 0
        self.known: list[set[Expression]] = [set()]  # what was computed, by enclosing branch

    @property
    def next_register(self) -> int:
        """Constants take theirs from the end, as their number is not known before."""
        if self.n_inputs + self.n_temporaries + len(self.constants) >= MAX_REGISTERS:
            raise Unknown(ast.Pass(), "takes too many numbers")
        self.n_temporaries += 1
        return self.n_inputs + self.n_temporaries - 1

    def emit(self, op: str, dst: int, a: int, b: int = 0) -> None:
        self.code.append((OPS.index(op), dst, a, b))

    def add(self, expression: Expression) -> int:
        """The register that holds it when the program has run."""
        if expression in self.registers:
            return self.registers[expression]
        register = self.compute(expression)
        self.registers[expression] = register
        self.known[-1].add(expression)
        return register

    def compute(self, expression: Expression) -> int:
        match expression:
            case ("const", _, text):
                return self.add_constant(ast.literal_eval(str(text)))
            case ("pi", name):
                return self.add_constant(getattr(__import__("math"), str(name)))
            case ("if", test, body, orelse):
                return self.choose(test, body, orelse)  # type: ignore[arg-type]
            case ("math", name, a):
                operands = self.add(a), FUNCTIONS.index(str(name))  # type: ignore[arg-type]
                op = "math"
            case (str() as op, a) if op in OPS:
                operands = self.add(a), 0  # type: ignore[arg-type]
            case (str() as op, a, b) if op in OPS:
                operands = self.add(a), self.add(b)  # type: ignore[arg-type]
            case _:
                raise AssertionError(f"{expression} is no expression")
        register = self.next_register
        self.emit(op, register, *operands)
        return register

    def add_constant(self, x: object) -> int:
        """A negative number stands for a constant until the program is finished."""
        self.constants.append(x)
        return -len(self.constants)

    def choose(self, test: Expression, body: Expression, orelse: Expression) -> int:
        decided = self.add(test)
        result = self.next_register
        skip = len(self.code)
        self.emit("jump_if_zero", 0, 0)
        self.branch(body, result)
        leave = len(self.code)
        self.emit("jump", 0, 0)
        self.code[skip] = (OPS.index("jump_if_zero"), decided, *self.target())
        self.branch(orelse, result)
        self.code[leave] = (OPS.index("jump"), 0, *self.target())
        return result

    def branch(self, expression: Expression, result: int) -> None:
        """What one branch computes, the other one does not know."""
        self.known.append(set())
        self.emit("move", result, self.add(expression))
        for computed in self.known.pop():
            del self.registers[computed]

    def target(self) -> tuple[int, int]:
        return len(self.code) % 256, len(self.code) // 256

    def finished(self) -> tuple[bytes, tuple[object, ...], Callable[[int], int]]:
        """The code, the constants, and which register C has for one that add() gave."""
        n = len(self.constants)

        def place(register: int) -> int:
            if register < 0:
                return self.n_inputs - register - 1
            return register if register < self.n_inputs else register + n

        code = bytearray()
        jumps = OPS.index("jump"), OPS.index("jump_if_zero")
        for op, dst, a, b in [*self.code, (0, 0, 0, 0)]:
            if op in jumps:
                code += bytes((op, place(dst), a, b))
            elif op == OPS.index("math"):
                code += bytes((op, place(dst), place(a), b))
            else:
                code += bytes((op, place(dst), place(a), place(b)))
        return bytes(code), tuple(self.constants), place
