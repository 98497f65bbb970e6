"""Pictures of graphs, made without any other program: SVG, and text for Graphviz and Mermaid.

`picture` says what is shown of a graph, `layout` where it stands, `svg` and `text` how it looks.
Works on Values of every class of ours.
"""

from __future__ import annotations

import os
from html import escape
from typing import TYPE_CHECKING, Any

from .operations import operation
from .picture import Picture, picture, shown
from .svg import as_svg
from .text import as_dot, as_mermaid

if TYPE_CHECKING:
    from .operations import AnyValue

__all__ = ["Drawing", "draw", "operation", "value_html"]


class Drawing:
    """A picture of the graph below a Value. A notebook shows it; `str()` is its SVG.

    `svg`, `dot` and `mermaid` are the picture as text; `save(path)` writes one into a file.
    """

    def __init__(self, shown: Picture) -> None:
        self._picture = shown
        self.svg = as_svg(shown)

    @property
    def dot(self) -> str:
        """The picture in the language of Graphviz."""
        return as_dot(self._picture)

    @property
    def mermaid(self) -> str:
        """The picture in the language of Mermaid, which many sites render."""
        return as_mermaid(self._picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture into a file, in the language that its name says: .svg, .dot or .mmd.

        Raises ValueError for a name that ends in none of these.
        """
        languages = {".svg": "svg", ".dot": "dot", ".mmd": "mermaid"}
        language = languages.get(os.path.splitext(os.fspath(path))[1].lower())
        if language is None:
            raise ValueError(f"path must end in .svg, .dot or .mmd, not {os.fspath(path)!r}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(getattr(self, language))

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x:auto">{self.svg}</div>'

    def __str__(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing of {self._picture.title}>"


def draw(value: AnyValue, depth: int | None = None, *, limit: int = 60) -> Drawing:
    """Draw the graph below `value`: operations, data, gradients, labels, local gradients.

    At most `limit` Values are drawn, those nearest to `value`, and with `depth` none that is more
    than so many steps away from it. The picture says how many more there are. Raises TypeError if
    `value` is no Value of ours, ValueError for a negative `depth` or a `limit` below 1.
    """
    return Drawing(picture(value, depth, limit))


CHIP = "border-radius:.5em;padding:0 .5em;margin-right:.6em;font-weight:600"


def value_html(value: Any) -> str:
    """One Value as a line of HTML: what notebooks show for it."""
    made = operation(value)
    label = getattr(value, "label", "")
    parts = [f'<span style="{CHIP};background:#8882">{escape(str(made or "leaf"))}</span>']
    if label:
        parts.append(f"<b>{escape(str(label))}</b>&ensp;")
    parts.append(f"data&nbsp;<b>{shown(value.data)}</b>&ensp;grad&nbsp;<b>{shown(value.grad)}</b>")
    title = escape(f"data={value.data!r}, grad={value.grad!r}")
    return f'<span style="font-family:system-ui,sans-serif" title="{title}">{"".join(parts)}</span>'
