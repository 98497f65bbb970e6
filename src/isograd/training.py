"""Training a model and sampling from it: the checks, then the tier's own loop."""

import math
from collections.abc import Callable, Sequence
from random import Random

from . import reference
from .model import GPT
from .text import CharTokenizer


def train(
    model: GPT,
    docs: Sequence[Sequence[int]],
    steps: int = 1000,
    lr: float = 0.01,
    callback: Callable[[int, float], object] | None = None,
) -> list[float]:
    """Train `model` on one of `docs` (token lists) a step, in order and round again; the losses.

    Adam with betas (0.85, 0.99) and eps 1e-8; the learning rate falls linearly from `lr` to 0 over
    `steps`. `callback(step, loss)` is called after every step, counted from 1. Documents are cut
    off after `block_size` predictions.

    Raises ValueError for documents, tokens, steps or a learning rate that cannot be used, before
    anything is changed; OverflowError, ZeroDivisionError or ValueError from Python's arithmetic
    where training diverges, as the reference does. Ctrl-C leaves the weights as the last completed
    step left them.
    """
    check_training(steps, lr)
    _check_docs(docs, steps, model.config.vocab_size)
    losses = []
    weights = model.state_dict()
    for loss in reference.training_steps(weights, model.config, docs, steps, lr):
        losses.append(loss)
        if callback:
            callback(len(losses), loss)
    return losses


def sample(model: GPT, tokenizer: CharTokenizer, *, rng: Random, temperature: float = 0.5) -> str:
    """Draw one document from `model`, character by character, with `rng.choices`.

    The logits are divided by `temperature`: towards 0 the likeliest character always wins, above 1
    the choice becomes more even. Raises ValueError for a temperature that is not a finite number
    above 0, or a tokenizer of another size than the model's.
    """
    check_temperature(temperature)
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}"
        )
    weights = model.state_dict()
    ids = reference.sample_tokens(weights, model.config, tokenizer.bos, rng, temperature)
    return tokenizer.decode(ids)


def check_training(steps: int, lr: float) -> None:
    """ValueError unless a run of `steps` at learning rate `lr` can be asked for."""
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps must be a whole number from 0 on, not {steps!r}")
    if not (math.isfinite(lr) and lr >= 0):
        raise ValueError(f"lr must be a finite number from 0 on, not {lr!r}")


def check_temperature(temperature: float) -> None:
    """ValueError unless logits can be divided by `temperature`."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be a finite number above 0, not {temperature!r}")


def _check_docs(docs: Sequence[Sequence[int]], steps: int, vocab_size: int) -> None:
    if not docs:
        raise ValueError("there are no documents to train on")
    for i, doc in enumerate(docs[:steps]):
        if len(doc) < 2:
            raise ValueError(f"document {i} has {len(doc)} tokens; the least to learn from is 2")
        for token in doc:
            if not 0 <= token < vocab_size:
                raise ValueError(
                    f"document {i} holds the token {token!r}; the model has 0 to {vocab_size - 1}"
                )
