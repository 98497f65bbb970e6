"""The model as users hold it: sizes, weights, and the tier that computes with them.

What is computed stands in the reference and in C; training and sampling stand in training.py.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import index
from random import Random
from typing import Any, Generic, Literal, cast, overload

from . import arrange, reference
from ._backend import Matrix, NativeGPT, OneAtATime, Value, backend, no_grad
from .arrange import matrices, matrix_parts, numbers_of
from .checks import (
    ACTIVATIONS,
    check_choice,
    check_from_0,
    check_prefix,
    check_rng,
    check_sizes,
    check_temperature,
    check_tokens,
)
from .reference import questions
from .tiers import GRAPH_TIERS, Compiled, GraphTier, Loss

TIERS = (*(["native"] if backend == "c" else []), *GRAPH_TIERS)
DEFAULT_TIER = TIERS[0]


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT: `n_embd` features, split among `n_head` attention heads; at most
    `block_size` positions.

    `activation` is "relu" or "relu2", its square. With `tie_weights`, `wte` takes the place of
    `lm_head`. Raises ValueError if no GPT can have them.
    """

    vocab_size: int
    n_layer: int = 1
    n_embd: int = 16
    n_head: int = 4
    block_size: int = 16
    activation: str = "relu"
    tie_weights: bool = False

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "n_layer", "n_embd", "n_head", "block_size")
        check_sizes({name: getattr(self, name) for name in sizes})
        check_choice("activation", self.activation, ACTIVATIONS)
        if not isinstance(self.tie_weights, bool):
            raise ValueError(f"tie_weights must be True or False, not {self.tie_weights!r}")


def check_tier(tier: str) -> None:
    """Raises ValueError if there is no tier of this name."""
    if tier not in TIERS:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, not {tier!r}")


def count_weights(config: GPTConfig) -> int:
    """How many numbers the weights of a GPT are. Layers, be they too many to list, are alike."""
    few = (replace(config, n_layer=n) for n in (1, 2))
    one, two = (sum(n_out * n_in for _, n_out, n_in in reference.weight_shapes(c)) for c in few)
    return one + (config.n_layer - 1) * (two - one)


def memory_here() -> float:
    """The bytes of memory that this machine has; infinity where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf


class GraphWeights:
    """The weights of a model that builds graphs: a scalar object each."""

    BYTES = 72  # a weight, at least: the smallest scalar and its place in a list

    def __init__(self, config: GPTConfig, rng: Random, tier: str, std: float) -> None:
        self.config, self.name = config, tier
        self.rows = reference.init_weights(config, rng, self.tier.scalar, std)

    @property
    def tier(self) -> GraphTier:
        return GRAPH_TIERS[self.name]

    def by_name(self) -> dict[str, Any]:
        return dict(self.rows)

    def scalars(self) -> list[Value]:
        return [p for rows in self.rows.values() for row in rows for p in row]

    def read(self) -> array[float] | list[float]:
        return self.tier.read_data(tuple(self.scalars()))

    def write(self, numbers: Sequence[float]) -> None:
        for p, x in zip(self.scalars(), numbers):
            p.data = x

    def loss(self, tokens: Sequence[int]) -> Any:
        return reference.document_loss(self.rows, self.config, tokens, self.tier.vector)

    def losses(self, docs: Sequence[Sequence[int]]) -> list[float]:
        with no_grad():
            return [self.loss(doc).data for doc in docs]

    def sample(
        self,
        bos: int,
        rng: Random,
        temperature: float,
        prompt: Sequence[int] = (),
        top_k: int | None = None,
    ) -> list[int]:
        with no_grad():
            return reference.sample_tokens(
                self.rows, self.config, bos, rng, temperature, self.tier.vector, prompt, top_k
            )

    def numbers(self, scalars: Iterable[Any]) -> array[float]:
        return array("d", self.tier.read_data(tuple(scalars)))

    def logits(self, tokens: Sequence[int], temperature: float | None = None) -> array[float]:
        """Or softmax(logit / temperature), if one is given."""
        vector = self.tier.vector
        with no_grad():
            logits = questions.logits_after(self.rows, self.config, tokens, vector)
            if temperature is not None:
                logits = vector.softmax([logit / temperature for logit in logits])
        return self.numbers(logits)

    def vectors(self, tokens: Sequence[int]) -> array[float]:
        """All vectors of one position after the other."""
        with no_grad():
            watched = questions.watch(self.rows, self.config, tokens, self.tier.vector)
            return self.numbers(x for vectors, _ in watched for vector in vectors for x in vector)

    def attention(self, tokens: Sequence[int]) -> array[float]:
        """What all heads look at, of one position after the other."""
        with no_grad():
            watched = questions.watch(self.rows, self.config, tokens, self.tier.vector)
            return self.numbers(x for _, heads in watched for weights in heads for x in weights)

    def gradients(self, tokens: Sequence[int]) -> array[float]:
        """Those of copies, so that the Values keep theirs; of a Value in two places, one copy."""
        copies = {id(p): self.tier.scalar(p.data) for p in self.scalars()}
        weights = {
            name: [[copies[id(p)] for p in row] for row in rows] for name, rows in self.rows.items()
        }
        reference.document_loss(weights, self.config, tokens, self.tier.vector).backward()
        return array("d", [p.grad for rows in weights.values() for row in rows for p in row])


class NativeWeights:
    """The weights of a model without a graph: one array of doubles, in C."""

    BYTES = 32  # a weight, at least: with its gradient and moments
    AT_ONCE = 64  # documents between two looks for Ctrl-C

    def __init__(self, config: GPTConfig, rng: Random, tier: str, std: float) -> None:
        self.config = config
        self.native = NativeGPT(**asdict(config))
        rows = reference.init_weights(config, rng, float, std).values()
        self.write([x for matrix in rows for row in matrix for x in row])

    def by_name(self) -> dict[str, Any]:
        parts = matrix_parts(self.config, self.native.weights)
        return {name: Matrix(part, *shape) for name, part, shape in parts}

    def scalars(self) -> list[Value]:
        raise ValueError("tier 'native' has no Values: ask state_dict(), or model.to('fused')")

    def read(self) -> array[float]:
        return array("d", self.native.weights.tobytes())

    def write(self, numbers: Sequence[float]) -> None:
        self.native.weights[:] = array("d", numbers)

    def loss(self, tokens: Sequence[int]) -> float:
        return self.native.loss([tokens])

    def losses(self, docs: Sequence[Sequence[int]]) -> list[float]:
        starts = range(0, len(docs), self.AT_ONCE)
        return [x for i in starts for x in self.native.losses(docs[i : i + self.AT_ONCE])]

    def sample(
        self,
        bos: int,
        rng: Random,
        temperature: float,
        prompt: Sequence[int] = (),
        top_k: int | None = None,
    ) -> list[int]:
        if type(rng) is Random:
            return self.native.sample(bos, rng.random, temperature, None, prompt, top_k)
        return self.sample_by_choices(bos, rng, temperature, prompt, top_k)

    def sample_by_choices(
        self, bos: int, rng: Random, temperature: float, prompt: Sequence[int], top_k: int | None
    ) -> list[int]:
        """For generators of another class, whose `choices` may be its own."""
        decoder, tokens = self.native.decoder(), [bos, *prompt]
        for position in range(self.config.block_size):
            decoder.append(tokens[position])
            if position < len(prompt):
                continue
            if temperature == 0:
                token = decoder.draw(rng.random, 0.0)
            else:
                probabilities = decoder.probabilities(temperature, top_k)
                token = rng.choices(decoder.kept, weights=probabilities)[0]
            if token == bos:
                break
            tokens.append(token)
        return tokens[1:]

    def logits(self, tokens: Sequence[int], temperature: float | None = None) -> array[float]:
        """Or softmax(logit / temperature), if one is given."""
        decoder = self.native.decoder(tokens)
        return array(
            "d", decoder.logits if temperature is None else decoder.probabilities(temperature)
        )

    def vectors(self, tokens: Sequence[int]) -> array[float]:
        return self.native.watch(tokens)[0]

    def attention(self, tokens: Sequence[int]) -> array[float]:
        return self.native.watch(tokens)[1]

    def gradients(self, tokens: Sequence[int]) -> array[float]:
        self.native.backward([tokens])
        return array("d", self.native.gradients.tobytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (self.config, self.read())


def restored(config: GPTConfig, numbers: Sequence[float]) -> NativeWeights:
    """A copy of what `NativeWeights.__reduce__` said."""
    check_tier("native")
    weights = NativeWeights.__new__(NativeWeights)
    weights.config, weights.native = config, NativeGPT(**asdict(config))
    weights.write(numbers)
    return weights


class _Zeros(Random):
    """Stands in for the generator where weights are about to be loaded."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return 0.0


class GPT(Generic[Loss]):
    """A GPT with weights drawn from `rng`, in the original program's order, from a normal
    distribution with standard deviation `init_std`.

    `tier` says what computes: "native" (the whole step in C, without a graph; the default where it
    is built), "fused" (compiled scalars, vector functions and Adam), "value" (compiled scalars
    only) or "reference" (pure Python). The middle two are compiled if `isograd.backend` says "c".
    All tiers give the same bits. Raises ValueError for any other tier or an `init_std` that is no
    finite number from 0 on, MemoryError for sizes that take more memory than there is.
    """

    @overload
    def __init__(
        self: GPT[float],
        config: GPTConfig,
        *,
        rng: Random,
        tier: Literal["native"],
        init_std: float = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: GPT[Value], config: GPTConfig, *, rng: Random, tier: Compiled, init_std: float = ...
    ) -> None: ...
    @overload
    def __init__(
        self: GPT[reference.Value],
        config: GPTConfig,
        *,
        rng: Random,
        tier: Literal["reference"],
        init_std: float = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: GPT, config: GPTConfig, *, rng: Random, tier: str = ..., init_std: float = ...
    ) -> None: ...
    def __init__(
        self,
        config: GPTConfig,
        *,
        rng: Random,
        tier: str = DEFAULT_TIER,
        init_std: float = reference.gpt.WEIGHT_STD,
    ) -> None:
        check_tier(tier)
        check_rng(rng, "gauss")
        check_from_0("init_std", init_std)
        self.config = config
        self.tier = tier
        weights = NativeWeights if tier == "native" else GraphWeights
        needed = weights.BYTES * count_weights(config)
        try:
            if needed > memory_here():
                raise MemoryError
            self.weights: NativeWeights | GraphWeights = weights(config, rng, tier, init_std)
        except MemoryError:
            sizes = ", ".join(f"{name} {size}" for name, size in vars(config).items())
            raise MemoryError(
                f"a model of {sizes} takes {max(1, round(needed / 1e9)):,} GB or more, "
                "which is more memory than there is"
            ) from None
        self.one_run = OneAtATime()  # trains it

    @overload
    def state_dict(self: GPT[float]) -> dict[str, Matrix]: ...
    @overload
    def state_dict(self: GPT[Value]) -> dict[str, list[list[Value]]]: ...
    @overload
    def state_dict(self: GPT[reference.Value]) -> dict[str, list[list[reference.Value]]]: ...
    @overload
    def state_dict(self) -> dict[str, Any]: ...
    def state_dict(self) -> dict[str, Any]:
        """The weight matrices by name: no copies, so you can assign to them.

        These are wte (vocab_size x n_embd), wpe (block_size x n_embd), lm_head (vocab_size x
        n_embd), and for each layer attn_wq, attn_wk, attn_wv, attn_wo (n_embd x n_embd), mlp_fc1
        (4 n_embd x n_embd) and mlp_fc2 (n_embd x 4 n_embd). On tier native they are rows of doubles
        in the model's own memory, which `numpy.asarray` takes without a copy; on the others they
        are lists of rows of Values.
        """
        return self.weights.by_name()

    def load_state_dict(self, weights: Mapping[str, Any]) -> None:
        """Give every weight the number that stands in its place in `weights`.

        `weights` has the names and shapes of `state_dict`: lists of rows of numbers or Values,
        two-dimensional arrays, memoryviews. Raises TypeError if it is no mapping, ValueError for
        other names, other shapes, and what is no real number; then nothing has changed.
        """
        self.weights.write(numbers_of(self.config, weights))

    @overload
    @classmethod
    def from_state_dict(
        cls, config: GPTConfig, weights: Mapping[str, Any], *, tier: Literal["native"]
    ) -> GPT[float]: ...
    @overload
    @classmethod
    def from_state_dict(
        cls, config: GPTConfig, weights: Mapping[str, Any], *, tier: Compiled
    ) -> GPT[Value]: ...
    @overload
    @classmethod
    def from_state_dict(
        cls, config: GPTConfig, weights: Mapping[str, Any], *, tier: Literal["reference"]
    ) -> GPT[reference.Value]: ...
    @overload
    @classmethod
    def from_state_dict(
        cls, config: GPTConfig, weights: Mapping[str, Any], *, tier: str = ...
    ) -> GPT: ...
    @classmethod
    def from_state_dict(
        cls, config: GPTConfig, weights: Mapping[str, Any], *, tier: str = DEFAULT_TIER
    ) -> GPT:
        """A GPT with `weights`; `load_state_dict` says what these may be."""
        numbers = numbers_of(config, weights)  # before there is memory for sizes that may be wrong
        model = cls(config, rng=_Zeros(), tier=tier)
        model.weights.write(numbers)
        return model

    @overload
    def to(self, tier: Literal["native"]) -> GPT[float]: ...
    @overload
    def to(self, tier: Compiled) -> GPT[Value]: ...
    @overload
    def to(self, tier: Literal["reference"]) -> GPT[reference.Value]: ...
    @overload
    def to(self, tier: str) -> GPT: ...
    def to(self, tier: str) -> GPT:
        """A GPT of another tier with the same weights, bit for bit; the two share nothing."""
        return GPT.from_state_dict(self.config, self.state_dict(), tier=tier)

    def arrays(self) -> dict[str, memoryview[float]]:
        """The weight matrices by name, as two-dimensional memoryviews of doubles: copies.

        `numpy.asarray(view)` makes one an array, `view[i, j]` and `view.tolist()` need no NumPy.
        """
        return matrices(self.config, array("d", self.read_data()))

    def read_data(self) -> array[float] | list[float]:
        """The numbers of all weights, in the order of `state_dict`; a list where there are ints."""
        return self.weights.read()

    @overload
    def parameters(self: GPT[Value]) -> list[Value]: ...
    @overload
    def parameters(self: GPT[reference.Value]) -> list[reference.Value]: ...
    @overload
    def parameters(self) -> list[Any]: ...
    def parameters(self) -> list[Any]:
        """All weights in one list of Values, in the order of `state_dict`; no copies.

        Raises ValueError on tier native, which has none.
        """
        return self.weights.scalars()

    @property
    def num_params(self) -> int:
        """How many numbers the weights are."""
        return count_weights(self.config)

    def loss(self, tokens: Sequence[int]) -> Loss:
        """The mean cross entropy, in nats, of predicting `tokens` one by one.

        This is a Value with its graph, but a float on tier native, which builds no graph. Raises
        ValueError for fewer than two tokens, or one that the model does not have.
        """
        check_tokens(tokens, self.config.vocab_size, "the document")
        return cast(Loss, self.weights.loss(tokens))

    def logits(self, tokens: Sequence[int]) -> memoryview[float]:
        """The logits, vocab_size of them, for what comes after `tokens`.

        `tokens` are 1 to block_size tokens, the first of them tokenizer.bos as a rule:
        `tokenizer.encode_prompt` makes them of a text. Raises ValueError for others. This and the
        answers below are doubles in memory of their own, without a graph, on every tier.
        """
        return memoryview(self.weights.logits(self._prefix(tokens)))

    def probabilities(self, tokens: Sequence[int], temperature: float = 1.0) -> memoryview[float]:
        """The probability of each token to come after `tokens`: softmax(logit / temperature).

        `sample` draws with these. At temperature 0 the likeliest token has them all.
        """
        check_temperature(temperature)
        tokens = self._prefix(tokens)
        if temperature == 0:
            logits = self.weights.logits(tokens).tolist()
            best = logits.index(max(logits))
            return memoryview(array("d", [i == best for i in range(len(logits))]))
        return memoryview(self.weights.logits(tokens, temperature))

    def attention(self, tokens: Sequence[int]) -> memoryview[float]:
        """How much each head takes from where: n_layer x n_head x T x T, for T `tokens`.

        `[layer, head, i, j]` is what position i takes from position j; 0.0 for a j above i. Memory
        takes all four at once; `.tolist()` makes lists of lists, for `[layer][head]`.
        """
        tokens = self._prefix(tokens)
        return arrange.attention(self.config, len(tokens), self.weights.attention(tokens))

    def activations(self, tokens: Sequence[int]) -> dict[str, memoryview[float]]:
        """Every vector that the model computes, by name: T rows, one for each of T `tokens`.

        Rows have n_embd numbers if nothing else is said. In the order of computation:
        token_embedding, position_embedding, embedding (their sum), norm; for each layer i, as
        `layer{i}.NAME`, attn_norm, attn_q, attn_k, attn_v, attn_heads (what the heads took, side by
        side), attn_out, attn_residual (with what went past them), mlp_norm, mlp_fc1 and mlp_act (4
        n_embd, before and after the activation), mlp_fc2, mlp_residual; logits (vocab_size).
        """
        tokens = self._prefix(tokens)
        return arrange.vectors(self.config, len(tokens), self.weights.vectors(tokens))

    def gradients(self, tokens: Sequence[int]) -> dict[str, memoryview[float]]:
        """The derivative of `loss(tokens)` for every weight, by name, as matrices like `arrays()`.

        The gradients in the model's Values stay as they are. Raises what `loss` does, RuntimeError
        while another thread trains the model, and inside `no_grad`.
        """
        check_tokens(tokens, self.config.vocab_size, "the document")
        scalar = GRAPH_TIERS["fused" if self.tier == "native" else self.tier].scalar
        if not (scalar(0.0) + 1)._children:
            raise RuntimeError("gradients need a graph, and inside no_grad there is none")
        return matrices(self.config, self.one_run.beside(lambda: self.weights.gradients(tokens)))

    def _prefix(self, tokens: Sequence[int]) -> list[int]:
        check_prefix(tokens, self.config.vocab_size, self.config.block_size)
        return [index(token) for token in tokens]

    def __repr__(self) -> str:
        return f"GPT({self.config}, tier={self.tier!r})"
