"""The tiers that build graphs, and the types of models of all four.

A model's type says what its loss is: `GPT[float]` is a model of tier native, `GPT[Value]` one of
fused or value, `GPT[reference.Value]` one of reference, and `GPT` one of any tier.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

from . import reference
from ._backend import Adam, Value, read_data, read_one_by_one, vector

if TYPE_CHECKING:
    import typing_extensions

    AnyLoss: TypeAlias = float | Value | reference.Value
    Loss = typing_extensions.TypeVar("Loss", default=AnyLoss, covariant=True)
else:
    Loss = TypeVar("Loss", covariant=True)  # no default before Python 3.13

Compiled: TypeAlias = Literal["fused", "value"]


class GraphTier(NamedTuple):
    """What a tier that builds graphs computes with: scalar class, vector functions, optimizer.

    `read_data(tuple of scalars)` reads the numbers in them, as quickly as the tier can.
    """

    scalar: Callable[..., Any]
    vector: Any
    adam: Callable[..., reference.Adam]
    read_data: Callable[[tuple[Any, ...]], array[float] | list[float]]


GRAPH_TIERS = {
    "fused": GraphTier(Value, vector, Adam, read_data),
    "value": GraphTier(Value, reference.vector, reference.Adam, read_data),
    "reference": GraphTier(reference.Value, reference.vector, reference.Adam, read_one_by_one),
}
