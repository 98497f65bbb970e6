"""A run as people ask for it: options and documents become a model, its tokens and a generator.

`isograd train`, `isograd explain` and `isograd sweep` all begin here, so they draw the same random
numbers in the same order: first the documents are shuffled, then the weights drawn, at last the
samples. Held out documents are taken away before that, and nothing is drawn for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from .model import DEFAULT_TIER, GPT
from .options import RunOptions
from .text import CharTokenizer, hold_out, load_docs
from .training import TrainingState, train


class Run(NamedTuple):
    """A run before its next step: the model, where it stands, and what it learns from."""

    model: GPT
    tokenizer: CharTokenizer
    state: TrainingState
    rng: Random
    docs: list[str]  # in the order of training
    held_out: list[str]  # what the validation loss is of

    def train(
        self,
        options: RunOptions,
        callback: Callable[[int, float], object] | None = None,
        **others: Any,
    ) -> list[float]:
        """Train to the end, as `isograd.train` does; `others` are for it.

        Whoever has the tokens already may give `docs` and `validation`, too.
        """
        if "docs" not in others:
            others |= {"docs": self.tokens(options), "validation": self.validation_tokens()}
        return train(
            self.model, callback=callback, state=self.state, **options.of_train(), **others
        )

    def documents(self, options: RunOptions) -> list[str]:
        """All documents of the run's file: those of the training, in its order, come first."""
        return documents_of(options, self.docs, self.held_out)

    def tokens(self, options: RunOptions) -> list[list[int]]:
        """The tokens of the documents that the steps use."""
        needed = max(1, options.steps * options.batch_size)
        return self.tokenizer.encode_beginnings(self.docs[:needed], options.block_size)

    def validation_tokens(self) -> list[list[int]] | None:
        """The tokens of those held out; None if there are none."""
        block_size = self.model.config.block_size
        return self.tokenizer.encode_beginnings(self.held_out, block_size) or None


def documents_of(options: RunOptions, docs: list[str], held_out: list[str]) -> list[str]:
    """All documents of a file that `split` has parted: a checkpoint's checksum is theirs."""
    return docs if options.validation_file else docs + held_out


def new_run(
    options: RunOptions,
    texts: Sequence[str],
    *,
    others: Sequence[str] | None = None,
    tier: str = DEFAULT_TIER,
) -> Run:
    """The run that `options` ask for on `texts`, before its first step.

    `others` are the documents to validate with, if `options.validation` is no share of the texts;
    by default those in the file that it names. Raises what `load_docs` does, ValueError where a
    share leaves no document, and MemoryError.
    """
    rng = Random(options.seed)
    docs, held_out = split(options, texts, rng, others)
    return run_on(options, docs, held_out, CharTokenizer(texts), rng, tier)


def run_on(
    options: RunOptions,
    docs: list[str],
    held_out: list[str],
    tokenizer: CharTokenizer,
    rng: Random,
    tier: str = DEFAULT_TIER,
) -> Run:
    """The run on documents that `split` has made of `rng`, which draws the weights next."""
    config = options.config(tokenizer.vocab_size)
    model = GPT(config, rng=rng, tier=tier, init_std=options.init_std)
    return Run(model, tokenizer, TrainingState(model.num_params), rng, docs, held_out)


def split(
    options: RunOptions, texts: Sequence[Any], rng: Random, others: Sequence[Any] | None = None
) -> tuple[list[Any], list[Any]]:
    """The documents to learn from, in the order of training, and those held out, or others."""
    docs, held_out = list(texts), list(others or ())
    if isinstance(options.validation, float):
        docs, held_out = hold_out(texts, options.validation)
    elif options.validation_file and others is None:
        held_out = load_docs(options.validation_file)
    rng.shuffle(docs)
    return docs, held_out
