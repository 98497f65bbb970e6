"""Sweeps: which of many options is best? Processes and machines share the trials.

Read it in this order: `space` (what is tried), `plan` (what is asked), `trials` (one trial),
`books` (what is next and what is done), `study` (the books in Optuna) and `storage` (its file),
`workers` (who runs trials), `sweeping` (from the books to the workers), `table` and `plot` (what
was found).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ..checks import check_whole
from .plan import Plan, Search, plan_of, read_plan
from .sweeping import Done, Sweep
from .table import Best, Result, row_of

__all__ = ["Best", "Result", "sweep"]


def sweep(
    space: Any,
    data: str | os.PathLike[str] | Sequence[str] | None = None,
    *,
    sampler: str = "grid",
    trials: int | None = None,
    seeds: int = 1,
    judge_by: str = "mean",
    prune: bool = False,
    workers: int = 1,
    storage: str | os.PathLike[str] | None = None,
    callback: Callable[[dict[str, Any]], object] | None = None,
    **options: Any,
) -> Result:
    """Train with each of many configurations; say what became of each, and which was best.

    `space` says what is tried. A mapping has a list of choices or a range for each option's name,
    `{"n_embd": [16, 32], "lr": {"low": 1e-3, "high": 0.1, "log": True}}`; a range may have a step.
    A list has a mapping of options for each trial, and a pandas DataFrame a row. A path is that of
    a file as `isograd sweep` takes it; what is given here goes before what stands there. `options`
    are those that all trials share, by the names of `isograd train`; `data` is a file of documents
    or a list of them, by default the names that come with the package.

    The sampler "grid" tries all combinations, "random" as many `trials` as asked for, "tpe", too,
    but goes by what it has found. Each trial trains with `seeds` seeds, the option `seed` and those
    after it, and is judged by their "mean" loss or by the "best": the last validation loss if there
    is `validation`, otherwise the mean of the last tenth of the steps. With `prune`, trials end
    whose validation loss is worse than the median of those before at the same step.

    Uses `workers` processes, one thread each; 1 is this process. With the file `storage`, a sweep
    that was interrupted goes on, and other processes and machines may take part that call the same.
    Calls `callback(row)` for each trial that ends here; stops where it returns False.

    The same trials give the same losses wherever they run, so the table of a grid, a random search
    or a list depends on nothing else. That of "tpe" and `prune` depends on who was first, if there
    is more than one worker.

    Raises ValueError for what cannot be asked, OSError for files that cannot be read or written,
    and ModuleNotFoundError where `isograd[sweep]` is not installed and needed: for a storage, for
    "tpe" and for `prune`.
    """
    check_whole("workers", workers, 1)
    search = Search(sampler, trials, seeds, judge_by, prune)
    if isinstance(space, (str, os.PathLike)):
        plan = read_plan(space, data, search, options)
    else:
        plan = plan_of(space, data, search, options)
    return run(plan, workers, None if storage is None else os.fspath(storage), callback)


def run(
    plan: Plan,
    workers: int,
    storage: str | None,
    callback: Callable[[dict[str, Any]], object] | None,
) -> Result:
    """What `sweep` does once it is known what is asked."""
    at_work = Sweep(plan, workers, storage)
    try:
        for event in at_work.events():
            if callback and isinstance(event, Done):
                row = row_of(plan, event.ticket.index, event.ticket.tried, event.outcome)
                if callback(row) is False:
                    break
        return at_work.result()
    finally:
        at_work.close()


class CallableModule(ModuleType):
    """Lets `isograd.sweep` be this package and what most people want of it: the function."""

    __call__ = staticmethod(sweep)


sys.modules[__name__].__class__ = CallableModule
