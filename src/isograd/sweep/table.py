"""The table of a sweep: a row for each trial, in the order of their indices."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..checkpoint import Checkpoint, docs_sha256, save_checkpoint
from ..files import write_atomically
from ..model import GPT
from ..options import RunOptions
from ..runs import Run, new_run
from .plan import Plan
from .trials import Outcome, worth


@dataclass(frozen=True)
class Best:
    """The best trial, and the best of its seeds."""

    index: int
    options: dict[str, Any]  # those that were tried
    seed: int
    loss: float  # what the trial is judged by


class Result:
    """What a sweep found. `rows` is a list of dicts, which `pandas.DataFrame` takes.

    A row has the trial's index, the options that were tried, the loss that it is judged by, with
    more than one seed also the loss of each, the seed that was best, the trial's key, the number of
    steps of all its seeds together, the reason if it has no loss, and the seconds that it took.
    """

    def __init__(self, plan: Plan, trials: Mapping[int, tuple[dict[str, Any], Outcome]]) -> None:
        self._plan = plan
        self._trials = dict(sorted(trials.items()))
        self.rows = [row_of(plan, index, *self._trials[index]) for index in self._trials]

    @property
    def best(self) -> Best | None:
        """The trial with the least loss, the first of equals; None if no trial has one."""
        found = [row for row in self.rows if math.isfinite(row["loss"])]
        if not found:
            return None
        row = min(found, key=lambda row: (worth(row["loss"]), row["index"]))
        index = row["index"]
        return Best(index, dict(self._trials[index][0]), row["best_seed"], row["loss"])

    def best_run(self) -> Run:
        """The best seed of the best trial, trained again: model, tokenizer, generator and state.

        Its bits are those of the trial. Raises ValueError if no trial has a loss.
        """
        plan, options = self._plan, self._best_options()
        run = new_run(options, plan.texts, others=plan.others)
        run.train(options)
        return run

    def best_model(self) -> GPT:
        """The model of `best_run`."""
        return self.best_run().model

    def save_best(self, path: str | os.PathLike[str]) -> None:
        """Write the checkpoint that `isograd train` would write of `best_run`."""
        run, options = self.best_run(), self._best_options()
        kept = options.kept() | {"data": self._plan.data, "of_sweep": True}
        documents = docs_sha256(run.documents(options))
        state = run.rng.getstate()
        save_checkpoint(
            path, Checkpoint(run.model, run.tokenizer, run.state, state, kept, documents)
        )

    def _best_options(self) -> RunOptions:
        best = self.best
        if best is None:
            raise ValueError("no trial has a loss, so there is no best one")
        return RunOptions(**self._plan.options(best.options) | {"seed": best.seed})

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV, numbers as Python writes them. Raises OSError if it cannot."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns(self._plan), restval="", lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            seconds = f"{row['seconds']:.6f}"
            writer.writerow(row | {"seconds": seconds})
        write_atomically(path, text.getvalue().encode("utf-8"))

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the sweep into the file `path`, such as sweep.png or sweep.svg. Needs matplotlib."""
        from .plot import save_plot

        save_plot(path, self.rows, self._plan)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __repr__(self) -> str:
        best = self.best
        if best is None:
            return f"<sweep: {len(self)} trials, none with a loss>"
        tried = ", ".join(f"{name}={value!r}" for name, value in best.options.items())
        return f"<sweep: {len(self)} trials, best {best.loss:.4f} with {tried}, seed {best.seed}>"


def columns(plan: Plan) -> list[str]:
    """The names of what a row holds."""
    each = [f"loss_{k + 1}" for k in range(plan.search.seeds)] if plan.search.seeds > 1 else []
    tried = plan.candidates.names
    return ["index", *tried, "loss", *each, "best_seed", "key", "steps_done", "reason", "seconds"]


def row_of(plan: Plan, index: int, tried: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """The row of one trial."""
    options = plan.options(tried)
    each = {f"loss_{k + 1}": loss for k, loss in enumerate(outcome.losses)}
    return {
        "index": index,
        **{name: options[name] for name in plan.candidates.names},
        "loss": outcome.judged(plan.search.judge_by),
        **(each if plan.search.seeds > 1 else {}),
        "best_seed": options["seed"] + outcome.best,
        "key": plan.key(tried),
        "steps_done": outcome.steps,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
    }
