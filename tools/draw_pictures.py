"""Draws the pictures of docs/tutorial.md and docs/experiments.md anew: tools/draw_pictures.py

It runs the pages' own examples, so a picture shows what the code beside it computes. It needs
matplotlib.
"""

import contextlib
import io
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parent.parent / "docs"
IMAGES = DOCS / "images"
BLUE, RED, GREY = "#3f51b5", "#c62828", "#9e9e9e"


def run_example(page: str, number: int) -> dict[str, Any]:
    """The variables that the example `number` of a page leaves, counted from 1."""
    examples = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.S | re.M)
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(examples[number - 1], names)
    return names


def axes(width: float, height: float) -> Any:
    ax = plt.figure(figsize=(width, height)).gca()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def save(name: str) -> None:
    plt.savefig(IMAGES / name, dpi=130, bbox_inches="tight", metadata={"Software": None})
    plt.close()


def draw_graph() -> None:
    """It is the picture that the tutorial's first example saves."""
    run_example("tutorial.md", 1)
    shutil.copyfile("graph.svg", IMAGES / "tutorial-graph.svg")


def draw_downhill() -> None:
    """The way of `x` in the tutorial's second section, on the curve of its loss."""
    way = run_example("tutorial.md", 3)["way"]
    ax = axes(5.4, 2.9)
    curve = [0.95 + i / 200 for i in range(131)]
    ax.plot(curve, [(x**2 - 2) ** 2 for x in curve], color=GREY)
    ax.plot(way, [(x**2 - 2) ** 2 for x in way], "o-", color=BLUE, ms=5, lw=0.8)
    ax.annotate("start", (way[0], 1), (way[0] + 0.05, 1.05), color=BLUE)
    ax.axvline(2**0.5, color=RED, lw=0.8, ls=":")
    ax.text(2**0.5 + 0.01, 0.9, "the square root of 2", color=RED)
    ax.set(xlabel="x", ylabel="loss")
    save("tutorial-downhill.png")


def draw_followers() -> None:
    """Which letter the model of the tutorial's third section expects after which."""
    names = run_example("tutorial.md", 4)
    letters = [*names["tok"].chars, "·"]
    chances = [[p.data for p in names["softmax"](row)] for row in names["scores"]]
    ax = plt.figure(figsize=(5.6, 5.6)).gca()
    ax.imshow(chances, cmap="Blues", vmin=0, vmax=0.5)
    ax.set_xticks(range(len(letters)), letters)
    ax.set_yticks(range(len(letters)), letters)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.set(xlabel="the next letter", ylabel="a letter")
    save("tutorial-followers.png")


def draw_widths() -> None:
    """The sweep of docs/experiments.md."""
    result = run_example("experiments.md", 2)["result"]
    ax = axes(5.4, 3.1)
    for width, color in ((16, GREY), (32, BLUE)):
        rows = [row for row in result.rows if row["n_embd"] == width]
        rates = [row["lr"] for row in rows]
        for row in rows:
            losses = [row[f"loss_{i}"] for i in (1, 2, 3)]
            ax.plot([row["lr"]] * 3, losses, "_-", color=color, lw=0.8, ms=7)
        ax.plot(rates, [row["loss"] for row in rows], "o-", color=color, label=f"n_embd {width}")
    ax.set_xscale("log")
    ax.set_xticks(rates, rates)
    ax.minorticks_off()
    ax.set(xlabel="learning rate", ylabel="loss of documents held out")
    ax.legend(frameon=False)
    save("experiment-widths.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where examples leave their files
        for draw in (draw_graph, draw_downhill, draw_followers, draw_widths):
            draw()
        os.chdir(DOCS)
