"""isograd: microgpt's scalar autograd, compiled, without changing one bit of what it computes."""

from . import _start as _start  # before what takes long to load

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import reference
from ._backend import Adam, Value, backend, no_grad, vector
from .model import GPT, GPTConfig
from .text import CharTokenizer, hold_out, load_docs
from .training import Evaluation, TrainingState, evaluate, sample, train

if TYPE_CHECKING:
    from .checkpoint import Checkpoint, docs_sha256, load_checkpoint, save_checkpoint
    from .drawing import draw, operation
    from .explain import Explanation, explain
    from .sweep import sweep

__version__ = "0.1.0"

add = vector.add
attention = vector.attention
cross_entropy = vector.cross_entropy
embedding = vector.embedding
linear = vector.linear
relu = vector.relu
rmsnorm = vector.rmsnorm
softmax = vector.softmax

__all__ = [
    "GPT",
    "Adam",
    "CharTokenizer",
    "Checkpoint",
    "Evaluation",
    "Explanation",
    "GPTConfig",
    "TrainingState",
    "Value",
    "add",
    "attention",
    "backend",
    "cross_entropy",
    "docs_sha256",
    "draw",
    "embedding",
    "evaluate",
    "explain",
    "hold_out",
    "linear",
    "load_checkpoint",
    "load_docs",
    "no_grad",
    "operation",
    "relu",
    "rmsnorm",
    "sample",
    "save_checkpoint",
    "softmax",
    "sweep",
    "train",
]


LATER = {
    **dict.fromkeys(
        ("Checkpoint", "docs_sha256", "load_checkpoint", "save_checkpoint"), "checkpoint"
    ),
    **dict.fromkeys(("draw", "operation"), "drawing"),
    "Explanation": "explain",
}


def __getattr__(name: str) -> Any:
    """Imports some modules when someone first asks for them: that of checkpoints takes 10 ms."""
    if name in ("explain", "sweep"):  # the package itself can be called
        return import_module(f".{name}", __name__)
    if name in LATER:
        return getattr(import_module(f".{LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _repr_html_(self: Any) -> str:
    from .drawing import value_html

    return value_html(self)


# The compiled classes have it; the reference knows nothing of pictures.
for _pure in (reference.Value, reference.micrograd.Value):
    setattr(_pure, "_repr_html_", _repr_html_)  # noqa: B010  # mypy wants the name declared
