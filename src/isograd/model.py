"""The model as users hold it: sizes, weights, and the tier that computes with them."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any, NamedTuple, SupportsIndex

from . import reference
from ._backend import Adam, Value, ops, read_data, reference_data
from .reference.value import number


class Tier(NamedTuple):
    """What a tier computes with: the scalar class, the vector functions, the optimizer.

    `read_data(tuple of scalars)` is the quickest way to the numbers in them.
    """

    scalar: Any
    ops: Any
    adam: Any
    read_data: Any


TIERS = {
    "fused": Tier(Value, ops, Adam, read_data),
    "value": Tier(Value, reference.ops, reference.Adam, read_data),
    "reference": Tier(reference.Value, reference.ops, reference.Adam, reference_data),
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


def check_tier(tier: str) -> None:
    """ValueError unless there is a tier of this name."""
    if tier not in TIERS:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, not {tier!r}")


def check_tokens(tokens: Sequence[int], vocab_size: int, name: str) -> None:
    """ValueError, which calls them `name`, unless `tokens` are something to learn from."""
    if len(tokens) < 2:
        raise ValueError(f"{name} has {len(tokens)} tokens; the least to learn from is 2")
    if {*map(type, tokens)} == {int} and min(tokens) >= 0 and max(tokens) < vocab_size:
        return  # a thirtieth of the time that one by one would take
    for token in tokens:
        if not (isinstance(token, SupportsIndex) and 0 <= token < vocab_size):
            raise ValueError(
                f"{name} holds the token {token!r}; the model has 0 to {vocab_size - 1}"
            )


def matrices(config: GPTConfig, numbers: "array[float]") -> "dict[str, memoryview[float]]":
    """`numbers`, one for each weight in the order of `state_dict`, as views by name and shape."""
    views, start = {}, 0
    for name, n_out, n_in in reference.weight_shapes(config):
        view = memoryview(numbers)[start : start + n_out * n_in]
        views[name] = view.cast("B").cast("d", (n_out, n_in))
        start += n_out * n_in
    return views


def _rows_of_numbers(matrix: Any, name: str, n_out: int, n_in: int) -> list[list[float]]:
    expected = f"{name} must be {n_out} rows of {n_in} numbers"
    if hasattr(matrix, "tolist"):  # arrays and memoryviews
        matrix = matrix.tolist()
    try:
        rows = [[_plain_number(x) for x in row] for row in matrix]
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{expected}: {error}") from None
    if len(rows) != n_out:
        raise ValueError(f"{expected}, not {len(rows)} rows")
    for i, row in enumerate(rows):
        if len(row) != n_in:
            raise ValueError(f"{expected}, but row {i} has {len(row)}")
    return rows


def _plain_number(x: Any) -> float:
    x = x.data if isinstance(x, (Value, reference.Value)) else number(x)
    float(x)  # or OverflowError
    return x


class _Zeros(Random):
    """Stands in for the generator where weights are about to be loaded."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return 0.0


class GPT:
    """A GPT with weights drawn from `rng`, in the original program's order.

    `tier` says what computes: "fused" (compiled scalars, vector functions and Adam), "value"
    (compiled scalars only) or "reference" (pure Python); what is compiled is so if
    `isograd.backend` says "c". All tiers give the same bits. ValueError for any other.
    """

    def __init__(self, config: GPTConfig, *, rng: Random, tier: str = "fused") -> None:
        check_tier(tier)
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

    def load_state_dict(self, weights: Mapping[str, Any]) -> None:
        """Give every weight the number that stands in its place in `weights`.

        `weights` has the names and shapes of `state_dict`: lists of rows of numbers or Values,
        two-dimensional arrays, memoryviews. ValueError, in which case nothing has changed, for
        other names, other shapes, and what is no real number; TypeError if it is no mapping.
        """
        if not isinstance(weights, Mapping):
            raise TypeError(f"weights must be a mapping from names, not {type(weights).__name__!r}")
        for name in weights:
            if name not in self._weights:
                raise ValueError(f"the model has no weights named {name!r}")
        numbers = {}
        for name, n_out, n_in in reference.weight_shapes(self.config):
            if name not in weights:
                raise ValueError(f"weights must have all names of the model; {name!r} is missing")
            numbers[name] = _rows_of_numbers(weights[name], name, n_out, n_in)
        for name, rows in self._weights.items():
            for params, row in zip(rows, numbers[name]):
                for p, x in zip(params, row):
                    p.data = x

    @classmethod
    def from_state_dict(
        cls, config: GPTConfig, weights: Mapping[str, Any], *, tier: str = "fused"
    ) -> "GPT":
        """A GPT with these weights, for which see `load_state_dict`."""
        model = cls(config, rng=_Zeros(), tier=tier)
        model.load_state_dict(weights)
        return model

    def to(self, tier: str) -> "GPT":
        """A GPT of another tier with the same weights, bit for bit; the two share nothing."""
        return GPT.from_state_dict(self.config, self._weights, tier=tier)

    def arrays(self) -> "dict[str, memoryview[float]]":
        """The weight matrices by name, as two-dimensional memoryviews of doubles: copies.

        `numpy.asarray(view)` makes one an array, `view[i, j]` and `view.tolist()` need no NumPy.
        """
        return matrices(self.config, array("d", self.read_data()))

    def read_data(self) -> "array[float] | list[float]":
        """All weights' numbers, in the order of `state_dict`; a list where there are ints."""
        return TIERS[self.tier].read_data(tuple(self.parameters()))

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
