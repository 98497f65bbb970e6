"""The loops over the parameters: Adam's update of each, and the reset of their gradients.

A call of ours around the loop's iterable does the work for all parameters but the last: the loop
that is left to run is short, and leaves its variables as they would be.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from . import known
from .arithmetic import Unknown
from .facts import Facts, name_of
from .moments import use_arrays
from .patterns import Captured, Pattern, text
from .plan import Different, Finding, compiled, left_alone
from .rewriting import call, insert_before, lazily, moved, name_of_ours
from .safety import another_class_has_operators
from .shape import Shape
from .updates import Update, read_header, read_update
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
    """Lets ours do the work of a loop; None if it is none over parameters."""
    shape = klass.shape
    if script.runs_in_class_body(loop) or not mentions_numbers(loop, shape):
        return None
    plain = (shape.data, shape.grad) == ("data", "grad") and not shape.float_grad
    if plain and is_zeroing(loop):
        loop.iter = call("zero", [loop.iter], loop.iter)
        return compiled(loop, "zeroing loop")
    what = "Adam loop" if any(map(is_update, loop.body)) else "loop over parameters"
    if another_class_has_operators(script, klass):
        return left_alone(loop, what, "another class has operators")
    if what == "Adam loop" and plain:
        try:
            return replace_adam(loop, read_adam(loop), script)
        except Different as difference:
            why = str(difference)
    else:
        why = ""
    try:
        return replace_update(loop, read_update(loop, script, klass), script, klass)
    except Unknown as unknown:
        why = str(unknown) if not why or "is none that we know" not in str(unknown) else why
    return left_alone(loop, what, why) if any(is_store(p, loop, shape) for p in loop.body) else None


def mentions_numbers(loop: ast.For, shape: Shape) -> bool:
    """Whether something in it is data or grad of something."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in (shape.data, shape.grad)
        for statement in loop.body
        for node in ast.walk(statement)
    )


def is_store(statement: ast.stmt, loop: ast.For, shape: Shape) -> bool:
    """Whether it assigns data or grad of what the loop runs over."""
    header = read_header(loop)
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    match targets[0]:
        case ast.Attribute(value=owner, attr=attr) if header and attr in (shape.data, shape.grad):
            return (name_of(owner) or "?") == header.value or header.kind == "range"
    return False


def replace_adam(loop: ast.For, adam: Adam, script: Facts) -> Finding:
    parts = [moved(adam.captured[name], loop.iter) for name in adam.pattern.parameters]
    values = lazily([*parts, ast.Constant(adam.resets)])
    are_arrays = use_arrays(adam.captured, loop, script)
    loop.iter = call("adam", [loop.iter, values], loop.iter)
    return compiled(loop, "Adam loop", "" if are_arrays else "its moments stay lists")


def replace_update(loop: ast.For, update: Update, script: Facts, klass: ScriptClass) -> Finding:
    """A call of ours that does all turns but the last before the loop, or around its iterable."""
    kind = f"loop {len(klass.loops)}"
    klass.loops.append((update.header.kind, update.parts))
    vectors = [moved(vector, loop.iter) for vector in update.vectors]
    carried: list[ast.expr] = [ast.Name(name, ast.Load()) for name in update.carried]
    invariants = [moved(node, loop.iter) for node in update.invariants]
    params = [moved(update.header.params, loop.iter)] if update.header.kind == "range" else []
    groups: list[ast.expr] = [ast.Tuple(group, ast.Load()) for group in (vectors, invariants)]
    over = loop.iter
    if update.header.kind == "enumerate":
        over = update.header.params
    made = call(kind, [over, lazily([*params, *groups]), *carried], loop.iter)
    if update.carried:
        turns = ast.Name(name_of_ours("turns"), ast.Load())
        targets: list[ast.expr] = [ast.Name(name_of_ours("turns"), ast.Store())]
        targets += [ast.Name(name, ast.Store()) for name in update.carried]
        first = ast.Assign([ast.Tuple(targets, ast.Store())], made)
        ast.fix_missing_locations(ast.copy_location(first, loop))
        insert_before(loop, first, script.parents[loop])
        loop.iter = ast.copy_location(turns, loop.iter)
    else:
        loop.iter = made
    return compiled(loop, "loop over parameters")


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
    read_adam_header(loop, pattern, captured)
    found = read_statements(loop, pattern, captured)
    check_names(pattern, captured)
    return Adam(pattern, captured, "zero" in found)


def read_adam_header(loop: ast.For, pattern: Pattern, captured: Captured) -> None:
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
