"""isograd: microgpt's scalar autograd, compiled, without changing one bit of what it computes."""

from ._backend import Adam, Value, backend
from .model import GPT, GPTConfig
from .text import CharTokenizer, load_docs
from .training import sample, train

__version__ = "0.1.0"

__all__ = [
    "GPT",
    "Adam",
    "CharTokenizer",
    "GPTConfig",
    "Value",
    "backend",
    "load_docs",
    "sample",
    "train",
]
