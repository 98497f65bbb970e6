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
from .plan import Finding, compiled, left_alone
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
    adam = read_adam(loop) if plain else None
    what = "Adam loop" if adam else "loop over parameters"
    if another_class_has_operators(script, klass):
        return left_alone(loop, what, "another class has operators")
    if adam:
        return replace_adam(loop, adam, script)
    try:
        return replace_update(loop, read_update(loop, script, klass), script, klass)
    except Unknown as unknown:
        why = str(unknown)
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
    own = {name_of(part) for part in ast.walk(loop.target)} - {""}
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    match targets[0]:
        case ast.Attribute(value=owner, attr=attr) if attr in (shape.data, shape.grad):
            return name_of(owner) in own or (header is not None and header.kind == "range")
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


# ---- Adam ----


@dataclass
class Adam:
    """Adam's loop in the script: what stands for which name of the pattern."""

    pattern: Pattern
    captured: Captured
    resets: bool  # the gradients, too


def read_adam(loop: ast.For) -> Adam | None:
    """None where it is not the loop that we know."""
    (pattern,) = known.patterns("adam")
    captured: Captured = {}
    for ours, part in [(pattern.loop.target, loop.target), (pattern.loop.iter, loop.iter)]:
        if not pattern.match(ours, part, captured):
            return None
    found = [kind_of(statement, pattern, captured) for statement in loop.body]
    if not is_whole(found) or not are_steady(pattern, captured):
        return None
    return Adam(pattern, captured, "zero" in found)


def is_whole(found: list[str | None]) -> bool:
    """Whether these of STATEMENTS are the loop's, in an order that changes nothing."""
    if None in found or len({*found}) != len(found) or not {*found} >= {*STATEMENTS[:-1]}:
        return False
    return not any(b in found and found.index(a) > found.index(b) for a, b in ORDER)


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


def are_steady(pattern: Pattern, captured: Captured) -> bool:
    """Whether the loop changes nothing that it reads as a constant."""
    own = pattern.names(captured)
    parts = [part for whole in pattern.expressions(captured) for part in ast.walk(whole)]
    return len({*own}) == len(own) and not any(name_of(part) in own for part in parts)
