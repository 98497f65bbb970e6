"""The loops over the parameters: Adam's update of each, and the reset of their gradients.

A call of ours around the loop's iterable does the work for all parameters but the last: the loop
that is left to run is short, and leaves its variables as they would be.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from . import known
from .facts import Facts
from .moments import use_arrays
from .patterns import Captured, Pattern, text
from .plan import Different, Finding, compiled, left_alone
from .rewriting import call, lazily, moved
from .safety import another_class_has_operators
from .value_class import ScriptClass

# The statements of programs.adam, by what they assign; the last one may be missing.
STATEMENTS = ("m", "v", "m_hat", "v_hat", "data", "zero")
# What must come before what.
ORDER = [
    ("m", "m_hat"),
    ("v", "v_hat"),
    ("m_hat", "data"),
    ("v_hat", "data"),
    ("m", "zero"),
    ("v", "zero"),
]


def look_at_loop(loop: ast.For, script: Facts, klass: ScriptClass) -> Finding | None:
    """Lets ours do the work of a loop; None if that is neither Adam's nor one that resets grads."""
    if script.runs_in_class_body(loop):
        return None
    if is_zeroing(loop):
        loop.iter = call("zero", [loop.iter], loop.iter)
        return compiled(loop, "zeroing loop")
    if not any(map(is_update, loop.body)):
        return None
    try:
        if another_class_has_operators(script, klass):
            raise Different("another class has operators")
        adam = read_adam(loop)
    except Different as difference:
        return left_alone(loop, "Adam loop", str(difference))
    parts = [moved(adam.captured[name], loop.iter) for name in adam.pattern.parameters]
    values = lazily([*parts, ast.Constant(adam.resets)])
    are_arrays = use_arrays(adam.captured, loop, script)
    loop.iter = call("adam", [loop.iter, values], loop.iter)
    return compiled(loop, "Adam loop", "" if are_arrays else "its moments stay lists")


def is_zeroing(loop: ast.For) -> bool:
    (pattern,) = known.patterns("zeroing")
    captured: Captured = {}
    fits = pattern.match(pattern.loop, loop, captured)
    return fits and text(captured["p"]) != text(captured["params"])


def is_update(statement: ast.stmt) -> bool:
    """Whether it is `something.data -= ..` or another assignment of data."""
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return isinstance(targets[0], ast.Attribute) and targets[0].attr == "data"


# ---- Adam ----


@dataclass
class Adam:
    """Adam's loop in the script: what stands for which name of the pattern."""

    pattern: Pattern
    captured: Captured
    resets: bool  # the gradients, too


def read_adam(loop: ast.For) -> Adam:
    """Raises Different where it is not the loop that we know."""
    (pattern,) = known.patterns("adam")
    captured: Captured = {}
    read_header(loop, pattern, captured)
    found = read_statements(loop, pattern, captured)
    check_names(pattern, captured)
    return Adam(pattern, captured, "zero" in found)


def read_header(loop: ast.For, pattern: Pattern, captured: Captured) -> None:
    for ours, part in [(pattern.loop.target, loop.target), (pattern.loop.iter, loop.iter)]:
        if not pattern.match(ours, part, captured):
            raise Different("it does not run over enumerate() of a name")


def read_statements(loop: ast.For, pattern: Pattern, captured: Captured) -> list[str]:
    """What the statements of the loop assign, each as one of STATEMENTS."""
    found: list[str] = []
    for statement in loop.body:
        kind = kind_of(statement, pattern, captured)
        if kind is None or kind in found:
            raise Different(f"line {statement.lineno} is not in ours")
        found.append(kind)
    for kind in STATEMENTS[:-1]:
        if kind not in found:
            raise Different(f"nothing in it is the line for {kind}")
    for first, second in ORDER:
        if second in found and found.index(first) > found.index(second):
            raise Different(f"{second} comes before {first}")
    return found


def kind_of(statement: ast.stmt, pattern: Pattern, captured: Captured) -> str | None:
    """Which of STATEMENTS it is, if any; adds to `captured` only then."""
    for kind, ours in zip(STATEMENTS, pattern.loop.body):
        for spelling in spellings(ours):
            attempt = dict(captured)
            if pattern.match(spelling, statement, attempt):
                captured.update(attempt)
                return kind
    return None


def spellings(statement: ast.stmt) -> list[ast.stmt]:
    """The statement, and `x = x - y` for `x -= y`."""
    match statement:
        case ast.AugAssign(target=ast.Attribute(value, attr) as target, op=op, value=change):
            now = ast.Attribute(value, attr, ast.Load())
            return [statement, ast.Assign([target], ast.BinOp(now, op, change))]
    return [statement]


def check_names(pattern: Pattern, captured: Captured) -> None:
    """Raises Different where the loop changes what it reads as a constant."""
    own = pattern.names(captured)
    if len(set(own)) != len(own):
        raise Different("one name stands for two things")
    for expression in pattern.expressions(captured):
        for part in ast.walk(expression):
            if isinstance(part, ast.Name) and part.id in own:
                raise Different(f"{part.id} changes in the loop")
