"""Whole programs, from the start of their process to the last name: what somebody waits for.

The script is the one that the tests have: a GPT in one flat file of plain Python. It prints what
`isograd train --plain` prints.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import steps
from document import Section
from pyperf import perf_counter
from report import fresh, ratio, spread
from same import DifferentBits, bits_of

import isograd

PROGRAM = Path(__file__).parent.parent / "tests" / "programs" / "names_gpt.py"
NAMES = Path(isograd.__file__).parent / "data" / "names.txt"
SHOW_BITS = """
print("losses", *(float(loss).hex() for loss in losses))
print("weights", *(float(p.data).hex() for p in params))
"""


class Finished:
    """A program that has run: its seconds, those between its first and last step, its output."""

    def __init__(self, arguments):
        """Run this Python with `arguments`. Raises CalledProcessError if it fails."""
        command = [sys.executable, "-u", *arguments]
        start = perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            output, marks = b"", []
            while piece := process.stdout.read1(1 << 16):
                output += piece
                if b"\r" in piece:  # a step ends with one
                    marks.append(perf_counter())
        self.seconds = perf_counter() - start
        self.between = marks[-1] - marks[0] if marks else 0.0
        self.output = output.decode().replace("\r\n", "\n")
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, self.output)


class Script:
    """A rung of the ladder: the script, with two lines more that print its bits, run by `how`."""

    def __init__(self, how):
        self.how = how

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, PROGRAM.name)
        text = PROGRAM.read_text(encoding="utf-8") + SHOW_BITS
        self.path.write_text(text, encoding="utf-8")
        return self

    def __exit__(self, *exception):
        self.folder.cleanup()

    def run(self, n):
        """Seconds between the first and the last of `n` steps, and the Bits of the run."""
        program = Finished([*self.how, str(self.path), str(NAMES), f"steps={n}", "samples=0"])
        *_, losses, weights = program.output.splitlines()
        losses, weights = (list(map(float.fromhex, line.split()[1:])) for line in (losses, weights))
        return program.between, bits_of(losses, weights)

    def turn(self, n, seconds):
        return self.run(n)


PLAIN, OURS = "python SCRIPT", "isograd train --plain --tier reference"
RUN, TRAIN = "isograd run SCRIPT", "isograd train --plain"


def measure(plan, turns):
    """The section."""
    n = plan.reference_steps
    operations = fresh(steps.operations)
    script, train = [str(PROGRAM), str(NAMES)], ["-m", "isograd", "train", "--plain"]
    run = ["-m", "isograd", "run", *script]
    times = {PLAIN: [], OURS: [], RUN: [], TRAIN: []}
    short = Finished([*run, f"steps={n}"])
    for _ in turns(plan.rounds, "whole programs"):
        slow = {
            PLAIN: Finished([*script, f"steps={n}"]),
            OURS: Finished([*train, "--tier", "reference", "--steps", str(n)]),
        }
        quick = {RUN: Finished(run), TRAIN: Finished(train)}
        alike({RUN: short, **slow}, f"of {n} steps")
        alike(quick, f"of {steps.STEPS:,} steps")
        for name, program in slow.items():
            rest = program.between * sum(operations[n:]) / sum(operations[1:n])
            times[name].append(program.seconds + rest)
        for name, program in quick.items():
            times[name].append(program.seconds)
    return describe(plan, times)


def alike(programs, what):
    """Raises DifferentBits unless all programs, by name, printed the same bytes."""
    (first, expected), *others = programs.items()
    for name, program in others:
        if program.output != expected.output:
            raise DifferentBits(f"`{name}` differs from `{first}` in what it prints {what}")


def describe(plan, times):
    section = Section("programs", "Whole programs, process start and end included")
    heading = ("", "seconds", "SCRIPT / this", "reference / this")
    rows = [
        (f"`{name}`", spread(seconds), ratio(times[PLAIN], seconds), ratio(times[OURS], seconds))
        for name, seconds in times.items()
    ]
    section.table([heading, *rows])
    section.say(
        f"SCRIPT is {PROGRAM.name}, a GPT in one flat file that has never heard of isograd; the "
        f"default run of {steps.STEPS:,} steps, then 20 names. The first two programs run "
        f"{plan.reference_steps} steps and the names, and by the operations in the graphs their "
        f"steps count for all {steps.STEPS:,}; the other two run it all. What they print is equal, "
        "byte for byte. The last one's time is mostly imports and the reading of the names."
    )
    raw = [("program", "turn", "seconds")]
    raw += [(name, i + 1, s) for name, them in times.items() for i, s in enumerate(them)]
    section.raw("programs.csv", raw)
    return section


def expected(plan, pace):
    reference = 2.6 * plan.reference_steps + 45  # the script's own class is slower than ours
    return pace.step * reference * plan.rounds + 5 * pace.start * plan.rounds
