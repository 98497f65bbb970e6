"""What is shown of a graph: the Values nearest to its root, and how many there are besides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .operations import children, is_ours, local_gradients, operation

COUNTED = 200_000  # Values are counted up to here: a tenth of a second


@dataclass
class Node:
    """One Value, as text."""

    operation: str
    label: str
    data: str
    grad: str
    title: str
    is_cut: bool = False  # some of what it was computed from is not shown


@dataclass
class Edge:
    """From a child to what was computed from it, both by number; `text` is the local gradient."""

    child: int
    parent: int
    text: str


@dataclass
class Picture:
    """Nodes in the order of their distance from the root, which is number 0."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    rest: str = ""

    @property
    def title(self) -> str:
        n = len(self.nodes)
        values = "1 Value" if n == 1 else f"{n:,} Values"
        return f"{values}, {self.rest}" if self.rest else values


def shown(x: float, digits: int = 4) -> str:
    """A number in a few digits."""
    return str(x) if isinstance(x, int) and abs(x) < 10**6 else f"{x:.{digits}g}"


def picture(root: Any, depth: int | None, limit: int) -> Picture:
    """What `draw` is to show; the arguments and errors are its own."""
    if not is_ours(root):
        raise TypeError(f"only a Value can be drawn, not {type(root).__name__!r}")
    if depth is not None and depth < 0:
        raise ValueError(f"depth must be from 0 on, not {depth}")
    if limit < 1:
        raise ValueError(f"limit must be from 1 on, not {limit}")
    chosen, is_all = _nearest(root, depth, limit)
    number = {id(value): i for i, value in enumerate(chosen)}
    result = Picture()
    for value in chosen:
        node = _node(value)
        result.nodes.append(node)
        texts: dict[int, list[str]] = {}
        for child, local in zip(children(value), local_gradients(value)):
            if id(child) in number:
                texts.setdefault(number[id(child)], []).append(
                    "" if local is None else shown(local, 3)
                )
            else:
                node.is_cut = True
        result.edges += [
            Edge(child, number[id(value)], ", ".join(filter(None, text)))
            for child, text in texts.items()
        ]
    if not is_all:
        result.rest = _rest(root, len(chosen))
    return result


def _node(value: Any) -> Node:
    label = str(getattr(value, "label", "") or "")
    title = f"data={value.data!r}, grad={value.grad!r}"
    return Node(operation(value), label, shown(value.data), shown(value.grad), title)


def _nearest(root: Any, depth: int | None, limit: int) -> tuple[list[Any], bool]:
    """The Values to show, nearest first, and whether these are all."""
    chosen, seen, todo = [root], {id(root)}, deque([(root, 0)])
    is_all = True
    while todo:
        value, distance = todo.popleft()
        for child in children(value):
            if id(child) in seen:
                continue
            if len(chosen) >= limit or (depth is not None and distance >= depth):
                is_all = False
                continue
            seen.add(id(child))
            chosen.append(child)
            todo.append((child, distance + 1))
    return chosen, is_all


def _rest(root: Any, n_shown: int) -> str:
    """How many Values below `root` are not among the `n_shown`."""
    seen, todo = {id(root): root}, [root]
    while todo and len(seen) <= COUNTED:
        for child in children(todo.pop()):
            if id(child) not in seen:
                seen[id(child)] = child
                todo.append(child)
    more = len(seen) - n_shown
    return f"{more:,} more" if not todo else f"over {COUNTED - n_shown:,} more"
