"""The study's pictures, drawn by matplotlib as SVG that takes its colours from the page.

A drawing is a function of a figure and what it shows. It is called once for each of WIDTHS and asks
`is_narrow` where that matters.
"""

import io
import re

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

WIDTHS = {"wide": 7.8, "narrow": 3.7}  # inches
INK, SOFT, LINE, PAPER = "#1d1c1a", "#5c5851", "#e3dfd6", "#fcfbf8"
COLOURS = {  # of the drawing, and their names in study.css
    INK: "--ink",
    SOFT: "--soft",
    LINE: "--line",
    PAPER: "--paper",
    "#ad3810": "--accent",
    "#2a68a8": "--blue",
    "#2a6b48": "--green",
    "#b98a1d": "--yellow",
    "#76508f": "--violet",
    "#928b7f": "--grey",
}
SERIES = list(COLOURS)[4:]
STYLE = {
    "svg.fonttype": "none",  # letters stay letters, which study.css gives the page's font
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": LINE,
    "legend.frameon": False,
}


def svg(name, width, draw, args):
    """The drawing named `draw` as an element of a page; `name` keeps its ids apart from others'."""
    with rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTHS[width], 1), layout="constrained")
        figure.patch.set_alpha(0)
        figure.get_layout_engine().set(rect=(0, 0, 0.98, 1))  # for text beside the axes
        DRAWINGS[draw](figure, *args)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'id="(?!m[0-9a-f]{10}|p[0-9a-f]{10})[^"]*"', "", text)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, f"var({variable})")
    return text


def is_narrow(figure):
    return figure.get_size_inches()[0] < 5


def height(figure, wide, narrow):
    figure.set_figheight(narrow if is_narrow(figure) else wide)


def plain(x, _=None):
    """A power of ten as people write it."""
    return f"{x:,.0f}" if x >= 1 else f"{x:g}"


def log_ticks(axis):
    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_formatter(NullFormatter())


def bars(figure, rows, label, heads):
    """`rows` of (name, length, texts, group) as bars on a log axis; a group has one colour.

    The two texts of a row are its length and its microseconds; `heads` stand above them.
    """
    narrow = is_narrow(figure)
    height(figure, 0.36 * len(rows) + 0.9, 0.5 * len(rows) + 0.7)
    axes = figure.subplots()
    groups = list(dict.fromkeys(group for *_, group in rows))
    low, high = (f(length for _, length, _, _ in rows) for f in (min, max))
    low /= 1.5
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    columns = axes.get_yaxis_transform()
    for at, (name, length, texts, group) in enumerate(rows):
        colour = SERIES[groups.index(group)]
        axes.barh(at, length - low, left=low, height=0.34 if narrow else 0.62, color=colour)
        if narrow:
            faster = f"{texts[0]} times, " if length > 1 else ""
            text = f"{faster}{texts[1]} µs"
            axes.text(0, at - 0.26, name, va="bottom", transform=columns)
            axes.text(1, at - 0.26, text, va="bottom", ha="right", color=SOFT, transform=columns)
    if not narrow:
        for at, texts in enumerate([heads, *(texts for _, _, texts, _ in rows)], -1):
            look = {"va": "center", "ha": "right", "color": INK if at >= 0 else SOFT}
            for x, text in zip((1.12, 1.32), texts):
                axes.text(x, at, text, transform=columns, **look)
    axes.set_yticks([] if narrow else range(len(rows)), [] if narrow else [n for n, *_ in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(rows) - 0.5, -0.9 if narrow else -1.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)
    log_ticks(axes.xaxis)


def stacked(figure, rows, parts):
    """`rows` of (name, shares of `parts`, text) as bars that add up to one."""
    narrow = is_narrow(figure)
    height(figure, 0.4 * len(rows) + 0.7, 0.55 * len(rows) + 0.9)
    axes = figure.subplots()
    for at, (name, shares, text) in enumerate(rows):
        left = 0.0
        for i, share in enumerate(shares):
            label = parts[i] if at == 0 else None
            tall = 0.45 if narrow else 0.66
            axes.barh(at, share, left=left, height=tall, color=SERIES[i], label=label)
            if share > 0.055:
                middle = left + share / 2
                axes.text(middle, at, f"{share:.0%}", ha="center", va="center", color=PAPER)
            left += share
        if narrow:
            axes.text(0, at - 0.27, f"{name}: {text}", va="bottom")
        else:
            axes.text(1.01, at, text, va="center", color=SOFT)
    axes.set_yticks([] if narrow else range(len(rows)), [] if narrow else [n for n, *_ in rows])
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.8 if narrow else -0.5)
    axes.set_xlim(0, 1 if narrow else 1.17)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.legend(loc="outside lower left", ncols=2 if narrow else len(parts), fontsize=9)


def lines(figure, panels, names):
    """`panels` of (title, {name: [(x, y)]}), all on log axes; a name has one colour in all."""
    narrow = is_narrow(figure)
    rows, columns = (len(panels), 1) if narrow else (-(-len(panels) // 2), 2)
    figure.set_figheight((2.2 if narrow else 2.5) * rows + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (title, series) in zip(grid, panels):
        axes.set_title(title)
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks = sorted({x for points in series.values() for x, _ in points})
        for name, points in series.items():
            if points:
                colour = SERIES[names.index(name)]
                middle = (ticks[0] * ticks[-1]) ** 0.5
                axes.plot(*zip(*points), "o-", ms=3.5, lw=1.6, color=colour)
                side = "left" if points[-1][0] < middle else "right"
                offset = {"xytext": (0, 5), "textcoords": "offset points", "ha": side}
                axes.annotate(name, points[-1], color=colour, fontsize=9, **offset)
        axes.set_xticks(ticks, [plain(x) for x in ticks])
        axes.minorticks_off()
        axes.margins(x=0.08, y=0.16)
        axes.grid(axis="y")
        log_ticks(axes.yaxis)


def dots(figure, rows, label):
    """`rows` of (name, {series: x}) as points on a log axis, a line for each row.

    Series that begin with the same word have the same colour; those in float32 are hollow.
    """
    narrow = is_narrow(figure)
    names = list(dict.fromkeys(series for _, points in rows for series in points))
    height(figure, 0.46 * len(rows) + 1.0, 0.62 * len(rows) + 1.3)
    axes = figure.subplots()
    axes.set_xscale("log")
    kinds = list(dict.fromkeys(name.split()[0] for name in names))  # which have colours
    looks = {name: {"color": SERIES[kinds.index(name.split()[0])]} for name in names}
    for name in names:
        if "float32" in name:
            looks[name]["mfc"] = "none"
        axes.plot([], [], "o", label=name, **looks[name])
    for at, (name, points) in enumerate(rows):
        ends = [min(points.values()), max(points.values())]
        axes.plot(ends, [at, at], color=LINE, lw=1.5, zorder=1)
        for series, x in points.items():
            axes.plot(x, at, "o", ms=7.5, zorder=2, **looks[series])
        if narrow:
            axes.text(0, at - 0.22, name, va="bottom", transform=axes.get_yaxis_transform())
    axes.set_yticks([] if narrow else range(len(rows)), [] if narrow else [n for n, _ in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(rows) - 0.5, -0.8 if narrow else -0.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)
    log_ticks(axes.xaxis)
    figure.legend(loc="outside lower left", ncols=2 if narrow else 4, fontsize=9)


DRAWINGS = {"bars": bars, "stacked": stacked, "lines": lines, "dots": dots}
