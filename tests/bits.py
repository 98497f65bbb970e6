"""Numbers and graphs as text that is equal exactly when type, bits and structure are."""


def bits(x):
    """Type and exact value of an int or float; distinguishes 0, 0.0 and -0.0, equates NaNs."""
    return f"{type(x).__name__} {x.hex() if isinstance(x, float) else hex(x)}"


def describe(values):
    """Every Value reachable from `values`, in order of discovery: numbers, edges, identities."""
    numbering, nodes = {}, []

    def number_of(value):
        if id(value) not in numbering:
            numbering[id(value)] = len(nodes)
            nodes.append(value)
        return numbering[id(value)]

    roots = [number_of(value) for value in values]
    lines = [f"roots {roots}"]
    for node in nodes:  # grows while we walk
        children = [number_of(child) for child in node._children]
        again = [number_of(child) for child in node._children]
        assert children == again, "_children are other objects the second time"
        local_grads = [bits(x) for x in node._local_grads]
        lines.append(
            f"{numbering[id(node)]} {type(node).__name__}: data {bits(node.data)}, "
            f"grad {bits(node.grad)}, children {children}, local_grads {local_grads}"
        )
    return lines


def first_difference(expected, actual):
    """The first line in which two descriptions differ, for a test's message; None if equal."""
    for i in range(max(len(expected), len(actual))):
        a = expected[i] if i < len(expected) else "nothing"
        b = actual[i] if i < len(actual) else "nothing"
        if a != b:
            return f"line {i}:\n  expected {a}\n  actual   {b}"
    return None
