"""Where the nodes of a picture stand: in layers, from the leaves on the left to the root.

The usual four steps (Sugiyama, Tagawa and Toda 1981): layers by longest paths, with a point in
every layer that an edge passes; an order within each layer by the mean place of neighbours; places
as near to the neighbours' as the distances allow. The graph is small and has no cycles.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass

from .picture import Picture

SWEEPS = 8
POINT = 0.35  # of a node's height: the room of a passing edge


@dataclass
class Layout:
    """Of every node its layer, 0 on the left, and its y in node heights; of every edge the points
    (layer, y) that it passes, from the child to the parent."""

    layer: list[int]
    y: list[float]
    routes: list[list[tuple[int, float]]]
    n_layers: int
    height: float


def layout(picture: Picture) -> Layout:
    """Finds a place for everything in `picture`."""
    layer = _layers(picture)
    n = len(picture.nodes)
    n_layers = max(layer) + 1
    routes: list[list[int]] = []  # of each edge: child, points, parent
    below: list[list[int]] = [[] for _ in range(n)]
    above: list[list[int]] = [[] for _ in range(n)]
    for edge in picture.edges:
        route = [edge.child]
        for i in range(layer[edge.child] + 1, layer[edge.parent]):
            layer.append(i)
            below.append([])
            above.append([])
            route.append(len(layer) - 1)
        route.append(edge.parent)
        for a, b in zip(route, route[1:]):
            above[a].append(b)
            below[b].append(a)
        routes.append(route)
    rows: list[list[int]] = [[] for _ in range(n_layers)]
    for i in range(len(layer)):
        rows[layer[i]].append(i)
    _order(rows, below, above)
    size = [1.0] * n + [POINT] * (len(layer) - n)
    y = _places(rows, below, above, size)
    top = min(y[i] - size[i] / 2 for i in range(len(y)))
    y = [place - top for place in y]
    return Layout(
        layer[:n],
        y[:n],
        [[(layer[i], y[i]) for i in route] for route in routes],
        n_layers,
        max(y[i] + size[i] / 2 for i in range(len(y))),
    )


def _layers(picture: Picture) -> list[int]:
    """The longest way to the root decides: every node stands right before its first parent."""
    parents: list[list[int]] = [[] for _ in picture.nodes]
    for edge in picture.edges:
        parents[edge.child].append(edge.parent)
    distance = [0] * len(picture.nodes)
    waiting = [0] * len(picture.nodes)  # parents that are not placed yet
    children: list[list[int]] = [[] for _ in picture.nodes]
    for child, above in enumerate(parents):
        waiting[child] = len(above)
        for parent in above:
            children[parent].append(child)
    ready = [i for i, count in enumerate(waiting) if count == 0]
    while ready:
        parent = ready.pop()
        for child in children[parent]:
            distance[child] = max(distance[child], distance[parent] + 1)
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    last = max(distance)
    return [last - d for d in distance]


def _order(rows: list[list[int]], below: list[list[int]], above: list[list[int]]) -> None:
    """Sorts every row by where its neighbours stand, to and fro; the fewest crossings win."""
    place = {i: k / len(row) for row in rows for k, i in enumerate(row)}

    def mean(neighbours: list[list[int]]) -> Callable[[int], float]:
        def key(i: int) -> float:
            near = neighbours[i]
            return sum(place[j] for j in near) / len(near) if near else place[i]

        return key

    best, fewest = [list(row) for row in rows], _crossings(rows, above)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in reversed(rows) if down else rows:
            row.sort(key=mean(above if down else below))
            place.update({i: k / len(row) for k, i in enumerate(row)})
        found = _crossings(rows, above)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    rows[:] = best


def _crossings(rows: list[list[int]], above: list[list[int]]) -> int:
    """How many pairs of edges between neighbouring layers cross."""
    total = 0
    for row, upper in zip(rows, rows[1:]):
        place = {i: k for k, i in enumerate(upper)}
        ends: list[int] = []  # of the edges so far, sorted
        for i in row:
            mine = sorted(place[j] for j in above[i])
            total += sum(len(ends) - bisect_right(ends, end) for end in mine)
            for end in mine:
                insort(ends, end)
    return total


def _places(
    rows: list[list[int]], below: list[list[int]], above: list[list[int]], size: list[float]
) -> list[float]:
    """Moves every node towards its neighbours, as far as its row allows."""
    y = [0.0] * len(size)
    for row in rows:
        at = 0.0
        for i in row:
            y[i] = at + size[i] / 2
            at += size[i] + _gap(size[i])
        for i in row:
            y[i] -= at / 2
    for sweep in range(2 * SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in reversed(rows) if sweep % 2 == 0 else rows:
            wanted = [
                sum(y[j] for j in neighbours[i]) / len(neighbours[i]) if neighbours[i] else y[i]
                for i in row
            ]
            _settle(row, wanted, y, size)
    return y


def _gap(size: float) -> float:
    return 0.35 if size == 1.0 else 0.1


def _settle(row: list[int], wanted: list[float], y: list[float], size: list[float]) -> None:
    """Places a row where it is wanted, least squares, without overlaps: neighbours that would
    touch become one group, which stands where its members want it on average."""
    offset, groups = 0.0, []  # of a group: sum of wishes, members, first
    for k, i in enumerate(row):
        if k:
            before = row[k - 1]
            offset += (size[before] + size[i]) / 2 + max(_gap(size[before]), _gap(size[i]))
        y[i] = offset
        groups.append([wanted[k] - offset, 1.0, k])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            last = groups.pop()
            groups[-1][0] += last[0]
            groups[-1][1] += last[1]
    for wish, members, first in groups:
        for i in row[int(first) : int(first + members)]:
            y[i] += wish / members
