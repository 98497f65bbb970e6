"""isograd: microgpt's scalar autograd, compiled, without changing one bit of what it computes."""

from . import _start as _start  # before what takes long to load

# isort: split
from typing import TYPE_CHECKING, Any

from ._backend import Adam, Value, backend, no_grad, vector
from .model import GPT, GPTConfig
from .text import CharTokenizer, load_docs
from .training import Evaluation, TrainingState, evaluate, sample, train

if TYPE_CHECKING:
    from .checkpoint import Checkpoint, docs_sha256, load_checkpoint, save_checkpoint
    from .explain import Explanation, explain

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
    "embedding",
    "evaluate",
    "explain",
    "linear",
    "load_checkpoint",
    "load_docs",
    "no_grad",
    "relu",
    "rmsnorm",
    "sample",
    "save_checkpoint",
    "softmax",
    "train",
]


def __getattr__(name: str) -> Any:
    """Imports what few programs use when someone first asks for it: that takes 10 ms."""
    if name in ("Checkpoint", "docs_sha256", "load_checkpoint", "save_checkpoint"):
        from . import checkpoint

        return getattr(checkpoint, name)
    if name in ("Explanation", "explain"):
        from importlib import import_module

        explain = import_module(".explain", __name__)
        return explain if name == "explain" else explain.Explanation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
