"""What a model can be asked: its logits, and every vector of its forward pass by name.

Nothing is computed here but attention's weights a second time: `forward` computes with functions
that it is given, and it is given some that keep what they return.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import vector
from .gpt import Tokens, Weights, empty_cache, forward
from .vector import Matrix, Vector, attention_weights

INPUT = ("token_embedding", "position_embedding", "embedding", "norm")
ATTENTION = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_heads", "attn_out", "attn_residual")
MLP = ("mlp_norm", "mlp_fc1", "mlp_act", "mlp_fc2", "mlp_residual")
WIDE = ("mlp_fc1", "mlp_act")  # 4 n_embd entries, where the others have n_embd


def vector_sizes(config: Any) -> list[tuple[str, int]]:
    """The name and the number of entries of every vector of a position, in `forward`'s order."""
    c, f = config.n_embd, 4 * config.n_embd
    sizes = [(name, c) for name in INPUT]
    for i in range(config.n_layer):
        sizes += [(f"layer{i}.{name}", f if name in WIDE else c) for name in ATTENTION + MLP]
    return [*sizes, ("logits", config.vocab_size)]


def logits_after(weights: Weights, config: Any, tokens: Tokens, vector: Any = vector) -> Vector:
    """The logits for what follows all of `tokens`, of which there is at least one."""
    keys, values = empty_cache(config)
    for pos_id, token_id in enumerate(tokens):
        logits = forward(weights, config, token_id, pos_id, keys, values, vector)
    return logits


def watch(
    weights: Weights, config: Any, tokens: Tokens, vector: Any = vector
) -> Iterator[tuple[list[Vector], list[Vector]]]:
    """Of each position, its vectors in the order of `vector_sizes`, and what its heads look at.

    The latter is a vector for each head, layer by layer: a weight for each position so far.
    """
    keys, values = empty_cache(config)
    for pos_id, token_id in enumerate(tokens):
        watched = Watched(vector)
        forward(weights, config, token_id, pos_id, keys, values, watched)
        yield watched.vectors, watched.heads


class Watched:
    """The functions of `vector`, which keep the vectors that they return, in the order of calls.

    What relu returns may be squared before the next layer takes it, so it is kept when that does.
    """

    def __init__(self, vector: Any) -> None:
        self.vector = vector
        self.vectors: list[Vector] = []
        self.heads: list[Vector] = []
        self.is_active = False  # whether relu was called last

    def __getattr__(self, name: str) -> Callable[..., Vector]:
        function = getattr(self.vector, name)

        def watched(*arguments: Any) -> Vector:
            if self.is_active:
                self.vectors.append(arguments[0])
            y: Vector = function(*arguments)
            self.is_active = name == "relu"
            if not self.is_active:
                self.vectors.append(y)
            return y

        return watched

    def attention(self, q: Vector, keys: Matrix, values: Matrix, n_head: int) -> Vector:
        head_dim = len(q) // n_head
        for start in range(0, len(q), head_dim):
            head = slice(start, start + head_dim)
            self.heads.append(attention_weights(q[head], [k[head] for k in keys]))
        return self.__getattr__("attention")(q, keys, values, n_head)
