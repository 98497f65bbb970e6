"""The page's tape is the reference's graph: every Value of a step, in all bits and orders."""

import json
from array import array

import pytest
from node import run_node
from runs import RUNS, payload, run_named, step_of

from isograd.explain.lines import reference_lines

pytestmark = [pytest.mark.once, pytest.mark.javascript]

STEPS = {"default": [1, 17, 30], "letters": [1, 25], "cut": [1, 12], "batches": [8]}
CASES = [(name, step) for name in RUNS for step in STEPS.get(name, [1])]


def tape(name, step):
    """The columns of the page's tape, by name, and the names of operations and sites."""
    head, _, body = run_node("tape.mjs", str(step), given=payload(name)).partition(b"\0")
    head, found = json.loads(head), {}
    for column, code, length in head["columns"]:
        numbers = array(code)
        numbers.frombytes(body[: length * numbers.itemsize])
        body = body[length * numbers.itemsize :]
        found[column] = list(numbers)
    assert not body
    found["operation"] = [head["operations"][i] for i in found["operation"]]
    found["sites"] = [head["sites"][i] for i in found["sites"]]
    return found


def same(what, expected, actual):
    """Fails with the first entry that differs; floats are compared by bits."""
    assert len(expected) == len(actual), f"{what}: {len(expected)} and {len(actual)}"
    for i, (a, b) in enumerate(zip(expected, actual)):
        equal = a.hex() == b.hex() if isinstance(a, float) else a == b
        assert equal, f"{what} of {i}: expected {a}, actual {b}"


def child(step, node, place):
    return step.number[id(node._children[place])] if len(node._children) > place else -1


def local(node, place):
    return float(node._local_grads[place]) if len(node._local_grads) > place else 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name, k", CASES)
def test_every_node_of_a_step_is_the_references(name, k):
    step, found = step_of(name, k), tape(name, k)
    nodes = step.nodes
    same("operation", step.operations, found["operation"])
    same("first child", [child(step, node, 0) for node in nodes], found["first"])
    same("second child", [child(step, node, 1) for node in nodes], found["second"])
    same("data", [float(node.data) for node in nodes], found["data"])
    same("first local gradient", [local(node, 0) for node in nodes], found["firstLocal"])
    same("second local gradient", [local(node, 1) for node in nodes], found["secondLocal"])
    same("order of the sweep", step.order, found["order"])
    same("grad", [float(node.grad) for node in nodes], found["grad"])
    assert {"+", "*", "**", "log", "exp", "relu", "weight", "constant"} == set(found["operation"])


@pytest.mark.slow
@pytest.mark.parametrize("name, k", CASES)
def test_shares_of_a_gradient_stand_in_the_order_in_which_they_were_added(name, k):
    step, found = step_of(name, k), tape(name, k)
    starts, edges = found["starts"], found["edges"]
    for i, expected in enumerate(step.parts()):
        part = edges[starts[i] : starts[i + 1]]
        assert [(edge >> 1, edge & 1) for edge in part] == expected, f"node {i}"
    total = [0.0] * len(step.nodes)
    total[step.order[0]] = 1.0
    for i in range(len(step.nodes)):
        for edge in edges[starts[i] : starts[i + 1]]:
            gradients = found["secondLocal" if edge & 1 else "firstLocal"]
            total[i] += gradients[edge >> 1] * found["grad"][edge >> 1]
    same("sum of shares", total, found["grad"])


@pytest.mark.parametrize("name", ["default", "batches"])
def test_every_node_knows_the_line_that_made_it(name):
    step, found = step_of(name, 1), tape(name, 1)
    lines = reference_lines()["sites"]
    weights = len(run_named(name).states(0)[0][2])
    for i in range(weights, len(step.nodes)):
        line = lines[found["sites"][i]]
        assert (line["file"], line["line"]) == step.lines[i], f"node {i}, {found['sites'][i]}"
    assert set(found["sites"][:weights]) == {"init_weights"}
