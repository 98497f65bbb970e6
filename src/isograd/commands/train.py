"""What `isograd train` does: set up a run, a new one or one that goes on, and train to its end."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

from ..runs import Run, new_run, split
from ..text import load_docs
from .endings import giving_up, refusing_bad_input
from .options import TrainOptions
from .progress import LiveProgress, Pace, Progress, say_what_is_cut

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from .outputs import Files


def set_up(options: TrainOptions, resumed: Checkpoint | None) -> Run:
    """The run that `options` ask for, at its beginning or where `resumed` left it."""
    with refusing_bad_input(options.data):
        texts = load_docs(options.data)
    with refusing_bad_input(options.run.validation_file):
        if not resumed:
            run = new_run(options.run, texts, tier=options.tier)
        else:
            rng = random.Random(options.run.seed)
            docs, held_out = split(options.run, texts, rng)
            rng.setstate(resumed.random_state)
            run = Run(resumed.model, resumed.tokenizer, resumed.state, rng, docs, held_out)
            check_same_documents(run, resumed, options)
        run.validation_tokens()  # or ValueError
    if not resumed:
        say_what_is_cut(texts, options.run.block_size)
    return run


def check_same_documents(run: Run, resumed: Checkpoint, options: TrainOptions) -> None:
    """Raises ValueError if the run's documents are not those that it was trained on."""
    from ..checkpoint import docs_sha256

    if docs_sha256(run.documents(options.run)) != resumed.docs_sha256:
        source = repr(options.data) if options.data else "the file of names"
        raise ValueError(
            f"{source} does not hold the documents that {options.resume!r} was trained on"
        )


def how_it_goes_on(run: Run, options: TrainOptions) -> str:
    """What becomes of the learning rate of a run whose number of steps has been changed: a line."""
    step, ends = run.state.steps, {"linear": "falls linearly to 0", "constant": "stays there"}
    rate = options.run.learning_rate(step) if step < options.run.steps else 0.0
    former = options.run.extended[-1][1]
    end = ends.get(options.run.schedule, "falls to 0 like a cosine")
    return (
        f"goes on after step {step} of {former}, to step {options.run.steps}: "
        f"the learning rate is {rate:.4g} now, and {end}"
    )


def train_to_the_end(run: Run, options: TrainOptions, files: Files) -> None:
    """Train with progress; ends the command where training is interrupted or diverges."""
    steps = options.run.steps
    plain = options.plain or not (sys.stdout and sys.stdout.isatty())
    state = run.state
    losses = list(state.losses)  # of all steps: with --keep best the state goes back in the end
    validation = state.validation if run.held_out else None
    progress = (Progress if plain else LiveProgress)(steps, state.losses, validation)
    looks = Looks(run, options, files, progress)
    with giving_up(progress), progress:
        try:
            losses += run.train(options.run, looks, every=looks.until_next, threads=options.threads)
            files.write_checkpoint()
        except KeyboardInterrupt:
            if looks.is_worth_keeping():
                files.write_checkpoint()
            raise
        finally:
            files.finish(max(losses, state.losses, key=len), looks.validation)
    if run.held_out:
        print(outcome(run, options, looks.step))


class Looks:
    """What is done between steps: progress shown, history and checkpoint written when due."""

    def __init__(self, run: Run, options: TrainOptions, files: Files, progress: Progress) -> None:
        self.state, self.options = run.state, options.run
        self.files, self.progress = files, progress
        self.pace = Pace(run.state.steps)
        self.step = self.kept = run.state.steps
        self.between_checkpoints = options.checkpoint_every
        self.keeps = bool(options.checkpoint)
        self.keeps_best = options.run.keep == "best"
        self.validation = list(run.state.validation)

    def until_next(self) -> int:
        """How many steps come before the next look."""
        steps = [self.pace.next]
        if self.keeps and not self.keeps_best:
            steps.append(self.kept + self.between_checkpoints)
        if self.options.validation is not None:
            every = self.options.eval_every
            steps.append((self.state.steps // every + 1) * every)
        return min(steps) - self.state.steps

    def __call__(self, step: int, loss: float) -> None:
        self.step = step
        judged = self.state.validation[-1:] if self.options.validation is not None else []
        judged = [pair for pair in judged if pair[0] == step]
        self.validation += judged
        if self.pace.is_due(step) or judged:
            self.files.write_history()
            self.progress.show()
        if self.keeps and self.is_due(step):
            self.files.write_checkpoint()
            self.kept = step

    def is_due(self, step: int) -> bool:
        """Whether the checkpoint is to be written after the step `step`, before the last."""
        if self.keeps_best:
            return self.state.best_step() == step
        return self.kept + self.between_checkpoints <= step < self.options.steps

    def is_worth_keeping(self) -> bool:
        """Whether an interrupted run leaves a checkpoint; the best one is there already."""
        return not self.keeps_best or not self.state.validation


def outcome(run: Run, options: TrainOptions, last: int) -> str:
    """Why the run ended early, if it did, and its least validation loss."""
    step, kept = run.state.best_step(), options.run.keep == "best"
    if not step:
        return "no validation loss: the run has no steps"
    text = f"validation loss: {dict(run.state.validation)[step]:.4f} at step {step}, the least"
    if last < options.run.steps:
        why = f"{options.run.patience} validation losses in a row were no better"
        text = f"stopped at step {last}: {why}\n{text}"
    return text + ("; the weights are those of that step" if kept else "")
