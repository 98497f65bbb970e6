"""Single nodes, timed and weighed in the present process: an operation, backward(), memory.

The graphs are made for measuring, not taken from the model. Their numbers neither overflow nor
vanish at any size. Only operations count as nodes, not the few leaves. The caller gives each call a
fresh process; nothing here compares tiers or prints.
"""

import sys
from statistics import median

from pyperf import perf_counter

from isograd.model import GRAPH_TIERS
from isograd.reference import linear

WIDTH = 16
OPERATIONS = 60_000  # as many as the graph of a document of mean length has


def products(scalar, nodes):
    """`v = v * c`, over and over: the last v, the number of nodes, the leaves."""
    v = first = scalar(1.0)
    c = scalar(0.9999999)
    for _ in range(nodes):
        v = v * c
    return v, nodes, [first, c]


def additions(scalar, nodes):
    """`v = v + c`, over and over: the last v, the number of nodes, the leaves."""
    v = first = scalar(1.0)
    c = scalar(0.5)
    for _ in range(nodes):
        v = v + c
    return v, nodes, [first, c]


def layers(scalar, nodes):
    """Linear layers of WIDTH, one on the other, that share one matrix; their last outputs' sum."""
    x = inputs = [scalar(1.0 + i) for i in range(WIDTH)]
    w = [[scalar(1 / WIDTH) for _ in range(WIDTH)] for _ in range(WIDTH)]
    depth = -(-nodes // (2 * WIDTH * WIDTH))
    for _ in range(depth):
        x = linear(x, w)
    return sum(x), depth * 2 * WIDTH * WIDTH + WIDTH, inputs + [wi for row in w for wi in row]


WHEN = ("built", "in backward()")
GRAPHS = {"v * c": products, "v + c": additions, "linear layers": layers}


def dot(ws, xs):
    return sum(w * x for w, x in zip(ws, xs))


def until(seconds):
    """Yields at least once, and until `seconds` are over."""
    end = perf_counter() + seconds
    yield
    while perf_counter() < end:
        yield


def operation(kind, terms, seconds):
    """Nanoseconds an operation of `dot` with results kept, and with results dropped; one result.

    A term has two operations. `kind` is a tier or "float". Kept results are let go of outside the
    time measured.
    """
    scalar = float if kind == "float" else GRAPH_TIERS[kind].scalar
    ws = [scalar(1 / (i + 1)) for i in range(terms)]
    xs = [scalar(i / terms) for i in range(terms)]
    sums = OPERATIONS // (2 * terms)
    kept_times, dropped_times = [], []
    for _ in until(seconds):
        start = perf_counter()
        kept = [dot(ws, xs) for _ in range(sums)]
        kept_times.append(perf_counter() - start)
        del kept
        start = perf_counter()
        for _ in range(sums):
            dot(ws, xs)
        dropped_times.append(perf_counter() - start)
    to_ns = 1e9 / (2 * terms * sums)
    kept_ns, dropped_ns = median(kept_times) * to_ns, median(dropped_times) * to_ns
    result = dot(ws, xs)
    return kept_ns, dropped_ns, getattr(result, "data", result)


def backward(tier, graph, nodes, seconds):
    """Nanoseconds a node of backward(), each time over a new graph, and the leaves' gradients."""
    times = []
    for _ in until(seconds):
        root, count, leaves = GRAPHS[graph](GRAPH_TIERS[tier].scalar, nodes)
        start = perf_counter()
        root.backward()
        times.append((perf_counter() - start) / count)
        grads = [leaf.grad for leaf in leaves]
        del root, leaves
    return median(times) * 1e9, grads


def memory(tier, graph, nodes):
    """Bytes a node by which the process has grown, at each moment of WHEN."""
    before = peak_bytes()
    root, count, _ = GRAPHS[graph](GRAPH_TIERS[tier].scalar, nodes)
    built = peak_bytes()
    root.backward()
    return (built - before) / count, (peak_bytes() - before) / count


def peak_bytes():
    """The most memory that this process has held in RAM."""
    try:
        with open("/proc/self/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        return 1024 * int(fields["VmHWM"].split()[0])
    except FileNotFoundError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
