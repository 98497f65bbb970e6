"""Flat numbers as what users hold: matrices by name, vectors by name, attention by head.

Nothing is computed here. All views are of memory that nobody else writes to, unless it says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import reference
from .reference import questions

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
