"""A sweep as a picture: all trials at once in parallel coordinates, and loss against each option.

Each trial is a line, and a point with a bar from its best seed to its worst; the better, the darker
and the further in front. A trial that diverged is a cross at the upper edge.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

from ..files import write_atomically
from .plan import Plan
from .space import Choices, Range

LEAST, MOST = 0.0, 0.88  # of the colour map, whose lightest end is hard to see on white
BEST = "#d7301f"


class Option(NamedTuple):
    """An option as an axis: where its values stand, and what is written there."""

    name: str
    positions: list[float]  # of each row, between 0 and 1
    ticks: list[tuple[float, str]]
    spread: float = 0.0  # how far apart trials of one value may stand


def save_plot(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]], plan: Plan) -> None:
    """Draw `rows` into the file `path`. Raises ModuleNotFoundError without matplotlib."""
    from matplotlib.figure import Figure

    options = [option_of(name, rows, plan) for name in plan.candidates.names]
    options = [option for option in options if len({*option.positions}) > 1] or options[:1]
    columns = 4 if len(options) in (4, 7, 8) else min(3, len(options))
    lines = -(-len(options) // columns)
    size = max(8.0, 2.9 * columns + 0.6), 3.6 + 2.7 * lines
    figure: Any = Figure(figsize=size, layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[3.4, 2.7 * lines], hspace=0.04)
    losses = [row["loss"] for row in rows]
    found = [loss for loss in losses if math.isfinite(loss)]
    limits = limits_of(found)
    axes = upper.add_subplot()
    draw_parallel(axes, options, losses, limits)
    grid = lower.subplots(lines, columns, sharey=True, squeeze=False)
    for i, panel in enumerate(grid.flat):
        if i < len(options):
            draw_option(panel, options[i], rows, limits, plan.search.seeds)
            panel.set_ylabel("loss (nats)" if i % columns == 0 else "")
        else:
            panel.set_visible(False)
    upper.suptitle(title(rows, plan), fontsize=10)
    lower.supxlabel(legend(losses, limits, plan), fontsize=8, color="0.35")
    content = BytesIO()
    figure.savefig(content, format=os.path.splitext(path)[1][1:].lower(), dpi=150)
    write_atomically(path, content.getvalue())


def title(rows: Sequence[dict[str, Any]], plan: Plan) -> str:
    """What the picture shows, and which trial was best."""
    found = [row for row in rows if math.isfinite(row["loss"])]
    sentence = f"{len(rows)} trials"
    if plan.search.seeds > 1:
        sentence += f" of {plan.search.seeds} seeds"
    if len(found) < len(rows):
        sentence += f", {len(rows) - len(found)} without a loss"
    if found:
        best = min(found, key=lambda row: row["loss"])
        tried = ", ".join(f"{name} {written(best[name])}" for name in plan.candidates.names)
        sentence += f"\nbest: {best['loss']:.4f} with {tried}"
    return sentence


def legend(losses: Sequence[float], limits: tuple[float, float], plan: Plan) -> str:
    """What the marks mean."""
    parts = ["a point: a trial"]
    if plan.search.seeds > 1:
        parts.append(f"judged by the {plan.search.judge_by} of its seeds")
        parts.append("a bar: from the best seed to the worst")
    if any(not loss <= limits[1] for loss in losses):
        parts.append("a cross: no loss, or one beyond the scale")
    return ", ".join(parts)


def written(x: Any) -> str:
    return f"{x:.3g}" if isinstance(x, float) else str(x)


def limits_of(losses: Sequence[float]) -> tuple[float, float]:
    """From the best loss to one that leaves out a few that are far off."""
    if not losses:
        return 0.0, 1.0
    ordered = sorted(losses)
    low, middle, high = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    high = min(high, max(low + 4 * (middle - low), ordered[len(ordered) * 3 // 4]))
    return low, high if high > low else low + 1e-6


def option_of(name: str, rows: Sequence[dict[str, Any]], plan: Plan) -> Option:
    """The option `name` as an axis: ranges and many numbers to scale, else value by value."""
    values = [row[name] for row in rows]
    axis = plan.axes.get(name)
    numbers = [x for x in values if isinstance(x, (int, float)) and not isinstance(x, bool)]
    distinct = sorted({*numbers})
    if isinstance(axis, Range) or (len(numbers) == len(values) and len(distinct) > 8):
        low, high = distinct[0], distinct[-1]
        if isinstance(axis, Range):
            low, high = axis.low, axis.high
        log = axis.log if isinstance(axis, Range) else low > 0 and high / low >= 50
        place = math.log if log else float
        span = (place(high) - place(low)) or 1.0
        marks = ticks_of(low, high, log)
        step = axis.step if isinstance(axis, Range) and axis.step else 0.0
        return Option(
            name,
            [(place(x) - place(low)) / span for x in values],
            [((place(x) - place(low)) / span, f"{x:g}") for x in marks],
            0.4 * step / span,
        )
    kinds = distinct if len(numbers) == len(values) else [*dict.fromkeys(values)]
    if isinstance(axis, Choices) and len(numbers) < len(values):
        kinds = [value for value in axis.values if value in kinds]
    last = max(1, len(kinds) - 1)
    place_of = {x: i / last for i, x in enumerate(kinds)}
    ticks = [(place, written(x)) for x, place in place_of.items()]
    spread = 0.5 / (last + 1) if len(kinds) < len(values) else 0.0
    return Option(name, [place_of[x] for x in values], ticks, spread)


def ticks_of(low: float, high: float, log: bool) -> list[float]:
    """Round numbers between `low` and `high`, as matplotlib chooses them."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    if log:
        subs = (1.0,) if high / low > 30 else (1.0, 2.0, 5.0)
        found = LogLocator(subs=subs).tick_values(low, high)
    else:
        whole = isinstance(low, int) and isinstance(high, int)
        found = MaxNLocator(5, integer=whole).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(x) for x in found if low - slack <= x <= high + slack]


def colours(losses: Sequence[float], limits: tuple[float, float]) -> list[Any]:
    """A colour for each loss: dark for a good one, grey for none."""
    from matplotlib import colormaps

    low, high = limits
    shades = colormaps["viridis"]
    return [
        shades(LEAST + (MOST - LEAST) * min(1.0, (loss - low) / (high - low)))
        if math.isfinite(loss)
        else (0.8, 0.8, 0.8, 1.0)
        for loss in losses
    ]


def draw_parallel(
    axes: Any, options: Sequence[Option], losses: Sequence[float], limits: tuple[float, float]
) -> None:
    """A line for each trial, through the values of its options to its loss."""
    where = [*options, loss_axis(losses, limits)]
    order = sorted(range(len(losses)), key=lambda i: -min(losses[i], math.inf))
    shades = colours(losses, limits)
    alpha = max(0.25, min(0.9, 30 / max(1, len(losses))))
    for i in order:
        points = [option.positions[i] for option in where]
        finite = math.isfinite(losses[i])
        axes.plot(
            range(len(points)),
            points,
            color=shades[i],
            alpha=alpha if finite else 0.6,
            linewidth=1.1 if finite else 0.6,
        )
    if order and math.isfinite(losses[order[-1]]):
        points = [option.positions[order[-1]] for option in where]
        axes.plot(range(len(points)), points, color=BEST, linewidth=2.2, label="best", zorder=5)
    for x, option in enumerate(where):
        axes.axvline(x, color="0.3", linewidth=0.9, zorder=4)
        for y, text in option.ticks:
            axes.annotate(
                text,
                (x, y),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                zorder=6,
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.75, "lw": 0},
            )
    axes.set_xticks(range(len(where)), [option.name for option in where])
    axes.set_yticks([])
    axes.set_ylim(-0.06, 1.06)
    axes.set_xlim(-0.15, len(where) - 1 + 0.35)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def loss_axis(losses: Sequence[float], limits: tuple[float, float]) -> Option:
    """The loss as the last axis, its best at the bottom."""
    low, high = limits
    span = high - low
    positions = [min(1.0, (loss - low) / span) if loss == loss else 1.0 for loss in losses]
    ticks = [((x - low) / span, f"{x:.4g}") for x in ticks_of(low, high, False)]
    if any(not loss <= high for loss in losses):
        ticks = [tick for tick in ticks if tick[0] < 0.93] + [(1.0, "more, or none")]
    return Option("loss (nats)", positions, ticks)


def draw_option(
    axes: Any,
    option: Option,
    rows: Sequence[dict[str, Any]],
    limits: tuple[float, float],
    seeds: int,
) -> None:
    """The loss of each trial above the value of one option."""
    low, high = limits
    losses = [row["loss"] for row in rows]
    shades = colours(losses, limits)
    golden = (5**0.5 - 1) / 2  # whose multiples fall between one another
    places = [
        x + option.spread * (row["index"] * golden % 1 - 0.5)
        for x, row in zip(option.positions, rows)
    ]
    top = high + 0.08 * (high - low)
    for i, row in enumerate(rows):
        x = places[i]
        if seeds > 1:
            each = [row[f"loss_{k + 1}"] for k in range(seeds)]
            each = [loss for loss in each if math.isfinite(loss)]
            if each:
                ends = [min(top, min(each)), min(top, max(each))]
                axes.plot([x, x], ends, color=shades[i], linewidth=1, alpha=0.5)
    inside = [i for i, loss in enumerate(losses) if loss <= high]
    beyond = [i for i, loss in enumerate(losses) if not loss <= high]
    axes.scatter(
        [places[i] for i in inside],
        [losses[i] for i in inside],
        c=[shades[i] for i in inside],
        s=18,
        linewidths=0,
        zorder=3,
    )
    axes.scatter(
        [places[i] for i in beyond], [top] * len(beyond), c="0.5", marker="x", s=16, lw=0.9
    )
    if inside:
        best = min(inside, key=lambda i: losses[i])
        axes.scatter([places[best]], [losses[best]], s=60, facecolor="none", edgecolor=BEST, lw=1.6)
    axes.set_ylim(low - 0.06 * (high - low), top + 0.04 * (high - low))
    axes.set_xticks([x for x, _ in option.ticks], [text for _, text in option.ticks])
    edge = 0.08 + option.spread / 2
    axes.set_xlim(-edge, 1 + edge)
    axes.set_xlabel(option.name)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
