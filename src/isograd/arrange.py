"""Flat numbers as what users hold, and back: matrices by name, vectors by name, attention by head.

Nothing is computed here. Views are of the numbers that they are given, or of new memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import reference
from ._backend import Value
from .reference import questions
from .reference.checks import number

if TYPE_CHECKING:
    from .model import GPTConfig


def matrix_parts(
    config: GPTConfig, numbers: memoryview[float]
) -> Iterator[tuple[str, memoryview[float], tuple[int, int]]]:
    """Name, part of `numbers` and shape of every weight matrix, in the order of `state_dict`."""
    start = 0
    for name, n_out, n_in in reference.weight_shapes(config):
        end = start + n_out * n_in
        yield name, numbers[start:end], (n_out, n_in)
        start = end


def matrices(config: GPTConfig, numbers: array[float]) -> dict[str, memoryview[float]]:
    """`numbers`, one for each weight in the order of `state_dict`, as views by name and shape."""
    parts = matrix_parts(config, memoryview(numbers))
    return {name: part.cast("B").cast("d", shape) for name, part, shape in parts}


def numbers_of(config: GPTConfig, weights: Mapping[str, Any]) -> list[float]:
    """All numbers in `weights`, in order. Raises what `load_state_dict` does."""
    if not isinstance(weights, Mapping):
        raise TypeError(f"weights must be a mapping from names, not {type(weights).__name__!r}")
    shapes = reference.weight_shapes(config)
    for name in weights:
        if name not in {shape[0] for shape in shapes}:
            raise ValueError(f"the model has no weights named {name!r}")
    numbers: list[float] = []
    for name, n_out, n_in in shapes:
        if name not in weights:
            raise ValueError(f"weights must have all names of the model; {name!r} is missing")
        for row in _rows_of_numbers(weights[name], name, n_out, n_in):
            numbers += row
    return numbers


def _rows_of_numbers(matrix: Any, name: str, n_out: int, n_in: int) -> list[list[float]]:
    expected = f"{name} must be {n_out} rows of {n_in} numbers"
    if hasattr(matrix, "tolist"):  # arrays and memoryviews
        matrix = matrix.tolist()
    try:
        rows = [[_plain_number(x) for x in row] for row in matrix]
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{expected}: {error}") from None
    if len(rows) != n_out:
        raise ValueError(f"{expected}, not {len(rows)} rows")
    for i, row in enumerate(rows):
        if len(row) != n_in:
            raise ValueError(f"{expected}, but row {i} has {len(row)}")
    return rows


def _plain_number(x: Any) -> float:
    plain: float = x.data if isinstance(x, (Value, reference.Value)) else number(x)
    float(plain)  # or OverflowError
    return plain


def vectors(config: GPTConfig, n: int, numbers: array[float]) -> dict[str, memoryview[float]]:
    """`numbers`, all vectors of one of `n` positions after the other, as a matrix for each name."""
    sizes = questions.vector_sizes(config)
    columns = {name: (size, array("d", bytes(8 * n * size))) for name, size in sizes}
    start, source = 0, memoryview(numbers)
    for t in range(n):
        for size, column in columns.values():
            memoryview(column)[t * size : (t + 1) * size] = source[start : start + size]
            start += size
    return {name: shaped(column, n, size) for name, (size, column) in columns.items()}


def attention(config: GPTConfig, n: int, numbers: array[float]) -> memoryview[float]:
    """`numbers`, which are weights of positions so far, of the heads of one position after the
    other, as n_layer x n_head x `n` x `n` with 0.0 for positions to come."""
    n_heads = config.n_layer * config.n_head
    square = array("d", bytes(8 * n_heads * n * n))
    start, source, target = 0, memoryview(numbers), memoryview(square)
    for t in range(n):
        for head in range(n_heads):
            at = (head * n + t) * n
            target[at : at + t + 1] = source[start : start + t + 1]
            start += t + 1
    return shaped(square, config.n_layer, config.n_head, n, n)


def shaped(numbers: array[float], *shape: int) -> memoryview[float]:
    return memoryview(numbers).cast("B").cast("d", shape)
