"""The model as users hold it: sizes, weights, and the tier that computes with them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any, NamedTuple, SupportsIndex

from . import reference
from ._backend import Adam, Value, ops


class Tier(NamedTuple):
    """What a tier computes with: the scalar class, the vector functions, the optimizer."""

    scalar: Any
    ops: Any
    adam: Any


TIERS = {
    "fused": Tier(Value, ops, Adam),
    "value": Tier(Value, reference.ops, reference.Adam),
    "reference": Tier(reference.Value, reference.ops, reference.Adam),
}


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT; ValueError if they cannot be.

    `n_embd` features, split among `n_head` attention heads; at most `block_size` positions.
    """

    vocab_size: int
    n_layer: int = 1
    n_embd: int = 16
    n_head: int = 4
    block_size: int = 16

    def __post_init__(self) -> None:
        for field in fields(self):
            size = getattr(self, field.name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"{field.name} must be a whole number from 1 on, not {size!r}")
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd must be divisible by n_head, but {self.n_embd} is not by {self.n_head}"
            )


def check_tokens(tokens: Sequence[int], vocab_size: int, name: str) -> None:
    """ValueError, which calls them `name`, unless `tokens` are something to learn from."""
    if len(tokens) < 2:
        raise ValueError(f"{name} has {len(tokens)} tokens; the least to learn from is 2")
    for token in tokens:
        if not (isinstance(token, SupportsIndex) and 0 <= token < vocab_size):
            raise ValueError(
                f"{name} holds the token {token!r}; the model has 0 to {vocab_size - 1}"
            )


class GPT:
    """A GPT with weights drawn from `rng`, in the original program's order.

    `tier` says what computes: "fused" (compiled scalars, vector functions and Adam), "value"
    (compiled scalars only) or "reference" (pure Python); what is compiled is so if
    `isograd.backend` says "c". All tiers give the same bits. ValueError for any other.
    """

    def __init__(self, config: GPTConfig, *, rng: Random, tier: str = "fused") -> None:
        if tier not in TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, not {tier!r}")
        self.config = config
        self.tier = tier
        self._weights = reference.init_weights(config, rng, TIERS[tier].scalar)

    def state_dict(self) -> dict[str, list[list[Value]]]:
        """The weight matrices by name, each a list of rows of Values; no copies.

        wte (vocab_size x n_embd), wpe (block_size x n_embd), lm_head (vocab_size x n_embd), then
        for each layer attn_wq, attn_wk, attn_wv, attn_wo (n_embd x n_embd), mlp_fc1 (4 n_embd x
        n_embd) and mlp_fc2 (n_embd x 4 n_embd).
        """
        return dict(self._weights)

    def parameters(self) -> list[Value]:
        """All weights in one list, in the order of `state_dict`; no copies."""
        return [p for rows in self._weights.values() for row in rows for p in row]

    @property
    def num_params(self) -> int:
        """How many numbers the weights are."""
        return sum(n_out * n_in for _, n_out, n_in in reference.weight_shapes(self.config))

    def loss(self, tokens: Sequence[int]) -> Value:
        """The mean cross entropy, in nats, of predicting `tokens` one by one, as a graph.

        ValueError for less than two tokens or one that the model does not have.
        """
        check_tokens(tokens, self.config.vocab_size, "the document")
        ops = TIERS[self.tier].ops
        return reference.document_loss(self._weights, self.config, tokens, ops)

    def __repr__(self) -> str:
        return f"GPT({self.config}, tier={self.tier!r})"
