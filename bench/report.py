"""What the studies share: fresh processes, turns, the machine, and Markdown on standard output."""

import platform
import sys
import sysconfig
import textwrap
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from statistics import median

import pyperf

from isograd import __version__
from isograd._backend import compiler, vector_unit

SPAWN = get_context("spawn")


def fresh(measure, *args):
    """What `measure(*args)` returns in a new process, where nothing has run before it."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(measure, *args).result()


def construct(cls, *args):
    return cls(*args)


class Keeper(BaseManager):
    """A process that keeps an object between calls."""


Keeper.register("construct", construct)


def kept(stack, cls, *args):
    """`cls(*args)` in a process of its own, which ends with the ExitStack `stack`."""
    return stack.enter_context(Keeper(ctx=SPAWN)).construct(cls, *args)


def announced(rounds, title):
    """Yields `rounds` times; says so on standard error, as standard output is for Markdown."""
    for i in range(rounds):
        print(f"{title}: round {i + 1} of {rounds}", file=sys.stderr)
        yield i


def as_markdown(rows):
    """`rows`, the heading first, as a table: labels and sentences left, figures right."""
    heading, *rest = (f"| {' | '.join(row)} |" for row in rows)
    sides = ("---" if words else "---:" for words in wordy(rows)[1:])
    return "\n".join([heading, f"|{'|'.join(['---', *sides])}|", *rest])


def wordy(rows):
    """Which columns hold sentences, below their heading."""
    return [max(map(len, column)) > 45 for column in zip(*rows[1:])]


def table(*rows):
    """Print `rows`, the first of them the heading, in Markdown."""
    print(f"\n{as_markdown(rows)}\n")


def ratio(slow, fast):
    """`slow` / `fast`, round by round: the median, the lowest and the highest."""
    ratios = [s / f for s, f in zip(slow, fast)]
    return spread(ratios, "**")


def figure(x):
    """`x` to three digits or more, without exponents."""
    if x >= 99.95:
        return f"{x:,.0f}"
    return f"{x:.3g}" if x >= 0.001 or x == 0 else f"{x:.6f}"


def spread(values, mark=""):
    """The median of `values` between two of `mark`, the lowest and the highest if they differ."""
    low, middle, high = map(figure, (min(values), median(values), max(values)))
    return f"{mark}{middle}{mark}" + (f" ({low} to {high})" if low != high else "")


def note(text):
    """Print the paragraph below a table."""
    print(textwrap.fill(text, 100, break_on_hyphens=False) + "\n")


def machine_rows():
    """What is measured, on what, and when."""
    metadata = pyperf.Run([1.0], collect_metadata=True).get_metadata()
    cpu = metadata.get("cpu_model_name", platform.processor() or platform.machine())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    configured = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimized = "with" if "--enable-optimizations" in configured else "without"
    return [
        ("machine", f"{cpu}, {metadata.get('cpu_count', '?')} CPUs"),
        ("system", " ".join((platform.system(), platform.machine(), *platform.libc_ver()))),
        ("load before", f"{metadata.get('load_avg_1min', 'unknown')}"),
        ("Python", f"{python}, {platform.python_compiler()}, {optimized} --enable-optimizations"),
        ("isograd", f"{__version__}, {compiler}, vector unit {vector_unit}"),
        ("date", metadata["date"][:16]),
    ]


def machine():
    """Print it."""
    table(*machine_rows())
