"""Numbers and graphs as data, and as text that is equal if type, bits and structure are."""

import marshal


def bits(x):
    """Type and exact value of an int or float; distinguishes 0, 0.0 and -0.0, equates NaNs."""
    return f"{type(x).__name__} {x.hex() if isinstance(x, float) else hex(x)}"


def packed(data):
    """Lists of numbers and text as bytes; None if they hold anything else.

    Equal bytes mean equal text, and are made in a tenth of the time. NaNs may have different ones.
    """
    try:
        return marshal.dumps(data, 2)  # later versions say which objects are the same, too
    except ValueError:
        return None


def walk(values, children_of):
    """Every node reachable from `values`, in order of discovery, and the number of each."""
    nodes = list(dict.fromkeys(values))
    numbers = {node: i for i, node in enumerate(nodes)}
    for node in nodes:  # grows while we walk
        for child in children_of(node):
            if child not in numbers:
                numbers[child] = len(nodes)
                nodes.append(child)
    return nodes, numbers


def graph(values):
    """Numbers, edges and identities of every Value reachable from `values`."""
    nodes, numbers = walk(values, lambda node: node._children)
    found = [[numbers[value] for value in values]]
    for node in nodes:
        children = node._children
        assert children == node._children, "_children are other objects the second time"
        edges = [numbers[child] for child in children]
        found.append((type(node).__name__, node.data, node.grad, edges, node._local_grads))
    return found


def describe(values):
    """The graph as text, a line for each Value."""
    roots, *nodes = graph(values)
    return [
        f"roots {roots}",
        *(
            f"{i} {name}: data {bits(data)}, grad {bits(grad)}, children {children}, "
            f"local_grads {list(map(bits, local_grads))}"
            for i, (name, data, grad, children, local_grads) in enumerate(nodes)
        ),
    ]


def first_difference(expected, actual):
    """The first line in which two descriptions differ, for a test's message; None if equal."""
    for i in range(max(len(expected), len(actual))):
        a = expected[i] if i < len(expected) else "nothing"
        b = actual[i] if i < len(actual) else "nothing"
        if a != b:
            return f"line {i}:\n  expected {a}\n  actual   {b}"
    return None
