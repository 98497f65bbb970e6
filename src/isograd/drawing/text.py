"""A picture in the languages of other programs: Graphviz's DOT, and Mermaid."""

from __future__ import annotations

from .picture import Node, Picture


def _lines(node: Node) -> list[str]:
    head = " ".join(filter(None, [node.label, node.operation])) or "leaf"
    return [head, f"data {node.data}", f"grad {node.grad}"]


def as_dot(picture: Picture) -> str:
    """For `dot -Tsvg`."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'

    lines = ["digraph {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    for i, node in enumerate(picture.nodes):
        text = quoted("\n".join(_lines(node)).replace("\n", "\0")).replace("\0", "\\n")
        lines.append(f"  v{i} [label={text}];")
    for edge in picture.edges:
        lines.append(f"  v{edge.child} -> v{edge.parent} [label={quoted(edge.text)}];")
    if picture.rest:
        lines.append(f"  rest [label={quoted(picture.rest)}, shape=plaintext];")
    return "\n".join([*lines, "}", ""])


def as_mermaid(picture: Picture) -> str:
    """For sites and editors that render Mermaid."""

    def quoted(text: str) -> str:
        for character, entity in (("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
            text = text.replace(character, entity)
        return text.replace("\n", " ")

    lines = ["flowchart LR"]
    for i, node in enumerate(picture.nodes):
        text = "<br>".join(map(quoted, _lines(node)))
        lines.append(f'  v{i}["{text}"]')
    for edge in picture.edges:
        text = f'-- "{quoted(edge.text)}" -->' if edge.text else "-->"
        lines.append(f"  v{edge.child} {text} v{edge.parent}")
    if picture.rest:
        lines.append(f'  rest["{picture.rest}"]')
    return "\n".join([*lines, ""])
