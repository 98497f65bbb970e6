"""Training a model and sampling from it: the checks, then the tier's own loop."""

import math
from collections.abc import Callable, Sequence
from random import Random

from . import reference
from ._backend import Value, no_grad
from .model import GPT, TIERS, check_tokens
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
    where training diverges, as the reference does. Then, and on Ctrl-C, the weights are those of
    the last completed step. Gradients are reset to 0 before the first step and after the last.
    """
    check_training(steps, lr)
    if not docs:
        raise ValueError("there are no documents to train on")
    for i, doc in enumerate(docs[:steps]):
        check_tokens(doc, model.config.vocab_size, f"document {i}")
    losses: list[float] = []
    params = model.parameters()
    _reset_gradients(params)
    completed = [p.data for p in params]
    weights, tier = model.state_dict(), TIERS[model.tier]
    try:
        for loss in reference.training_steps(
            weights, model.config, docs, steps, lr, tier.ops, tier.adam
        ):
            completed = [p.data for p in params]
            losses.append(loss)
            if callback:
                callback(len(losses), loss)
    except BaseException:
        for p, data in zip(params, completed):
            p.data = data
        _reset_gradients(params)
        raise
    return losses


def _reset_gradients(params: list[Value]) -> None:
    for p in params:
        p.grad = 0


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
    weights, ops = model.state_dict(), TIERS[model.tier].ops
    with no_grad():
        ids = reference.sample_tokens(weights, model.config, tokenizer.bos, rng, temperature, ops)
    return tokenizer.decode(ids)


def check_training(steps: int, lr: float) -> None:
    """ValueError unless a run of `steps` at learning rate `lr` can be asked for."""
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
        raise ValueError(f"steps must be a whole number from 0 on, not {steps!r}")
    if not (_is_finite(lr) and lr >= 0):
        raise ValueError(f"lr must be a finite number from 0 on, not {lr!r}")


def check_temperature(temperature: float) -> None:
    """ValueError unless logits can be divided by `temperature`."""
    if not (_is_finite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be a finite number above 0, not {temperature!r}")


def _is_finite(x: float) -> bool:
    try:
        return math.isfinite(x)
    except (OverflowError, TypeError):
        return False
