"""Types of the extension module _native."""

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, SupportsIndex, TypeVar, overload

from typing_extensions import Buffer, Self, disjoint_base

_T = TypeVar("_T")

UNITS: dict[str, int]
DECLINES: dict[str, int]
FUNCTIONS: dict[str, int]
__test__: dict[str, Any]

def vector_unit() -> str: ...
def set_vector_unit(name: str) -> None: ...
def rounded(name: str, x: float) -> float: ...
def digest(numbers: array[float]) -> bytes: ...

@disjoint_base
class OneAtATime:
    def __call__(self, run: Callable[[], _T]) -> _T: ...
    def beside(self, run: Callable[[], _T]) -> _T: ...

@disjoint_base
class Matrix(Buffer):
    def __new__(
        cls, flat: memoryview[float] | array[float], n_rows: int, n_columns: int
    ) -> Self: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, at: SupportsIndex, /) -> memoryview[float]: ...
    @overload
    def __getitem__(self, at: slice | tuple[slice, slice], /) -> Matrix: ...
    @overload
    def __getitem__(
        self, at: tuple[SupportsIndex, slice] | tuple[slice, SupportsIndex], /
    ) -> memoryview[float]: ...
    @overload
    def __getitem__(self, at: tuple[SupportsIndex, SupportsIndex], /) -> float: ...
    @overload
    def __setitem__(
        self,
        at: SupportsIndex | tuple[SupportsIndex, slice] | tuple[slice, SupportsIndex],
        x: Iterable[float],
        /,
    ) -> None: ...
    @overload
    def __setitem__(
        self, at: slice | tuple[slice, slice], x: Iterable[Iterable[float]], /
    ) -> None: ...
    @overload
    def __setitem__(self, at: tuple[SupportsIndex, SupportsIndex], x: float, /) -> None: ...
    def __iter__(self) -> Iterator[memoryview[float]]: ...
    def tolist(self) -> list[list[float]]: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@disjoint_base
class NativeGPT:
    weights: memoryview[float]
    gradients: memoryview[float]
    first_moments: memoryview[float]
    second_moments: memoryview[float]
    num_params: int
    def __new__(
        cls,
        *,
        vocab_size: int,
        n_layer: int,
        n_embd: int,
        n_head: int,
        block_size: int,
        activation: str = ...,
        tie_weights: bool = ...,
    ) -> Self: ...
    def loss(self, docs: Sequence[Sequence[int]]) -> float: ...
    def backward(self, docs: Sequence[Sequence[int]]) -> float: ...
    def losses(self, docs: Sequence[Sequence[int]]) -> list[float]: ...
    def train(
        self,
        docs: Sequence[Sequence[int]],
        n: int,
        *,
        step: int,
        steps: int,
        lr: float,
        schedule: str = ...,
        warmup: int = ...,
        betas: tuple[float, float] = ...,
        eps: float = ...,
        weight_decay: float = ...,
        clip_norm: float | None = ...,
        batch_size: int = ...,
        threads: int = ...,
        cautious: bool = ...,
        losses: list[float],
        calls: Calls | None = ...,
        digests: bytearray | None = ...,
        briefly: bool = ...,
    ) -> int: ...
    def decoder(self, tokens: Iterable[int] = ...) -> Decoder: ...
    def watch(self, tokens: Sequence[int]) -> tuple[array[float], array[float]]: ...
    def sample(
        self,
        bos: int,
        random: Callable[[], float],
        temperature: float,
        calls: Calls | None = None,
        prompt: Iterable[int] = (),
        top_k: int | None = None,
    ) -> list[int]: ...

@disjoint_base
class Calls:
    def note(self, function: str, x: float, result: float) -> None: ...
    def note_draws(self, drawn: array[float]) -> None: ...
    def exceptions(self) -> dict[str, list[tuple[float, int]]]: ...
    def __len__(self) -> int: ...

@disjoint_base
class Decoder:
    def __new__(cls, model: NativeGPT, calls: Calls | None = None) -> Self: ...
    @property
    def logits(self) -> list[float]: ...
    @property
    def kept(self) -> list[int]: ...
    def append(self, token: int) -> None: ...
    def probabilities(self, temperature: float, top_k: int | None = None) -> list[float]: ...
    def draw(
        self, random: Callable[[], float], temperature: float, top_k: int | None = None
    ) -> int: ...

# What the classes above are made of: nobody else has a use for them.

@disjoint_base
class Memory: ...

@disjoint_base
class Numbers(Buffer):
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@disjoint_base
class Documents:
    def __new__(cls, docs: list[Sequence[int]], vocab_size: int, longest: int) -> Self: ...

def __reduce_cython__(self: object) -> NoReturn: ...
def __setstate_cython__(self: object, __pyx_state: object) -> NoReturn: ...
