"""The methods of the script's class: which of them are ours, and which a program computes.

A method is ours if it makes the same node (ADD and its like below) or has the same text as ours; a
program computes every other one that makes a node of numbers. The rest stays the script's own.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .arithmetic import MINUS_ONE, ONE, Expression, Program, Unknown, constant, is_bool, operation
from .derive import Derived, exchanged
from .shape import Shape

X, Y, N = ("data", 0), ("data", 1), ("number", 0)
FLOAT_ONE = constant(1.0)


@dataclass(frozen=True)
class Kernel:
    """What script_kernel.h needs besides the method."""

    code: bytes
    constants: tuple[object, ...]
    layout: tuple[int, int, int, tuple[int, int]]

    @property
    def n_children(self) -> int:
        return self.layout[0]


def math(name: str) -> Expression:
    return ("math", name, X)


POWER = (operation("**", X, N), (operation("*", N, operation("**", X, ("-", N, ONE))),))
OURS: dict[str, list[tuple[Expression, tuple[Expression, ...]]]] = {
    "__add__": [(operation("+", X, Y), (ONE, ONE)), (operation("+", X, Y), (FLOAT_ONE, FLOAT_ONE))],
    "__mul__": [(operation("*", X, Y), (Y, X))],
    "__pow__": [POWER],
    "exp": [(math("exp"), (math("exp"),))],
    "log": [(math("log"), (("/", one, X),)) for one in (ONE, FLOAT_ONE)],
    "relu": [
        (data, (local,))
        for data in (
            ("max", constant(0), X),
            ("if", (">", X, constant(0)), X, constant(0)),
            ("if", ("<", constant(0), X), X, constant(0)),
        )
        for local in (
            ("float", (">", X, constant(0))),
            ("if", (">", X, constant(0)), FLOAT_ONE, constant(0.0)),
        )
    ],
}
OPERANDS = {"__add__": (2, 0), "__mul__": (2, 0), "__pow__": (1, 1)}


def is_ours(name: str, derived: Derived, shape: Shape) -> tuple[bool, bool]:
    """Whether the method is ours, and whether it is a sum with floats as derivatives."""
    made = derived.made
    data = made.data[1] if shape.float_data else made.data
    known = name in OURS and (derived.n_children, derived.n_numbers) == OPERANDS.get(name, (1, 0))
    for ours in OURS[name] if known else ():
        for one in (constant(0), constant(0.0)) if shape.float_data else (constant(0),):
            same = ours[0] == exchanged(as_expression(data), {one: constant(0)})
            if same and list(ours[1]) == without_result(made.locals, shape):
                return True, ours[1] == (FLOAT_ONE, FLOAT_ONE)
    return False, False


def as_expression(data: object) -> Expression:
    assert isinstance(data, tuple)
    return data


def without_result(local_grads: list[Expression] | None, shape: Shape) -> list[Expression]:
    """Local gradients, which may be the result's data: a float that becomes no other by float()."""
    assert local_grads is not None
    if not shape.float_data:
        return local_grads
    return [
        local[1] if local[0] == "float" and local[1] == math("exp") else local
        for local in local_grads
    ]


def compile_kernel(derived: Derived, has_closures: bool) -> Kernel:
    """Raises Unknown where C could not hold what the method makes."""
    made = derived.made
    assert made.locals is not None
    if is_bool(made.data):
        raise Unknown(ast.Pass(), "makes a result that is true or false")
    if not has_closures and any(map(is_bool, made.locals)):
        raise Unknown(ast.Pass(), "makes a derivative that is true or false")
    inputs: list[Expression] = [("data", i) for i in range(derived.n_children)]
    inputs += [("number", i) for i in range(derived.n_numbers)]
    program = Program(inputs)
    data = program.add(made.data)
    local_grads = [program.add(local) for local in made.locals]
    code, constants, place = program.finished()
    first, second = [place(register) for register in [*local_grads, local_grads[0]][:2]]
    layout = (derived.n_children, derived.n_numbers, place(data), (first, second))
    return Kernel(code, constants, layout)


__all__ = ["MINUS_ONE", "Kernel", "compile_kernel", "is_ours"]
