"""Chooses who implements `Value`, `Adam` and the vector functions: C, or the pure-Python twins.

The environment variable ISOGRAD_BACKEND, read once at import, may say `c` or `python`. Without it
the extension is used where it was built. An extension that is there but does not load is an error,
never a reason to fall back. Nothing is computed here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = [
    "Adam",
    "Calls",
    "Matrix",
    "MicrogradValue",
    "NativeGPT",
    "OneAtATime",
    "Value",
    "backend",
    "call_network",
    "compiler",
    "digest",
    "know_network",
    "no_grad",
    "operation",
    "read_data",
    "read_one_by_one",
    "vector",
    "vector_unit",
]


def _choose() -> str:
    """Returns "c" or "python". Raises ImportError if what is asked for is not to be had."""
    wanted = os.environ.get("ISOGRAD_BACKEND", "")
    if wanted not in ("", "c", "python"):
        raise ImportError(f"ISOGRAD_BACKEND must be 'c' or 'python', not {wanted!r}")
    if wanted == "python":
        return "python"
    try:
        import_module("._core", __package__)
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}._core":
            raise
        if wanted == "c":
            raise ImportError(
                "ISOGRAD_BACKEND=c, but this isograd was installed without its C extension; "
                "reinstall it without ISOGRAD_PURE"
            ) from None
        return "python"
    return "c"


def read_one_by_one(params: Sequence[Any]) -> list[float]:
    """What `_core.read_data` does, for Values of the reference."""
    return [p.data for p in params]


backend = _choose()

# The twins have the same types, so the stubs of the compiled ones serve for both.
if TYPE_CHECKING or backend == "c":
    from . import _core as vector
    from ._core import (
        MicrogradValue,
        Value,
        call_network,
        compiler,
        know_network,
        no_grad,
        operation,
        read_data,
        vector_unit,
    )
    from ._native import Calls, Matrix, NativeGPT, OneAtATime, digest
    from .optim import Adam
else:
    from .reference import Adam, Value, no_grad, vector
    from .reference.micrograd import Value as MicrogradValue

    Calls = Matrix = NativeGPT = digest = None
    compiler = vector_unit = "none"
    read_data = read_one_by_one

    def know_network(neuron: type, layer: type) -> None:
        """Nothing is called as a whole here."""

    def operation(value: object) -> Any:
        """What `_core.operation` says of Values that are not its own."""
        return NotImplemented

    def call_network(of: object, x: object) -> Any:
        """What `_core.call_network` says to what is not for it."""
        return NotImplemented

    T = TypeVar("T")

    class OneAtATime:
        """What `_native.OneAtATime` is, as far as Python can hold off Ctrl-C."""

        taken = 0

        def __call__(self, run: Callable[[], T]) -> T:
            if self.taken:
                raise RuntimeError(
                    "this model is being trained; another run has to wait for its end"
                )
            self.taken = get_ident()
            try:
                return run()
            finally:
                self.taken = 0

        def beside(self, run: Callable[[], T]) -> T:
            """The same; during a call of this very thread, what `run()` returns."""
            return run() if self.taken == get_ident() else self(run)

        def __reduce__(self) -> tuple[Any, ...]:
            return OneAtATime, ()
