"""Pictures of graphs: what they show, that they are well-formed, small, and change nothing."""

import json
import random
import re
import time
import xml.etree.ElementTree as ElementTree

import pytest
from bits import bits, describe
from conftest import TWINS
from test_micrograd import TWINS as MICROGRAD

import isograd
from isograd.drawing.layout import layout
from isograd.drawing.picture import picture

CLASSES = {
    **{f"isograd-{name}": value for name, value in TWINS.items()},
    **{f"micrograd-{name}": twin[0] for name, twin in MICROGRAD.items()},
}


@pytest.fixture(params=CLASSES)
def Value(request):
    return CLASSES[request.param]


def texts(drawing):
    """All texts of the SVG, which must be well-formed."""
    root = ElementTree.fromstring(drawing.svg)
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def expression(Value):
    a, b = Value(2.0), Value(-3.0)
    y = ((a * b).exp() + b**2).log() / a - 1
    return y + (a * a).relu()


def test_a_drawing_shows_operations_data_and_gradients(Value):
    y = expression(Value)
    y.backward()
    shown = texts(isograd.draw(y))
    for text in ["leaf", "+", "*", "exp", "log", "**2", "**-1", "data", "grad", "-3"]:
        assert text in shown
    assert "relu" in shown or "ReLU" in shown
    assert f"{y.data:.4g}" in shown and shown.count("more") == 0


def test_the_twins_are_drawn_alike():
    for name in ("isograd", "micrograd"):
        drawings = []
        for twin in ("python", "c"):
            y = expression(CLASSES[f"{name}-{twin}"])
            y.backward()
            drawings.append(isograd.draw(y))
        assert drawings[0].svg == drawings[1].svg
        assert drawings[0].dot == drawings[1].dot
        assert drawings[0].mermaid == drawings[1].mermaid


@pytest.mark.parametrize(
    "make, operation",
    [
        (lambda v: v, ""), (lambda v: v + 1, "+"), (lambda v: 1 - v, "+"), (lambda v: v * 2, "*"),
        (lambda v: v + v, "+"), (lambda v: -v, "*"), (lambda v: v**2, "**2"),
        (lambda v: v**-0.5, "**-0.5"), (lambda v: v**2.0, "**2.0"), (lambda v: v.exp(), "exp"),
        (lambda v: v.log(), "log"), (lambda v: v.relu().relu(), "relu"),
    ],
)  # fmt: skip
def test_a_value_knows_its_operation(Value, make, operation):
    y = make(Value(2.5))
    found = isograd.operation(y)
    if operation == "**2.0" and Value is TWINS["python"]:
        assert found == "**2"  # told by its numbers
    else:
        assert found.lower() == operation


def test_the_compiled_class_guesses_nothing():
    Value = TWINS["c"]
    a, b = Value(0.0), Value(3.0)
    assert isograd.operation(Value(0.0, (a, b), (1.0, 0.0))) == "own"
    assert isograd.operation(Value(0.0, (a,), (1.0,))) == "own"
    assert isograd.operation(Value(0.0, (a, b, a), (1, 2, 3))) == "own"
    y = a * b
    a.data, y.data = 7.0, 1.0
    assert isograd.operation(y) == "*"
    row = isograd._core.linear([a, b], [[a, b]])[0]
    assert isograd.operation(row) == "+"
    p = isograd._core.softmax([a, b])[0]
    assert isograd.operation(p) == "*"
    p.backward()
    for v in (p, *p._children):
        assert isograd.operation(v) in ("*", "exp", "**-1")
    q = (a + 5) * 2
    q.backward()
    assert [isograd.operation(q), isograd.operation(q._children[0])] == ["*", "+"]
    with isograd.no_grad():
        assert isograd.operation((b + 1).exp() ** 3) == ""


def test_no_other_object_has_an_operation_or_a_picture():
    for function in (isograd.operation, isograd.draw):
        with pytest.raises(TypeError, match="only a Value"):
            function(2.0)
    with pytest.raises(ValueError, match="depth"):
        isograd.draw(isograd.Value(1), depth=-1)
    with pytest.raises(ValueError, match="limit"):
        isograd.draw(isograd.Value(1), limit=0)


def test_local_gradients_stand_on_the_edges(Value):
    a, b = Value(2.0), Value(-3.0)
    y = a * b
    edges = picture(y, None, 60).edges
    assert [(edge.child, edge.parent, edge.text) for edge in edges] == [(1, 0, "-3"), (2, 0, "2")]
    both = picture(a + a, None, 60).edges
    assert [edge.text for edge in both] in (["1, 1"], ["2"])


@pytest.mark.parametrize("method", ["tanh", "exp", "log", "sigmoid", "relu"])
def test_local_gradients_of_micrograd_are_what_backward_hands_on(method):
    for Value, _ in MICROGRAD.values():
        x = Value(0.7)
        y = getattr(x, method)()
        y.backward()
        assert [edge.text for edge in picture(y, None, 9).edges] == [f"{x.grad:.3g}"]


def test_nobody_knows_the_derivative_of_an_operation_of_ones_own():
    for Value, _ in MICROGRAD.values():
        x = Value(0.7)
        y = Value(1.0, (x,), "sin")
        y._backward = lambda: None
        assert [edge.text for edge in picture(y, None, 9).edges] == [""]
        assert isograd.operation(y) == "sin"


def test_labels_are_shown_and_escaped():
    for Value, _ in MICROGRAD.values():
        x = Value(1.0, label='<b>"&')
        y = x.tanh()
        y.label = "out"
        drawing = isograd.draw(y)
        assert {"out", '<b>"&'} <= set(texts(drawing))
        assert '\\"&' in drawing.dot and "#lt;b#gt;#quot;#amp;" in drawing.mermaid
        assert "&lt;b&gt;" in x._repr_html_() and "<b>&quot;" not in x._repr_html_()


def test_depth_and_limit_cut(Value):
    y = Value(1.0)
    for _ in range(100):
        y = y * 1.01
    assert "and 196 more" in texts(isograd.draw(y, depth=2))
    assert len(picture(y, 2, 60).nodes) == 5
    assert len(picture(y, None, 60).nodes) == 60
    assert "and 200 more" in texts(isograd.draw(y, depth=0))
    assert isograd.draw(y, limit=201).dot.count("->") == 200
    assert repr(isograd.draw(y)) == "<Drawing of 60 Values, 141 more>"
    assert "141 more" in isograd.draw(y).dot and "141 more" in isograd.draw(y).mermaid


def test_big_graphs_are_drawn_in_a_second(Value):
    rng = random.Random(1)
    xs = [Value(rng.random()) for _ in range(100)]
    total = Value(0)
    for i in range(30_000):
        total = total + xs[i % 100] * xs[i * 7 % 100]
    start = time.process_time()
    drawing = isograd.draw(total)
    assert time.process_time() - start < 1
    assert "and 60,041 more" in texts(drawing)


def test_counting_ends():
    y = TWINS["c"](1.0)
    for _ in range(150_000):
        y = y + 1
    assert "and over 199,940 more" in texts(isograd.draw(y))


def test_nodes_do_not_overlap():
    random.seed(1)
    out = MICROGRAD["c"][1].MLP(2, [4, 4, 1])([1.0, 2.0])
    shown = picture(out, None, 80)
    plan = layout(shown)
    rows = {}
    for layer, y in zip(plan.layer, plan.y):
        rows.setdefault(layer, []).append(y)
    for row in rows.values():
        row.sort()
        assert all(b - a >= 1.2 for a, b in zip(row, row[1:]))
    for edge in shown.edges:
        assert plan.layer[edge.child] < plan.layer[edge.parent]


def test_drawing_changes_nothing():
    def program(draw):
        Value = TWINS["c"]
        w = [Value(0.1 * i) for i in range(9)]
        y = isograd._core.linear(w, [w, w[::-1]])
        y = isograd._core.cross_entropy(y, 1)
        if draw:
            isograd.draw(y, limit=5)
        y.backward()
        if draw:
            isograd.draw(y)
        y.backward()
        return describe([y, *w])

    assert program(draw=True) == program(draw=False)


def test_values_show_themselves(Value):
    y = Value(0.1) + 0.2
    html = y._repr_html_()
    assert repr(y.data) in html and ">+</span>" in html
    assert "leaf" in Value(1)._repr_html_()
    ElementTree.fromstring(f"<p>{re.sub('&(nbsp|ensp);', ' ', html)}</p>")


def test_a_drawing_can_be_saved(tmp_path):
    drawing = isograd.draw(isograd.Value(1.0).exp())
    drawing.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text("utf-8") == str(drawing) == drawing._repr_svg_()
    assert drawing.svg in drawing._repr_html_()
    assert "<script" not in drawing.svg and "href" not in drawing.svg


def test_a_drawing_is_saved_in_the_language_that_the_name_says(tmp_path):
    drawing = isograd.draw(isograd.Value(1.0).exp())
    for name, text in [("a.dot", drawing.dot), ("a.mmd", drawing.mermaid), ("A.SVG", drawing.svg)]:
        drawing.save(str(tmp_path / name))
        assert (tmp_path / name).read_text("utf-8") == text


@pytest.mark.parametrize("name", ["graph.png", "graph", "graph.svg.pdf"])
def test_a_drawing_is_saved_in_no_other_language(tmp_path, name):
    drawing = isograd.draw(isograd.Value(1.0))
    with pytest.raises(
        ValueError, match=f"^path must end in .svg, .dot or .mmd.*, not '.*{name}'$"
    ):
        drawing.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_single_value_is_no_plural():
    drawing = isograd.draw(isograd.Value(1.0))
    assert repr(drawing) == "<Drawing of 1 Value>"
    assert "<title>1 Value</title>" in drawing.svg


NOTEBOOK = [
    "import random\nimport isograd\nfrom isograd.micrograd.engine import Value\n"
    "from isograd.micrograd.nn import MLP\nrandom.seed(1)\nmodel = MLP(2, [4, 1])",
    "x = Value(0.5, label='x')\nx",
    "y = model([x, -1.0])\ny.backward()\nisograd.draw(y, depth=4)",
    "isograd.Value(2.0).exp()",
    "losses = []\nfor step in range(20):\n"
    "    loss = sum((model([a, b]) - a * b) ** 2 for a in (0.5, 1.0) for b in (-1.0, 1.0))\n"
    "    model.zero_grad()\n    loss.backward()\n    losses.append(loss.data)\n"
    "    for p in model.parameters():\n        p.data -= 0.02 * p.grad",
    "import matplotlib.pyplot as plt\nplt.plot(losses)\nplt.xlabel('step'); plt.ylabel('loss');",
]


@pytest.mark.undisturbed
def test_a_notebook_shows_values_drawings_and_a_curve(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in NOTEBOOK])
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    shown = [
        {kind: data for output in cell.outputs for kind, data in output.get("data", {}).items()}
        for cell in notebook.cells
    ]
    assert "<b>x</b>" in shown[1]["text/html"]
    ElementTree.fromstring(shown[2]["image/svg+xml"])
    assert "<svg" in shown[2]["text/html"]
    assert "exp" in shown[3]["text/html"]
    assert "image/png" in shown[5]
    assert "error" not in json.dumps(shown[4])


def test_bits_survive_a_picture_of_a_network():
    model = MICROGRAD["c"][1].MLP(2, [3, 1])
    gradients = []
    for draw in (False, True):
        model.zero_grad()
        y = model([0.5, -1.0]) * 3
        if draw:
            isograd.draw(y)
        y.backward()
        gradients.append([bits(p.grad) for p in model.parameters()])
    assert gradients[0] == gradients[1]
