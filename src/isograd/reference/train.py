"""Training and sampling: Adam, one batch of documents a step, and the draw of one document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from random import Random
from typing import Any

from . import vector
from .checks import check_adam, check_adam_state
from .gpt import Docs, Tokens, Weights, batch_loss, empty_cache, forward
from .vector import Scalar, Vector


class Adam:
    """Adam (Kingma and Ba 2015) with bias correction, over the Values `params`.

    `m` and `v` are running means of every gradient and of its square. The original program's update
    and defaults. With `weight_decay`, AdamW (Loshchilov and Hutter 2019): each step also takes
    lr * weight_decay of every parameter away. With `clip_norm`, gradients that are longer, taken
    as one vector, are scaled down to that length first (Pascanu et al. 2013). Raises ValueError
    for no params, betas outside [0, 1), a negative eps or weight_decay, a clip_norm not above 0.
    """

    def __init__(
        self,
        params: Iterable[Scalar],
        lr: float = 0.01,
        betas: tuple[float, float] = (0.85, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        self.params = tuple(params)
        check_adam(self.params, betas, eps, weight_decay, clip_norm)
        self.lr = lr
        self.betas = tuple(betas)
        self.eps = eps
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.steps = 0
        self.m: MutableSequence[float] = [0.0] * len(self.params)
        self.v: MutableSequence[float] = [0.0] * len(self.params)

    def step(self, lr: float | None = None) -> None:
        """Move every parameter against its gradient, at rate `lr` or else `self.lr`."""
        self.steps += 1
        lr = self.lr if lr is None else lr
        if self.clip_norm is not None:
            self.clip_gradients(self.clip_norm)
        if self.weight_decay:
            self.decay_weights(1 - lr * self.weight_decay)
        beta1, beta2 = self.betas
        self.update(lr, 1 - beta1**self.steps, 1 - beta2**self.steps)

    def update(self, lr: float, correction1: float, correction2: float) -> None:
        """Update the means, and by them the parameters.

        Why the corrections: the means start at 0, so at first they are too small, by the factor
        1 - beta**steps. Why the root of v: it is a gradient's usual size, so small gradients and
        large ones alike move their weights by about lr. `eps` keeps the division away from 0.
        """
        m, v, eps = self.m, self.v, self.eps
        beta1, beta2 = self.betas
        rest1, rest2 = 1 - beta1, 1 - beta2
        for i, p in enumerate(self.params):
            grad = p.grad
            m[i] = moment1 = beta1 * m[i] + rest1 * grad
            v[i] = moment2 = beta2 * v[i] + rest2 * grad**2
            m_hat, v_hat = moment1 / correction1, moment2 / correction2
            p.data -= lr * m_hat / (v_hat**0.5 + eps)

    def clip_gradients(self, norm: float) -> None:
        """Scale all gradients by one factor, if together they are longer than `norm`."""
        total = 0.0
        for p in self.params:
            total += p.grad * p.grad
        length = math.sqrt(total)
        if length > norm:
            scale = norm / length
            for p in self.params:
                p.grad *= scale

    def decay_weights(self, rest: float) -> None:
        """Leave `rest` of every parameter."""
        for p in self.params:
            p.data *= rest

    def zero_grad(self) -> None:
        """Reset every parameter's gradient to 0: `backward` adds to what is there."""
        for p in self.params:
            p.grad = 0

    def state_dict(self) -> dict[str, Any]:
        """The number of steps and the moments, as plain lists: copies, ready to be saved."""
        return {"steps": self.steps, "m": list(self.m), "v": list(self.v)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError if it does not fit."""
        check_adam_state(state, len(self.params))
        self.steps = state["steps"]
        for i in range(len(self.params)):
            self.m[i], self.v[i] = float(state["m"][i]), float(state["v"][i])


def batch(docs: Docs, step: int, batch_size: int) -> list[Tokens]:
    """The documents of the step `step`, counted from 0: the next ones, in order and round again."""
    return [docs[(step * batch_size + b) % len(docs)] for b in range(batch_size)]


def learning_rate(
    step: int, steps: int, lr: float, schedule: str = "linear", warmup: int = 0
) -> float:
    """The rate in the step `step` of `steps`, counted from 0.

    It rises linearly to `lr` in the first `warmup` steps. Then it falls to 0, on a line ("linear")
    or on half a wave ("cosine", Loshchilov and Hutter 2017), or stays ("constant").
    """
    if step < warmup:
        return lr * ((step + 1) / warmup)
    if schedule == "constant":
        return lr
    done = (step - warmup) / (steps - warmup)
    if schedule == "cosine":
        return lr * (0.5 * (1 + math.cos(math.pi * done)))
    return lr * (1 - done)


def training_step(
    weights: Weights, config: Any, docs: Docs, optimizer: Adam, lr: float, vector: Any = vector
) -> float:
    """Learn from a batch of documents; their loss, a float. The graph ends with the step."""
    loss = batch_loss(weights, config, docs, vector)
    loss.backward()
    optimizer.step(lr)
    optimizer.zero_grad()
    return loss.data  # type: ignore[no-any-return]  # of any scalar class


def sample_tokens(
    weights: Weights,
    config: Any,
    bos: int,
    rng: Random,
    temperature: float,
    vector: Any = vector,
    prompt: Tokens = (),
    top_k: int | None = None,
) -> list[int]:
    """`prompt` and tokens drawn from the model until it ends the document or block_size is reached.

    At temperature 0 the likeliest token is taken, the first of equals, and nothing is drawn. With
    `top_k`, only the that many likeliest are drawn from.
    """
    keys, values = empty_cache(config)
    tokens = [bos, *prompt]
    for pos_id in range(config.block_size):
        logits = forward(weights, config, tokens[pos_id], pos_id, keys, values, vector)
        if pos_id < len(prompt):
            continue  # what follows is given
        if temperature == 0:
            numbers = [logit.data for logit in logits]
            token_id = numbers.index(max(numbers))
        else:
            kept = likeliest(logits, len(logits) if top_k is None else top_k)
            probs = vector.softmax([logits[i] / temperature for i in kept])
            token_id = rng.choices(kept, weights=[p.data for p in probs])[0]
        if token_id == bos:
            break
        tokens.append(token_id)
    return tokens[1:]


def likeliest(logits: Vector, k: int) -> Sequence[int]:
    """The indices of the `k` largest logits, upwards; of equals, the first.

    All of them where one is not a number: nothing can be drawn then, whatever `k` is.
    """
    numbers = [logit.data for logit in logits]
    indices = range(len(numbers))
    if k >= len(numbers) or any(map(math.isnan, numbers)):
        return indices
    return sorted(sorted(indices, key=numbers.__getitem__, reverse=True)[:k])
