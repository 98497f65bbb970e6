"""isograd: microgpt's scalar autograd, compiled, without changing one bit of what it computes."""

from ._backend import Adam, Value, backend, no_grad, ops
from .model import GPT, GPTConfig
from .text import CharTokenizer, load_docs
from .training import sample, train

__version__ = "0.1.0"

add = ops.add
attention = ops.attention
cross_entropy = ops.cross_entropy
embedding = ops.embedding
linear = ops.linear
relu = ops.relu
rmsnorm = ops.rmsnorm
softmax = ops.softmax

__all__ = [
    "GPT",
    "Adam",
    "CharTokenizer",
    "GPTConfig",
    "Value",
    "add",
    "attention",
    "backend",
    "cross_entropy",
    "embedding",
    "linear",
    "load_docs",
    "no_grad",
    "relu",
    "rmsnorm",
    "sample",
    "softmax",
    "train",
]
