"""Where a script spends its time: a look at its line forty times a second, by a thread of ours.

Only on a terminal or when asked; the script's own output has no part in it. What was left alone and
took long is then said on standard error, one line, when the script ends.
"""

from __future__ import annotations

import _thread
import sys
import time
from collections import Counter

from .plan import Finding, Plan
from .remedies import remedy

PAUSE = 0.025  # seconds
ENOUGH = 1.0  # seconds of the processor, below which nothing is said
GOOD_PART = 0.2  # of the time


class Watch:
    """Counts the lines at which a script is."""

    def __init__(self, file: str, plan: Plan) -> None:
        self.file = file
        self.plan = plan
        self.lines: Counter[int] = Counter()
        self.main = _thread.get_ident()
        self.is_over = False
        self.began = time.process_time()

    def start(self) -> None:
        try:
            _thread.start_new_thread(self.look, ())
        except RuntimeError:  # no thread to be had: then nothing is said
            self.is_over = True

    def look(self, sleep=time.sleep, frames=sys._current_frames) -> None:  # type: ignore[no-untyped-def]
        while not self.is_over:
            sleep(PAUSE)
            frame = frames().get(self.main)
            while frame and frame.f_code.co_filename != self.file:
                frame = frame.f_back
            if frame:
                self.lines[frame.f_lineno] += 1
            del frame

    def shares(self) -> list[tuple[float, Finding]]:
        """Of what was left alone, the share of the time, the largest first."""
        total = sum(self.lines.values())
        found = []
        for finding in self.plan.findings:
            if finding.replaced or not total:
                continue
            inside = range(finding.line, finding.end + 1)
            n = sum(count for line, count in self.lines.items() if line in inside)
            everything = not any(other.replaced for other in self.plan.findings)
            found.append((1.0 if everything else n / total, finding))
        return sorted(found, key=lambda share: -share[0])

    def say(self, why: bool) -> None:
        """Ends the watch, and says what took long."""
        self.is_over = True
        if time.process_time() - self.began < ENOUGH:
            return
        for share, finding in self.shares():
            if share < (0.01 if why else GOOD_PART):
                break
            where = "" if finding.what == "the script" else f" in line {finding.line}"
            about = f"{finding.what}{where} ran as plain Python"
            what = f"isograd: {about}, about {share:.0%} of the time"
            what_to_do = remedy(finding.why)
            more = f"; remedy: {what_to_do}" if what_to_do else ""
            print(f"{what}: {finding.why}{more}", file=sys.stderr)
            if not why:
                break


def may_watch(plan: Plan) -> bool:
    """Whether a thread of ours is seen by nobody: the script makes no processes."""
    return not plan.forks


def is_terminal() -> bool:
    try:
        return bool(sys.stderr and sys.stderr.isatty())
    except ValueError:
        return False
