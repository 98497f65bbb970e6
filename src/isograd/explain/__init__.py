"""One page that explains a run: every number of it, computed again before the reader's eyes.

Read it in this order: `plan` (which run is asked for), `record` (it is trained and recorded, with
the help of `calls`), `payload` (the recording as bytes), `page` (the bytes as an HTML file, with
`lines` of the reference), `explanation` (what users hold). What the page does with the bytes stands
in assets: `core` computes, `page` shows, `text` says it in words.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ..checkpoint import Checkpoint, load_checkpoint
from .explanation import Explanation
from .plan import payload_in, plan_of
from .record import record_run

__all__ = ["Explanation", "explain"]


def explain(
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    *,
    data: str | os.PathLike[str] | Sequence[str] | None = None,
    compare: str | os.PathLike[str] | None = None,
    withhold_documents: bool = False,
    times: bool = False,
    callback: Callable[[int, float], object] | None = None,
    **options: Any,
) -> Explanation:
    """Train a run, as `isograd train` does, and make a page of it that explains every number.

    `data` is a file of documents or a list of them, by default the names that come with the
    package. `options` are those of the command, by the names of `RunOptions`: steps, n_layer,
    schedule, validation and so on. A `checkpoint`, or the path of one, holds all of these; its run
    is trained again from its beginning.

    The page can compare the run with that of another page, the file `compare`. It contains the
    documents: all of them up to a megabyte, otherwise or with `withhold_documents` those that the
    steps used. With `times` it says how long a step takes here on each tier, and so differs from
    time to time. Calls `callback(step, loss)` for each step, counted from 1, soon after it.

    Raises OSError for files that cannot be read, ValueError for options that cannot be, that
    contradict the checkpoint, or that make too large a page, and what Python's arithmetic raises
    where training diverges.
    """
    other = payload_in(compare) if compare is not None else None
    path = None
    if isinstance(checkpoint, (str, os.PathLike)):
        path, checkpoint = checkpoint, load_checkpoint(checkpoint)
    plan = plan_of(checkpoint, data, options, path)
    recording = record_run(plan.texts, plan.options, callback)
    plan.check_same_run(recording)
    about = plan.about(recording, withhold_documents, times)
    return Explanation(recording, about, other)


class CallableModule(ModuleType):
    """Lets `isograd.explain` be this package and what most people want of it: the function."""

    __call__ = staticmethod(explain)


sys.modules[__name__].__class__ = CallableModule
