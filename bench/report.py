"""What the studies share: fresh processes, rounds, and Markdown on standard output."""

import platform
import sys
import sysconfig
import textwrap
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

import pyperf

from isograd import __version__
from isograd._backend import compiler, vector_unit

SPAWN = get_context("spawn")


def fresh(measure, *args):
    """What `measure(*args)` returns in a new process, where nothing has run before it."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(measure, *args).result()


def announced(rounds, title):
    """Yields `rounds` times; says so on standard error, as standard output is for Markdown."""
    for i in range(rounds):
        print(f"{title}: round {i + 1} of {rounds}", file=sys.stderr)
        yield i


def table(*rows):
    """Print `rows`, the first of them the heading, in Markdown: labels left, figures right."""
    print()
    for i, row in enumerate(rows):
        print("|", " | ".join(row), "|")
        if i == 0:
            print("|---|" + "---:|" * (len(row) - 1))
    print()


def ratio(slow, fast):
    """`slow` / `fast`, round by round: the median, the lowest and the highest."""
    ratios = [s / f for s, f in zip(slow, fast)]
    return f"**{median(ratios):.3g}** ({min(ratios):.3g} to {max(ratios):.3g})"


def note(text):
    """Print the paragraph below a table."""
    print(textwrap.fill(text, 100, break_on_hyphens=False) + "\n")


def machine():
    """Print what is measured, on what, and when."""
    metadata = pyperf.Run([1.0], collect_metadata=True).get_metadata()
    cpu = metadata.get("cpu_model_name", platform.processor() or platform.machine())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    configured = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimized = "with" if "--enable-optimizations" in configured else "without"
    table(
        ("machine", f"{cpu}, {metadata.get('cpu_count', '?')} CPUs"),
        ("system", " ".join((platform.system(), platform.machine(), *platform.libc_ver()))),
        ("load before", f"{metadata.get('load_avg_1min', 'unknown')}"),
        ("Python", f"{python}, {platform.python_compiler()}"),
        ("configured", f"{optimized} --enable-optimizations"),
        ("isograd", f"{__version__}, {compiler}, vector unit {vector_unit}"),
        ("date", metadata["date"][:16]),
    )
