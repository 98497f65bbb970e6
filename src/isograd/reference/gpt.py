"""The GPT itself: its weights, one position's forward pass, the loss of a document and of a batch.

GPT-2's layout (Radford et al. 2019) with RMSNorm for LayerNorm, relu for GELU and no norm at the
end. Left out are dropout, biases and the norms' gains. `lm_head` is a matrix of its own, or `wte`.

`weights` maps the names of the original program to matrices. `config` is anything with the
attributes n_layer, n_embd, n_head, block_size, vocab_size, activation and tie_weights. `keys` and
`values` hold, for each layer, the vectors of the positions so far; a forward pass appends its own.
`vector` is what computes with vectors: the module of that name, or another one with the same
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeAlias

from . import vector
from .vector import Matrix, Scalar, Vector

Weights: TypeAlias = Mapping[str, Matrix]
Cache: TypeAlias = list[list[Vector]]
Tokens: TypeAlias = Sequence[int]
Docs: TypeAlias = Sequence[Tokens]

WEIGHT_STD = 0.08


def weight_shapes(config: Any) -> list[tuple[str, int, int]]:
    """The name, number of rows and row length of every weight matrix, in the order of drawing."""
    v, c, f = config.vocab_size, config.n_embd, 4 * config.n_embd
    shapes = [("wte", v, c), ("wpe", config.block_size, c)]
    if not config.tie_weights:
        shapes.append(("lm_head", v, c))
    for i in range(config.n_layer):
        shapes += [(f"layer{i}.attn_{name}", c, c) for name in ("wq", "wk", "wv", "wo")]
        shapes += [(f"layer{i}.mlp_fc1", f, c), (f"layer{i}.mlp_fc2", c, f)]
    return shapes


def init_weights(
    config: Any, rng: Random, scalar: Callable[[float], Scalar], std: float = WEIGHT_STD
) -> Weights:
    """All weights as `scalar` objects, drawn from `rng` one by one in the order of the shapes.

    Their distribution is normal with mean 0 and standard deviation `std`.
    """
    return {
        name: [[scalar(rng.gauss(0, std)) for _ in range(n_in)] for _ in range(n_out)]
        for name, n_out, n_in in weight_shapes(config)
    }


def empty_cache(config: Any) -> tuple[Cache, Cache]:
    """`keys` and `values` before the first position."""
    return [[] for _ in range(config.n_layer)], [[] for _ in range(config.n_layer)]


def forward(
    weights: Weights,
    config: Any,
    token_id: int,
    pos_id: int,
    keys: Cache,
    values: Cache,
    vector: Any = vector,
) -> Vector:
    """The logits (vocab_size of them) for what follows `token_id` at position `pos_id`."""
    # Attention by itself knows no order, so each position has an embedding, too.
    wte, wpe = weights["wte"], weights["wpe"]
    x = vector.add(vector.embedding(token_id, wte), vector.embedding(pos_id, wpe))
    # Not redundant, although both branches below begin with an rmsnorm: x also goes past them, as
    # the residual, and the gradient that comes back that way meets no other rmsnorm.
    x = vector.rmsnorm(x)
    for i in range(config.n_layer):
        # Attention: a position takes from itself and from those before it.
        residual, x = x, vector.rmsnorm(x)
        q = vector.linear(x, weights[f"layer{i}.attn_wq"])
        keys[i].append(vector.linear(x, weights[f"layer{i}.attn_wk"]))
        values[i].append(vector.linear(x, weights[f"layer{i}.attn_wv"]))
        x = vector.attention(q, keys[i], values[i], config.n_head)
        x = vector.linear(x, weights[f"layer{i}.attn_wo"])
        # Residuals: a branch adds to what there is, so gradients reach lower layers undiminished.
        x = vector.add(x, residual)
        # MLP: each position by itself. Without relu its two matrices would amount to one.
        residual, x = x, vector.rmsnorm(x)
        x = vector.linear(x, weights[f"layer{i}.mlp_fc1"])
        x = vector.relu(x)
        if config.activation == "relu2":  # of So et al. (2021)
            x = [xi**2 for xi in x]
        x = vector.linear(x, weights[f"layer{i}.mlp_fc2"])
        x = vector.add(x, residual)
    # Tied weights (Press and Wolf 2017): what a token means before a place, it means after one.
    logits: Vector = vector.linear(x, wte if config.tie_weights else weights["lm_head"])
    return logits


def document_loss(weights: Weights, config: Any, tokens: Tokens, vector: Any = vector) -> Scalar:
    """The mean cross entropy, in nats, of predicting each of `tokens` from those before it.

    Documents longer than block_size are cut off there.
    """
    n = min(config.block_size, len(tokens) - 1)
    keys, values = empty_cache(config)
    losses = []
    for pos_id in range(n):
        logits = forward(weights, config, tokens[pos_id], pos_id, keys, values, vector)
        losses.append(vector.cross_entropy(logits, tokens[pos_id + 1]))
    return (1 / n) * sum(losses)


def batch_loss(weights: Weights, config: Any, docs: Docs, vector: Any = vector) -> Scalar:
    """The mean of the losses of `docs`; of a single document, its loss itself."""
    if len(docs) == 1:
        return document_loss(weights, config, docs[0], vector)
    return (1 / len(docs)) * sum(document_loss(weights, config, tokens, vector) for tokens in docs)
