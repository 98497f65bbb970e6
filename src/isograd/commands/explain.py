"""What `isograd explain` does: refuse what would lose a file, train, write the page."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import Any

from ..checkpoint import load_checkpoint
from ..explain import Explanation
from ..explain.page import is_page
from ..explain.plan import Plan, data_of, payload_in, plan_of
from ..explain.record import Recording, TooLarge, record_run
from ..files import check_writable
from .endings import end, ending_unwritable, giving_up, refusing_bad_input
from .progress import LiveProgress, Pace, Progress, say_what_is_cut


def make_page(
    output: str,
    opens: bool = False,
    *,
    checkpoint: str | None = None,
    data: str | None = None,
    compare: str | None = None,
    withhold_documents: bool = False,
    times: bool = False,
    **options: Any,
) -> None:
    """Make the page `output`, and say what it holds. `options` are those given, by their names."""
    with refusing_bad_input(compare):
        other = payload_in(compare) if compare else None
    plan = planned(checkpoint, data, options)
    with refusing_bad_input(plan.options.validation_file):
        plan.check_validation()
    with refusing_bad_input(output, "write"):
        check_writable(output)
        check_replaceable(output)
    if not checkpoint:
        say_what_is_cut(plan.texts, plan.options.block_size)
    recording = recorded(plan)
    with refusing_bad_input():
        plan.check_same_run(recording)
    about = plan.about(recording, withhold_documents, times)
    explanation = Explanation(recording, about, other)
    with ending_unwritable(output):
        explanation.save(output)
    print(f"{output}: {explanation.summary()}")
    if opens:
        open_in_browser(output)


def planned(checkpoint: str | None, data: str | None, options: dict[str, Any]) -> Plan:
    """The run that is asked for; ends the command if there is none."""
    loaded = None
    if checkpoint:
        with refusing_bad_input(checkpoint):
            loaded = load_checkpoint(checkpoint)
            data = data_of(loaded) if data is None else data
    with refusing_bad_input(data):
        return plan_of(loaded, data, options, checkpoint)


def check_replaceable(path: str) -> None:
    """Raises ValueError if there is a file `path` that is no page of ours."""
    if os.path.exists(path) and not is_page(path):
        raise ValueError(f"{path!r} exists and is no page of isograd explain; name a new file")


def recorded(plan: Plan) -> Recording:
    """Train with progress; ends the command where training is interrupted or diverges."""
    losses: list[float] = []
    steps, pace = plan.options.steps, Pace(0)
    live = LiveProgress(steps, losses) if sys.stdout and sys.stdout.isatty() else None

    def callback(step: int, loss: float) -> None:
        losses.append(loss)
        if live and pace.is_due(step):
            live.show()

    with giving_up(live or Progress(steps, losses)), live or nullcontext():
        try:
            return record_run(plan.texts, plan.options, callback)
        except TooLarge as error:
            end(str(error), 1)


def open_in_browser(path: str) -> None:
    """Show the page, or say that there is nothing to show it with."""
    import webbrowser
    from pathlib import Path

    if not webbrowser.open(Path(path).resolve().as_uri()):
        print("isograd: there is no browser to open it with", file=sys.stderr)
