"""The specification of isograd, in pure Python: what every other tier must equal, bit for bit.

Read it in this order: `value` (the scalar autograd), `vector` (vectors of scalars), `gpt` (the
model), `train` (Adam, a step, sampling), `questions` (what a model can be asked). `micrograd` is a
class of its own, with its networks. `checks` says what they accept. Nothing in here knows about the
rest of the package.
"""

from . import micrograd as micrograd
from . import questions as questions
from .gpt import batch_loss, document_loss, empty_cache, forward, init_weights, weight_shapes
from .train import Adam, batch, learning_rate, sample_tokens, training_step
from .value import Value, no_grad
from .vector import add, attention, cross_entropy, dot, embedding, linear, relu, rmsnorm, softmax

__all__ = [
    "Adam", "Value", "add", "attention", "batch", "batch_loss", "cross_entropy", "document_loss",
    "dot", "embedding", "empty_cache", "forward", "init_weights", "learning_rate", "linear",
    "no_grad", "relu", "rmsnorm", "sample_tokens", "softmax", "training_step", "weight_shapes",
]  # fmt: skip
