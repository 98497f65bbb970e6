"""What `isograd train` does: set up a run, a new one or one that goes on, and train to its end."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, NamedTuple

from ..checks import check_until
from ..model import GPT, GPTConfig
from ..text import CharTokenizer, load_docs
from ..training import TrainingState, train
from .endings import giving_up, refusing_bad_input
from .options import TrainOptions
from .progress import LiveProgress, Pace, Progress

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from .outputs import Files


class Run(NamedTuple):
    """A run before its next step: the model, where it stands, and what it learns from."""

    model: GPT
    tokenizer: CharTokenizer
    state: TrainingState
    rng: random.Random
    docs: list[str]


def set_up(options: TrainOptions, resumed: Checkpoint | None) -> Run:
    """The run that `options` ask for, at its beginning or where `resumed` left it."""
    rng = random.Random(options.seed)
    with refusing_bad_input(options.data):
        docs = load_docs(options.data)
    rng.shuffle(docs)
    with refusing_bad_input():
        if resumed:
            check_same_documents(resumed, docs, options)
            check_until(resumed.state, options.steps, options.steps)
            rng.setstate(resumed.random_state)
            return Run(resumed.model, resumed.tokenizer, resumed.state, rng, docs)
        tokenizer = CharTokenizer(docs)
        sizes = options.n_layer, options.n_embd, options.n_head, options.block_size
        model = GPT(GPTConfig(tokenizer.vocab_size, *sizes), rng=rng, tier=options.tier)
        return Run(model, tokenizer, TrainingState(model.num_params), rng, docs)


def check_same_documents(resumed: Checkpoint, docs: list[str], options: TrainOptions) -> None:
    """Raises ValueError if `docs` are not what the run that goes on was trained on."""
    from ..checkpoint import docs_sha256

    if docs_sha256(docs) != resumed.docs_sha256:
        source = repr(options.data) if options.data else "the file of names"
        raise ValueError(
            f"{source} does not hold the documents that {options.resume!r} was trained on"
        )


def train_to_the_end(run: Run, options: TrainOptions, files: Files) -> None:
    """Train with progress; ends the command where training is interrupted or diverges."""
    state, steps = run.state, options.steps
    needed = max(1, steps * options.batch_size)
    block_size = run.model.config.block_size
    tokens = run.tokenizer.encode_beginnings(run.docs[:needed], block_size)
    plain = options.plain or not (sys.stdout and sys.stdout.isatty())
    progress = (Progress if plain else LiveProgress)(steps, state.losses)
    pace, kept = Pace(state.steps), state.steps

    def every() -> int:
        pause = kept + options.checkpoint_every if options.checkpoint else steps
        return min(pace.next, pause) - state.steps

    def callback(step: int, loss: float) -> None:
        nonlocal kept
        if pace.is_due(step):
            files.write_history()
            progress.show()
        if options.checkpoint and kept + options.checkpoint_every <= step < steps:
            files.write_checkpoint()
            kept = step

    with giving_up(progress), progress:
        try:
            train(
                run.model,
                tokens,
                steps,
                options.lr,
                callback,
                every=every,
                batch_size=options.batch_size,
                threads=options.threads,
                state=state,
            )
            files.write_checkpoint()
        except KeyboardInterrupt:
            files.write_checkpoint()
            raise
        finally:
            files.finish()
