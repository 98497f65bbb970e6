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


def measure(plan, turns):
    """The section."""
    n = plan.reference_steps
    operations = fresh(steps.operations)
    script = [str(PROGRAM), str(NAMES)]
    times = {"plain": [], "run": [], "train": []}
    for _ in turns(plan.rounds, "whole programs"):
        plain = Finished([*script, f"steps={n}"])
        run = Finished(["-m", "isograd", "run", *script])
        train = Finished(["-m", "isograd", "train", "--plain"])
        alike(run, train, "`isograd run` and `isograd train` print")
        rest = plain.between * sum(operations[n:]) / sum(operations[1:n])
        times["plain"].append(plain.seconds + rest)
        times["run"].append(run.seconds)
        times["train"].append(train.seconds)
    short = Finished(["-m", "isograd", "run", *script, f"steps={n}"])
    alike(plain, short, f"python and `isograd run` print, after {n} steps,")
    return describe(plan, times)


def alike(one, other, what):
    """Raises DifferentBits unless two programs printed the same bytes."""
    if one.output != other.output:
        raise DifferentBits(f"{what} different output; the reference decides who is right")


def describe(plan, times):
    section = Section("programs", "Whole programs, process start and end included")
    rows = [("", "seconds", "times as fast")]
    for kind, command in (
        ("plain", f"`python {PROGRAM.name}` (most steps extrapolated)"),
        ("run", f"`isograd run {PROGRAM.name}`"),
        ("train", "`isograd train --plain`"),
    ):
        rows.append((command, spread(times[kind]), ratio(times["plain"], times[kind])))
    section.table(rows)
    section.say(
        f"{steps.STEPS:,} steps and 20 names, the default run. Plain Python runs "
        f"{plan.reference_steps} steps and the names; by the operations in the graphs, its steps "
        f"count for all {steps.STEPS:,}. The other two run it all. What they print is equal, byte "
        f"for byte. Imports and reading the names are most of `isograd train`."
    )
    raw = [("program", "turn", "seconds")]
    raw += [(kind, i + 1, s) for kind, them in times.items() for i, s in enumerate(them)]
    section.raw("programs.csv", raw)
    return section


def expected(plan, pace):
    reference = (plan.reference_steps + 15) * plan.rounds
    return pace.step * (reference + 9 * plan.rounds) + 4 * pace.start * plan.rounds
