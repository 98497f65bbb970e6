"""What the library's calls accept: each sentence that refuses an argument stands here, once.

Not here are the checks of the reference, which are in reference/checks.py, and those of files and
weights, which stand where these are read. `train`, `evaluate`, `sample` and `GPT` call the checks
before they change anything; the command line calls some earlier, before it touches a file.
`_native` compares machine numbers, on which memory depends, and calls a check for its sentence.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, SupportsIndex

from .reference.checks import check_adam

if TYPE_CHECKING:
    from .training import TrainingState


def check_whole(name: str, x: object, least: int) -> None:
    """Raises ValueError naming `name` if `x` is no whole number from `least` to below 2**63."""
    if not isinstance(x, int) or isinstance(x, bool) or x < least:
        raise ValueError(f"{name} must be a whole number from {least} on, not {x!r}")
    if x >= 2**63:  # which C cannot count to, and no program lives to see
        raise ValueError(f"{name} must be a whole number below 2**63")


def check_class(name: str, x: object, expected: type) -> None:
    """Raises TypeError naming `name` if `x` is not of the class `expected`."""
    if not isinstance(x, expected):
        raise TypeError(
            f"{name} must be a {expected.__name__}, not of the class {type(x).__name__}"
        )


SCHEDULES = ("linear", "cosine", "constant")
ACTIVATIONS = ("relu", "relu2")
KEPT = ("last", "best")


def check_choice(name: str, x: object, choices: Sequence[str]) -> None:
    """Raises ValueError naming `name` if `x` is none of `choices`."""
    if x not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {x!r}")


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Raises ValueError if no GPT can have `sizes`, those of a GPTConfig by name."""
    for name, size in sizes.items():
        check_whole(name, size, 1)
    n_embd, n_head = sizes["n_embd"], sizes["n_head"]
    if n_embd % n_head:
        raise ValueError(f"n_embd must be divisible by n_head, but {n_embd} is not by {n_head}")


def check_tokens(tokens: Sequence[int], vocab_size: int, name: str) -> None:
    """Raises ValueError naming `name` if there is nothing to learn from in `tokens`."""
    check_no_text(tokens, name)
    if len(tokens) < 2:
        raise ValueError(f"{name} has {len(tokens)} tokens; the least to learn from is 2")
    check_known(tokens, vocab_size, name)


def check_prefix(tokens: Sequence[int], vocab_size: int, block_size: int) -> None:
    """Raises ValueError if a model cannot be asked about `tokens`."""
    check_no_text(tokens, "what to go on from", "encode_prompt")
    if not 1 <= len(tokens) <= block_size:
        raise ValueError(
            f"the model takes 1 to {block_size} tokens, a position each, not {len(tokens)}"
        )
    check_known(tokens, vocab_size, "what to go on from")


def check_no_text(tokens: object, name: str, remedy: str = "encode") -> None:
    """Raises the sentence that helps whoever passes a text, or anything else but a sequence."""
    if isinstance(tokens, str):
        raise ValueError(
            f"{name} is the text {tokens[:40]!r}; tokenizer.{remedy} makes tokens of it"
        )
    if not hasattr(tokens, "__len__"):
        raise TypeError(f"{name} must be a sequence of tokens, not {tokens!r}")


def check_known(tokens: Sequence[int], vocab_size: int, name: str) -> None:
    """Raises ValueError naming `name` if a model does not have all of `tokens`."""
    if {*map(type, tokens)} == {int} and min(tokens) >= 0 and max(tokens) < vocab_size:
        return  # a thirtieth of the time that one by one would take
    for token in tokens:
        if not (isinstance(token, SupportsIndex) and 0 <= token < vocab_size):
            raise ValueError(
                f"{name} holds the token {token!r}; the model has 0 to {vocab_size - 1}"
            )


def check_documents(docs: Sequence[Sequence[int]], first: int, end: int, vocab_size: int) -> None:
    """Raises ValueError if documents from `first` to before `end`, round again, cannot be used."""
    if not docs:
        raise ValueError("there are no documents")
    for i in range(first, min(end, first + len(docs))):
        check_tokens(docs[i % len(docs)], vocab_size, f"document {i % len(docs)}")


def check_threads(threads: int | str) -> None:
    """Raises ValueError if `threads` is neither "auto" nor a whole number from 1 on."""
    if isinstance(threads, str) and threads != "auto":
        raise ValueError(f"threads must be a whole number from 1 on or 'auto', not {threads!r}")
    if threads != "auto":
        check_whole("threads", threads, 1)


def check_training(steps: int, lr: float, batch_size: int, threads: int | str) -> None:
    """Raises ValueError if no run of `steps` can be had with these options."""
    check_whole("steps", steps, 0)
    check_whole("batch_size", batch_size, 1)
    check_threads(threads)
    check_from_0("lr", lr)


def check_schedule(schedule: str, warmup: int, steps: int) -> None:
    """Raises ValueError if the learning rate of `steps` cannot go like that."""
    check_choice("schedule", schedule, SCHEDULES)
    check_whole("warmup", warmup, 0)
    if warmup > steps:
        raise ValueError(f"warmup must be at most the number of steps, {steps}, not {warmup}")


def check_update(
    betas: Sequence[float], eps: float, weight_decay: float, clip_norm: float | None
) -> None:
    """Raises ValueError if Adam has no meaning for these numbers."""
    check_adam("a", betas, eps, weight_decay, clip_norm)
    if not all(map(is_finite, (*betas, eps))):
        raise ValueError(f"betas and eps must be finite numbers, not {betas!r} and {eps!r}")


def check_held_out(validation: object) -> None:
    """Raises TypeError for a share of the documents, which the command line takes."""
    if not hasattr(validation, "__len__"):
        raise TypeError(
            f"validation must be a list of token lists, not {validation!r}; isograd.hold_out parts "
            "documents"
        )


def check_validation(held_out: bool, eval_every: int, keep: str, patience: int | None) -> None:
    """Raises ValueError if a run cannot go by a validation loss like that."""
    check_whole("eval_every", eval_every, 1)
    check_choice("keep", keep, KEPT)
    if patience is not None:
        check_whole("patience", patience, 1)
    if not held_out and (keep == "best" or patience is not None):
        name = "patience" if patience is not None else "keep='best'"
        raise ValueError(f"{name} goes by the validation loss: give validation documents, too")


def check_moments(state: TrainingState, num_params: int) -> None:
    """Raises ValueError if the moments in `state` cannot be those of `num_params` weights."""
    for moments in (state.m, state.v):
        try:
            array("d", moments)
            n = len(moments)
        except (TypeError, OverflowError):
            raise ValueError("a state's moments must be lists or arrays of numbers") from None
        if n != num_params:
            raise ValueError(f"the state is of {n} weights, the model has {num_params}")
    least = min(state.v)  # a NaN, where that comes first
    if least < 0 or (math.isnan(least) and any(x < 0 for x in state.v)):
        raise ValueError("a state's second moments cannot be negative")


def check_until(state: TrainingState, steps: int, until: int) -> None:
    """Raises ValueError if a run of `steps` cannot go on from `state` up to the step `until`."""
    if state.steps > steps:
        raise ValueError(f"the state has {state.steps} steps done, of {steps} asked for")
    check_whole("until", until, state.steps)
    if until > steps:
        raise ValueError(f"until must be at most the number of steps, {steps}, not {until}")


def check_rng(rng: object, method: str) -> None:
    """Raises TypeError if `rng` cannot draw by its `method`."""
    if not hasattr(rng, method):
        seed = rng if isinstance(rng, int) else 42
        raise TypeError(f"rng must be a generator such as random.Random({seed}), not {rng!r}")


def check_prompt(n: int, block_size: int) -> None:
    """Raises ValueError if a prompt of `n` characters leaves no position to go on from."""
    if n >= block_size:
        raise ValueError(
            f"the prompt has {n} characters; a model of block_size {block_size} goes on from "
            f"{block_size - 1} at most"
        )


def check_temperature(temperature: float) -> None:
    """Raises ValueError if `sample` has no meaning for `temperature`."""
    check_from_0("temperature", temperature)


def check_from_0(name: str, x: float) -> None:
    """Raises ValueError naming `name` if `x` is no finite number from 0 on."""
    if not (is_finite(x) and x >= 0):
        raise ValueError(f"{name} must be a finite number from 0 on, not {x!r}")


def is_finite(x: float) -> bool:
    try:
        return math.isfinite(x)
    except (OverflowError, TypeError):
        return False
