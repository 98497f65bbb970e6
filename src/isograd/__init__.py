"""isograd: microgpt's scalar autograd, compiled, without changing one bit of what it computes."""

from ._backend import Adam, Value, backend, ops
from .model import GPT, GPTConfig
from .text import CharTokenizer, load_docs
from .training import Evaluation, TrainingState, evaluate, sample, train

__version__ = "0.1.0"

add = ops.add
attention = ops.attention
cross_entropy = ops.cross_entropy
linear = ops.linear
relu = ops.relu
rmsnorm = ops.rmsnorm
softmax = ops.softmax

__all__ = [
    "GPT",
    "Adam",
    "CharTokenizer",
    "Evaluation",
    "GPTConfig",
    "TrainingState",
    "Value",
    "add",
    "attention",
    "backend",
    "cross_entropy",
    "evaluate",
    "linear",
    "load_docs",
    "relu",
    "rmsnorm",
    "sample",
    "softmax",
    "train",
]
