"""The performance study as one document: from pure Python to the machine's limit, on this machine.

`python bench/study.py [--quick] [--output build/study] [SECTION ..]`, or `make study`. Writes
study.html, a page with pictures that needs no other file; study.md, its text and tables, which it
prints as well; and the raw figures as CSV. Progress goes to standard error. Ends with status 1 and
a sentence if a tier's bits differ from the reference's.

The machine is assumed to be noisy: what is compared takes turns, figures are medians of the turns,
and ratios are taken turn by turn. Run it while the machine has nothing else to do.
"""

import argparse
import os
import sys
from pathlib import Path
from time import monotonic

import anatomy
import batches
import document
import growth
import ladder
import limit
import peers
import plan as plans
import programs
from peers import AnotherComputation
from report import machine_rows
from same import DifferentBits

from isograd._backend import backend

SECTIONS = {
    "ladder": ladder,
    "programs": programs,
    "anatomy": anatomy,
    "growth": growth,
    "peers": peers,
    "batches": batches,
    "limit": limit,
}
OUTPUT = Path(__file__).parent.parent / "build" / "study"
TITLE = "How fast, and why: isograd on this machine"


def say(text):
    print(text, file=sys.stderr, flush=True)


def conduct(plan, names, folder):
    """Measure the sections `names`, write the document into `folder`; returns the page's path."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    say("measuring the pace of this machine ..")
    pace, machine, started = plans.measure_pace(), machine_rows(), monotonic()
    expected = {name: SECTIONS[name].expected(plan, pace) for name in names}
    say(f"the {plan.name} study will take about {plans.clock(sum(expected.values()))} min")
    progress, sections = plans.Progress(expected), []
    for name in names:
        progress.begin(name)
        sections.append(SECTIONS[name].measure(plan, progress.turns))
    taken = plans.clock(monotonic() - started)
    rows = [*machine, ("this study", f"{plan.name}, {plan.rounds} turns, {taken} min")]
    path, text = document.write(folder, TITLE, list(lead(plan, load)), rows, sections)
    print(text, end="")
    say(f"{taken} min; open {path}; text and raw figures lie beside it")
    return path


def lead(plan, load):
    """The paragraphs on top; `load` is the machine's before the study."""
    yield (
        "isograd trains a small GPT in pure Python's bits: every loss, gradient and weight is the "
        "double that 200 lines of Python compute. This study climbs from those 200 lines to the "
        "vector unit, one change at a time, and stops with an error if a single bit differs."
    )
    if plan.left_out:
        yield plan.left_out
    if load > 0.5:
        yield (
            f"The machine had other work when this began, a load of {load:.1f}: the figures are "
            "higher than they need be, and spread wider. Ratios within a table suffer less."
        )


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Measure isograd on this machine.")
    known = ", ".join(SECTIONS)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"any of {known}")
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)  # for the tests
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="DIR", help="where to write")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no such section: {', '.join(unknown)}; there are {known}")
    if backend != "c":
        parser.error("there is nothing to compare: this isograd runs without its C extension")
    plan = plans.TINY if options.tiny else plans.QUICK if options.quick else plans.FULL
    try:
        conduct(plan, options.sections or list(SECTIONS), options.output)
    except DifferentBits as difference:
        sys.exit(f"{difference}. So no speed means anything here, and there is no study.")
    except AnotherComputation as difference:
        sys.exit(f"{difference}.")
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was written")


if __name__ == "__main__":
    main()
