"""Which line of the reference made a number: for each site of the page's model, file and line.

A site is a place in assets/core/model.js. Its line is found by a piece of its text that no other
line of the file has, so that the reference may change around it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import reference

SITES = {
    "init_weights": ("gpt.py", "rng.gauss(0, std)"),
    "dot.mul": ("vector.py", "sum(map(mul, a, b))"),
    "dot.sum": ("vector.py", "sum(map(mul, a, b))"),
    "softmax.exp": ("vector.py", "(logit - max_logit).exp()"),
    "softmax.total": ("vector.py", "total = sum(exps)"),
    "softmax.divide": ("vector.py", "e / total for e in exps"),
    "rmsnorm.mean": ("vector.py", "mean_square = "),
    "rmsnorm.scale": ("vector.py", "scale = (mean_square"),
    "rmsnorm.result": ("vector.py", "xi * scale for xi in x"),
    "attention.score": ("vector.py", "/ head_dim**0.5 for k in keys"),
    "add.sum": ("vector.py", "ai + bi for ai, bi in zip(a, b)"),
    "relu.relu": ("vector.py", "xi.relu() for xi in x"),
    "relu.square": ("gpt.py", "xi**2 for xi in x"),
    "cross_entropy.log": ("vector.py", "-softmax(logits)[target].log()"),
    "document_loss.mean": ("gpt.py", "(1 / n) * sum(losses)"),
    "batch_loss.mean": ("gpt.py", "(1 / len(docs)) * sum("),
}
SHOWN = ("gpt.py", "train.py", "value.py", "vector.py")  # as a whole, beside the diagram


def reference_lines() -> dict[str, Any]:
    """The sites, each with file, number and text of its line, and the sources as they are."""
    folder = Path(reference.__file__).parent
    sources = {name: (folder / name).read_text("utf-8") for name in SHOWN}
    return {
        "sites": {site: line_of(sources, *place) for site, place in SITES.items()},
        "backward": line_of(sources, "value.py", "child.grad += "),
        "sources": sources,
    }


def line_of(sources: dict[str, str], file: str, piece: str) -> dict[str, Any]:
    """Where in `file` the one line stands that holds `piece`."""
    (found,) = (pair for pair in enumerate(sources[file].splitlines(), 1) if piece in pair[1])
    return {"file": file, "line": found[0], "text": found[1].strip()}
