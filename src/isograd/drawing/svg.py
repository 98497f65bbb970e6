"""A picture as SVG: one element tree, no scripts, no fonts or files from elsewhere."""

from __future__ import annotations

from collections import Counter
from html import escape

from .layout import Layout, layout
from .picture import Edge, Node, Picture

WIDTH, HEIGHT = 132, 58  # of a node
LAYER = 206  # from one layer to the next
MARGIN = 20
FOOTER = 26

STYLE = (
    "font-family:ui-sans-serif,system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;"
    "font-variant-numeric:tabular-nums"
)
INK, QUIET, LINE, PAPER = "#1f2933", "#7b8794", "#b8c2cc", "#ffffff"
# Border and chip of a node, by what it is.
LEAF = ("#4a90c2", "#e6f1f9")
SUM = ("#5b8c5a", "#e8f2e7")
PRODUCT = ("#b7791f", "#fbf1dd")
OTHER = ("#8e5aa8", "#f3eaf8")


def as_svg(picture: Picture) -> str:
    """The whole picture."""
    plan = layout(picture)
    width = 2 * MARGIN + (plan.n_layers - 1) * LAYER + WIDTH + 24
    height = 2 * MARGIN + plan.height * HEIGHT + (FOOTER if picture.rest else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="{STYLE}" role="img">',
        f"<title>{picture.title}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="10" fill="{PAPER}"/>',
    ]
    parts += _edges(picture, plan)
    for i, node in enumerate(picture.nodes):
        parts += _node(node, _left(plan.layer[i]), _middle(plan.y[i]))
    if picture.rest:
        parts.append(
            f'<text x="{MARGIN}" y="{height - 14:.0f}" font-size="12" fill="{QUIET}">'
            f"and {escape(picture.rest)}</text>"
        )
    return "".join([*parts, "</svg>"])


def _left(layer: float) -> float:
    return MARGIN + 24 + layer * LAYER


def _middle(y: float) -> float:
    return MARGIN + y * HEIGHT


def _colours(node: Node) -> tuple[str, str]:
    if not node.operation:
        return LEAF
    return {"+": SUM, "*": PRODUCT}.get(node.operation, OTHER)


def _node(node: Node, x: float, middle: float) -> list[str]:
    border, tint = _colours(node)
    y = middle - HEIGHT / 2
    name = node.operation or "leaf"
    chip = min(12 + 7.2 * len(name), WIDTH - 12)
    parts = [
        f'<g transform="translate({x:.1f} {y:.1f})"><title>{escape(node.title)}</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{PAPER}" stroke="{border}" '
        f'stroke-width="1.2"/>',
        f'<rect x="6" y="6" width="{chip:.0f}" height="17" rx="8.5" fill="{tint}"/>'
        f'<text x="{6 + chip / 2:.1f}" y="18.5" font-size="11.5" font-weight="600" '
        f'fill="{border}" text-anchor="middle">{escape(_short(name, 15))}</text>',
    ]
    if node.label:
        room = max(2, int((WIDTH - chip - 20) / 6.6))
        parts.append(
            f'<text x="{WIDTH - 9}" y="18.5" font-size="12" font-weight="600" fill="{INK}" '
            f'text-anchor="end">{escape(_short(node.label, room))}</text>'
        )
    for y_text, name, number in ((36, "data", node.data), (50, "grad", node.grad)):
        parts.append(
            f'<text x="9" y="{y_text}" font-size="11" fill="{QUIET}">{name}</text>'
            f'<text x="{WIDTH - 9}" y="{y_text}" font-size="12" fill="{INK}" '
            f'text-anchor="end">{escape(number)}</text>'
        )
    if node.is_cut:
        parts.append(
            f'<path d="M-22 {HEIGHT / 2}H-3" stroke="{LINE}" stroke-width="1.4" '
            'stroke-dasharray="2 4" stroke-linecap="round" fill="none"/>'
        )
    return [*parts, "</g>"]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _edges(picture: Picture, plan: Layout) -> list[str]:
    lines, texts = [], []
    n_parents = Counter(edge.child for edge in picture.edges)
    for edge, route in zip(picture.edges, plan.routes):
        points = [(_left(layer), _middle(y)) for layer, y in route]
        path = [f"M{points[0][0] + WIDTH:.1f} {points[0][1]:.1f}"]
        at = points[0][0] + WIDTH, points[0][1]
        for k, (x, y) in enumerate(points[1:], 1):
            bend = (x - at[0]) / 2
            path.append(f"C{at[0] + bend:.1f} {at[1]:.1f} {x - bend:.1f} {y:.1f} {x:.1f} {y:.1f}")
            at = x, y
            if k < len(points) - 1:
                path.append(f"H{x + WIDTH:.1f}")
                at = x + WIDTH, y
        x, y = at
        lines.append(
            f'<path d="{"".join(path)}" fill="none" stroke="{LINE}" stroke-width="1.4"/>'
            f'<path d="M{x - 7:.1f} {y - 3.5:.1f}L{x:.1f} {y:.1f}L{x - 7:.1f} {y + 3.5:.1f}Z" '
            f'fill="{LINE}"/>'
        )
        if edge.text:
            near_parent = n_parents[edge.child] > 1
            texts.append(_edge_text(points[-2:] if near_parent else points[:2], edge, near_parent))
    return lines + texts


def _edge_text(ends: list[tuple[float, float]], edge: Edge, near_parent: bool) -> str:
    """The local gradient, at that end of the edge where no other one is."""
    (x0, y0), (x1, y1) = ends
    share = 0.66 if near_parent else 0.34
    x = x0 + WIDTH + share * (x1 - x0 - WIDTH)
    y = y0 + (3 * share**2 - 2 * share**3) * (y1 - y0)
    return (
        f'<text x="{x:.1f}" y="{y + 3.5:.1f}" font-size="10.5" fill="{QUIET}" '
        f'text-anchor="middle" stroke="{PAPER}" stroke-width="4" paint-order="stroke">'
        f"{escape(_short(edge.text, 12))}</text>"
    )
