"""Every question to the page's worker is answered as the reference would answer it."""

import math
import random
from functools import reduce
from itertools import accumulate, chain
from operator import add, mul

import pytest
from runs import RUNS, Counting, recorded, run_named, step_of
from worker import ask

from isograd import reference
from isograd.reference import Value, no_grad
from isograd.reference.value import topological_order

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.javascript]

NAMES = ["default", "letters", "layers", "batches", "cut", "certain"]


class Spy:
    """The reference's vector functions, which keep what they return, in order."""

    def __init__(self):
        self.results = []

    def __getattr__(self, name):
        function = getattr(reference.vector, name)

        def call(*args):
            result = function(*args)
            self.results.append((name, args, result))
            return result

        return call


def numbers(values):
    return [float(x.data) for x in values]


def added_up(values):
    """One rounding after the other. Of floats, sum() does otherwise from Python 3.12 on."""
    return reduce(add, values, 0.0)


def flat(rows):
    return [x for row in rows for x in row]


def exact(x):
    """All numbers in `x` as text that is equal exactly when their bits are."""
    if isinstance(x, dict):
        return {key: exact(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [exact(value) for value in x]
    return float(x).hex() if isinstance(x, (int, float)) else x


def update(run, step, i, grads):
    """What Adam did to the weight number `i` in a step with these gradients."""
    states, options = run.states(step), run.options
    (*_, before, _, _), (*_, after, m, v) = states[-2:]
    lr = options.learning_rate(step - 1)
    m_hat, v_hat = m[i] / (1 - options.beta1**step), v[i] / (1 - options.beta2**step)
    decayed = before[i] * (1 - lr * options.weight_decay)
    # The root of any machine, unless it shows.
    change = -(lr * m_hat / (math.sqrt(v_hat) + options.eps))
    if decayed + change != after[i]:
        change = -(lr * m_hat / (v_hat**0.5 + options.eps))
    assert decayed + change == after[i]
    length = math.sqrt(reduce(lambda total, x: total + x * x, grads, 0.0))
    norm = options.clip_norm or math.inf
    clipping = norm / length if length > norm else 1.0
    return {
        "before": before[i],
        "grad": float(grads[i]),
        "clipping": clipping,
        "clipped": grads[i] * clipping,
        "decayed": decayed,
        "m": m[i],
        "v": v[i],
        "mHat": m_hat,
        "vHat": v_hat,
        "lr": lr,
        "change": change,
        "after": after[i],
    }


# ---- a step ----


@pytest.mark.parametrize("name", NAMES)
def test_step_says_what_it_learned_from(name):
    run = run_named(name)
    steps = [1, run.options.steps]
    for k, found in zip(steps, ask(name, *(["step", k] for k in steps))):
        assert found["tokens"] == run.batch(k)
        assert found["documents"] == [run.tokenizer.decode(tokens) for tokens in run.batch(k)]
        assert found["loss"] == run.states(k)[-1][1]
        assert found["lr"] == reference.learning_rate(k - 1, run.options.steps, run.options.lr)


@pytest.mark.parametrize("name", ["default", "cut", "careful", "extended"])
def test_weight_says_what_adam_did(name):
    run, k = run_named(name), run_named(name).options.steps
    step, start, places = step_of(name, k), 0, []
    for matrix, rows, columns in reference.weight_shapes(run.config):
        places += [
            (matrix, 0, 0, start),
            (matrix, rows - 1, columns - 1, start + rows * columns - 1),
        ]
        start += rows * columns
    found = ask(name, *(["weight", *place[:3], k] for place in places))
    grads = [node.grad for node in step.nodes[: len(run.all_states[0][2])]]
    for (*_, i), answer in zip(places, found):
        assert exact(answer) == exact(update(run, k, i, grads))
    ids = ask(name, *(["weightId", *place[:3]] for place in places))
    assert ids == [place[3] for place in places]
    at = ask(name, *(["weightAt", i] for i in ids))
    assert at == [dict(zip(("name", "row", "column"), place)) for place in places]


def test_moved_and_matrix_are_all_weights_of_a_step():
    run, k = run_named("batches"), 8
    n = len(run.states(0)[0][2])
    moved, matrix = ask("batches", ["moved", k, n], ["matrix", "layer0.mlp_fc2", k])
    (*_, before, _, _), (*_, after, _, _) = run.states(k)[-2:]
    gradients = [node.grad for node in step_of("batches", k).nodes[:n]]
    changes = [update(run, k, i, gradients)["change"] for i in range(0, n, 97)]
    found = {(entry["name"], entry["row"], entry["column"]): entry for entry in moved}
    assert len(found) == n
    sizes = [abs(entry["change"]) for entry in moved]
    assert sizes == sorted(sizes, reverse=True)
    places = [
        (name, row, column)
        for name, rows, columns in reference.weight_shapes(run.config)
        for row in range(rows)
        for column in range(columns)
    ]
    for i, change in zip(range(0, n, 97), changes):
        entry = found[places[i]]
        found_now = [entry["before"], entry["change"], entry["after"]]
        assert exact(found_now) == exact([before[i], change, after[i]])
    start = places.index(("layer0.mlp_fc2", 0, 0))
    part = slice(start, start + matrix["rows"] * matrix["columns"])
    grads = [float(node.grad) for node in step_of("batches", k).nodes[part]]
    assert (matrix["rows"], matrix["columns"]) == (8, 32)
    expected = [list(before[part]), list(after[part]), grads]
    assert exact([matrix["before"], matrix["after"], matrix["grad"]]) == exact(expected)


# ---- all steps ----


@pytest.mark.parametrize("name", ["default", "cut"])
def test_history_is_the_weight_of_every_step(name):
    run = run_named(name)
    steps = run.options.steps
    (history, losses) = ask(name, ["history", "lm_head", 3, 2], ["losses"])
    weights = ask(name, *(["weight", "lm_head", 3, 2, k] for k in range(1, steps + 1)))
    for key in weights[0]:
        assert history[key] == [weight[key] for weight in weights], key
    assert losses == [loss for _, loss, *_ in run.all_states[1:]]


def test_relu_shares_count_the_open_units_of_each_step():
    (shares,) = ask("cut", ["reluShares"])
    for k in [1, 7, 12]:
        step = step_of("cut", k)
        units = [node.data for node, kind in zip(step.nodes, step.operations) if kind == "relu"]
        assert shares[k - 1] == sum(x > 0 for x in units) / len(units)


# ---- the graph of a step ----


def node_facts(step, i):
    """What the page has to say of a node, but for its words."""
    node = step.nodes[i]
    children = [
        {"id": step.number[id(child)], "data": child.data, "grad": child.grad, "local": local}
        for child, local in zip(node._children, node._local_grads)
    ]
    return {"data": node.data, "grad": node.grad, "children": children}


@pytest.mark.parametrize("name", ["default", "batches"])
def test_node_says_all_of_a_number(name):
    step, rng = step_of(name, 3), random.Random(name)
    parts, users = step.parts(), {id(node): set() for node in step.nodes}
    for user, node in enumerate(step.nodes):
        for child in node._children:
            users[id(child)].add(user)
    ids = [rng.randrange(len(step.nodes)) for _ in range(150)] + [0, len(step.nodes) - 1]
    for i, found in zip(ids, ask(name, *(["node", 3, i] for i in ids))):
        assert found["id"] == i
        assert found["operation"] == step.operations[i]
        facts = node_facts(step, i)
        assert exact({key: found[key] for key in facts}) == exact(facts)
        assert [part["from"] for part in found["parts"]] == [user for user, _ in parts[i]]
        for part, (user, place) in zip(found["parts"], parts[i]):
            local, grad = step.nodes[user]._local_grads[place], step.nodes[user].grad
            shares = [part["local"], part["grad"], part["value"]]
            assert exact(shares) == exact([local, grad, local * grad])
        values = [part["value"] for part in found["parts"]]
        total = 1.0 if i == step.order[0] else added_up(values)
        assert exact(total) == exact(found["grad"])
        assert found["users"] == sorted(users[id(step.nodes[i])])
        exponents = {-1, -0.5, 2} if found["operation"] == "**" else {None}
        assert found["exponent"] in exponents
        assert found["what"] and "undefined" not in found["what"]


def test_order_and_subgraph_show_the_same_nodes():
    step = step_of("default", 3)
    (order, below) = ask("default", ["order", 3, 10, 50], ["subgraph", 3, step.order[0], 40])
    assert order["total"] == len(step.order)
    assert [node["id"] for node in order["nodes"]] == step.order[10:60]
    found = {node["id"]: node for node in below["nodes"]}
    assert len(found) == 40 and below["nodes"][0]["id"] == step.order[0]
    for i, node in [*found.items(), *((node["id"], node) for node in order["nodes"])]:
        facts = node_facts(step, i)
        assert exact({key: node[key] for key in facts}) == exact(facts)
    linked = {child["id"] for node in found.values() for child in node["children"]}
    assert set(found) - {step.order[0]} <= linked


def scores_of(q, keys, heads):
    """(heads, positions seen) scores before and after the division."""
    size = len(q) // heads
    scale = (size**0.5) ** -1
    dots = [
        [added_up(map(mul, q[h : h + size], k[h : h + size])) for k in keys]
        for h in range(0, len(q), size)
    ]
    return dots, [[dot * scale for dot in row] for row in dots]


def attention_of(scores):
    """Each head's weights, (heads, positions seen), from its scores."""
    return [numbers(reference.softmax([Value(x) for x in row])) for row in scores]


def forward_picture(run, step, tokens):
    """The rows of every field, by name, position after position."""
    fields, (keys, values) = {}, reference.empty_cache(run.config)
    weights = step.model.state_dict()

    def keep(name, row):
        fields.setdefault(name, []).append(row)

    for t in range(min(run.config.block_size, len(tokens) - 1)):
        spy = Spy()
        logits = reference.forward(weights, run.config, tokens[t], t, keys, values, spy)
        keep("wte", numbers(weights["wte"][tokens[t]]))
        keep("wpe", numbers(weights["wpe"][t]))
        calls = iter(spy.results)
        names = ["embedding", "embedding", "embedded", "x0"]
        for i in range(run.config.n_layer):
            inner = "norm1 q k v heads attn_out x_mid norm2 hidden_pre hidden mlp_out x"
            if run.config.activation == "relu2":
                inner = inner.replace(" hidden ", " relu ")
            names += [f"layer{i}.{name}" for name in inner.split()]
        for name, (_, args, result) in zip([*names, "logits"], calls, strict=True):
            if name != "embedding":
                keep(name, numbers(result))
            if name.endswith("mlp_out") and run.config.activation == "relu2":
                keep(name.replace("mlp_out", "hidden"), numbers(args[0]))
            if name.endswith("heads"):
                q, ks, _, heads = args
                dots, scores = scores_of(numbers(q), [numbers(k) for k in ks], heads)
                attention = attention_of(scores)
                for kind, rows in ("dots", dots), ("scores", scores), ("attention", attention):
                    keep(name.replace("heads", kind), rows)
        keep("probabilities", numbers(reference.softmax(logits)))
        keep("losses", [reference.cross_entropy(logits, tokens[t + 1]).data])
    return fields


def squares(rows, heads, n):
    """(H, n, n) numbers of rows (n positions, H, seen), NaN for the future."""
    return [
        rows[t][h][u] if u <= t else math.nan
        for h in range(heads)
        for t in range(n)
        for u in range(n)
    ]


@pytest.mark.parametrize("name, k", [("default", 3), ("layers", 1), ("tied", 8), ("cut", 5)])
def test_document_is_the_forward_picture(name, k):
    run, step = run_named(name), step_of(name, k)
    for p, x in zip(step.model.parameters(), step.weights):
        p.data = x
    batch = run.batch(k)
    for tokens, found in zip(batch, ask(name, *(["document", k, d] for d in range(len(batch))))):
        n = min(run.config.block_size, len(tokens) - 1)
        assert (found["tokens"], found["n"]) == (tokens, n)
        with no_grad():
            fields = forward_picture(run, step, tokens)
            loss = reference.document_loss(step.model.state_dict(), run.config, tokens).data
        assert found["loss"] == step.nodes[found["lossId"]].data == loss
        assert set(found["fields"]) == set(fields)
        for field, rows in fields.items():
            entry = found["fields"][field]
            is_square = field.rpartition(".")[2] in ("dots", "scores", "attention")
            expected = squares(rows, run.config.n_head, n) if is_square else flat(rows)
            assert math.prod(entry["shape"]) == len(expected) == len(entry["ids"]), field
            assert exact(entry["data"]) == exact(expected), field
            for i, x, grad in zip(entry["ids"], entry["data"], entry["grad"]):
                node = step.nodes[i]
                assert math.isnan(x) if i < 0 else exact([node.data, node.grad]) == exact([x, grad])


# ---- the model after a step ----


@pytest.mark.parametrize("name", ["default", "layers", "cut"])
@pytest.mark.parametrize("temperature", [0.5, 1, 0])
def test_predict_is_the_forward_pass_of_the_references(name, temperature):
    run, k = run_named(name), run_named(name).options.steps
    model = run.model("reference")[0]
    tokens = run.docs[0][: min(4, run.config.block_size)]
    questions = [["predict", tokens, temperature, step] for step in (0, k)]
    for step, found in zip((0, k), ask(name, *questions)):
        for p, x in zip(model.parameters(), run.states(step)[-1][2]):
            p.data = x
        keys, values = reference.empty_cache(run.config)
        with no_grad():
            for t, token in enumerate(tokens):
                spy = Spy()
                arguments = model.state_dict(), run.config, token, t, keys, values, spy
                logits = reference.forward(*arguments)
            expected = numbers(logits)
            assert exact(found["logits"]) == exact(expected)
            if temperature:
                likely = numbers(reference.softmax([logit / temperature for logit in logits]))
            else:
                best = expected.index(max(expected))
                likely = [float(i == best) for i in range(len(expected))]
        assert exact(found["probabilities"]) == exact(likely)
        calls = [args for name, args, _ in spy.results if name == "attention"]
        for attention, (q, ks, _, heads) in zip(found["attention"].values(), calls, strict=True):
            _, scores = scores_of(numbers(q), [numbers(k) for k in ks], heads)
            assert exact(attention) == exact(list(chain(*attention_of(scores))))


@pytest.mark.parametrize("name", RUNS)
def test_samples_are_drawn_as_the_run_drew_them(name):
    run, (samples,) = run_named(name), ask(name, ["samples"])
    model, rng = run.model("value")
    for p, x in zip(model.parameters(), run.all_states[recorded(name).kept][2]):
        p.data = x
    draw = rng.getstate()
    for found in samples:
        with no_grad():
            tokens = reference.sample_tokens(
                model.state_dict(), run.config, run.tokenizer.bos, rng, run.options.temperature
            )
        assert found["text"] == run.tokenizer.decode(tokens)
        drawn = [step["token"] for step in found["steps"]]
        assert drawn == [*tokens, run.tokenizer.bos][: run.config.block_size]
    rng.setstate(draw)
    for step in (step for found in samples for step in found["steps"]):
        if run.options.temperature:
            assert step["draw"] == rng.random()
            assert step["cumulated"] == list(accumulate(step["probabilities"]))
            assert step["total"] == step["cumulated"][-1]
            picked = step["draw"] * step["total"]
            assert step["token"] == next(i for i, x in enumerate(step["cumulated"]) if picked < x)
        else:
            assert step["draw"] is None
            assert step["token"] == step["logits"].index(max(step["logits"]))


# ---- without the model ----


def test_draws_and_shuffles_are_pythons():
    seeds = ["0", "42", "-7", str(2**100)]
    questions = [q for s in seeds for q in (["draws", s, 9], ["shuffled", s, 1000, 12])]
    found = iter(ask("cut", *questions))
    for seed in seeds:
        rng = random.Random(int(seed))
        assert next(found) == [rng.random() for _ in range(9)]
        places = list(range(1000))
        random.Random(int(seed)).shuffle(places)
        assert next(found) == places[:12]


def test_tokenize_knows_the_letters_of_the_run():
    encode, bos = run_named("letters").tokenizer.encode, run_named("letters").tokenizer.bos
    texts = ["🙂ж", "жQ🙂QЖ", ""]
    known, unknown, nothing = ask("letters", *(["tokenize", text] for text in texts))
    assert known == {"ids": encode("🙂ж"), "unknown": []}
    _, smile, letter, _ = encode("🙂ж")
    assert unknown == {"ids": [bos, letter, -1, smile, -1, -1, bos], "unknown": ["Q", "Ж"]}
    assert nothing == {"ids": [bos, bos], "unknown": []}


EXPRESSIONS = {
    "(3*4)+2": lambda V: V(3) * V(4) + V(2),
    "a*b + a**2": lambda V, a=2, b=3: (a := V(a)) * V(b) + a**2,
    "-a": lambda V: -V(2),
    "a - b / c": lambda V: V(2) - V(3) / V(4),
    "log(a) * exp(-0.5)": lambda V: V(2).log() * (-V(0.5)).exp(),
    "relu(b - c) + relu(c - b)": lambda V: (
        (b := V(3), c := V(4)) and (b - c).relu() + (c - b).relu()
    ),
    "a ** -2 * (1.5e1 - -3)": lambda V: V(2) ** -2 * (V(15.0) - -V(3)),
    "a/a": lambda V: (a := V(2)) / a,
    "7": lambda V: V(7),
    "-2**2": lambda V: -(V(2) ** 2),
    "a**0.5 ": lambda V: V(2) ** 0.5,
}


def test_an_expression_of_the_readers_is_the_references_graph():
    found = ask("cut", *(["expression", text] for text in EXPRESSIONS))
    for (text, make), answer in zip(EXPRESSIONS.items(), found):
        with Counting() as counting:
            root = make(Value)
        root.backward()
        place = {id(node): i for i, node in enumerate(counting.made)}
        order = [place[id(node)] for node in reversed(topological_order(root))]
        names = {node["id"]: node["what"] for node in answer["nodes"]}
        assert answer["order"] == order, text
        assert len(answer["nodes"]) == len(counting.made), text
        for node, expected in zip(answer["nodes"], counting.made):
            assert (node["data"], node["grad"]) == (expected.data, expected.grad), text
            children = [(place[id(child)]) for child in expected._children]
            assert [child["id"] for child in node["children"]] == children, text
            assert [child["local"] for child in node["children"]] == list(expected._local_grads)
        assert {name for name in names.values() if name} == set(text) & set("abc")


# ---- two runs ----


def test_a_run_compared_with_itself_differs_nowhere():
    (same,) = ask("cut", ["compareWith", "$other"], other="cut")
    assert same["first"] is None
    assert same["losses"] == [loss for _, loss, *_ in run_named("cut").all_states[1:]]
    assert all(mine == theirs for _, mine, theirs in same["options"])


DIFFERENCES = {
    "another rate": (1, "weight"),
    "another seed": (0, "weight"),
    "more steps": (2, "weight"),
    "another temperature": (12, "sample"),
    "another document": (1, "document"),
    "another letter": (0, "letter"),
    "default": (0, "size"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_compare_finds_the_first_number_that_differs(name):
    (found,) = ask("cut", ["compareWith", "$other"], other=name)
    mine, theirs, first = run_named("cut"), run_named(name), found["first"]
    assert (first["step"], first["what"]) == DIFFERENCES[name] and first["mine"] != first["theirs"]
    if first["what"] == "weight":
        a, b = (run.all_states[first["step"]][2] for run in (mine, theirs))
        i = next(i for i, (x, y) in enumerate(zip(a, b)) if x != y)
        assert exact([first["mine"], first["theirs"]]) == exact([a[i], b[i]])
        place = [first["name"], first["row"], first["column"]]
        assert ask("cut", ["weightId", *place]) == [i]
        assert first["place"] == "{}[{}][{}]".format(*place)
    if first["what"] == "document":
        i = next(i for i, (x, y) in enumerate(zip(mine.batch(1), theirs.batch(1))) if x != y)
        assert first["place"] == i and first["mine"] == mine.tokenizer.decode(mine.batch(1)[i])
    for option, a, b in found["options"]:
        if hasattr(mine.options, option):
            assert (a is None and b is None) or (
                type(a)(getattr(mine.options, option)) == a
                and type(b)(getattr(theirs.options, option)) == b
            )


# ---- words ----

WORDS = {
    ("wte", 0, 1): "weight of wte, row 26 (BOS), column 1",
    ("wpe", 2, 3): "weight of wpe, row 2, column 3",
    ("embedded", 2, 3): "position 2: feature 3 of the embedded letter",
    ("layer0.q", 2, 5): "layer 0, position 2: feature 5 of the query",
    ("layer0.k", 1, 15): "layer 0, position 1: feature 15 of the key",
    ("layer0.dots", 2, 3, 1): "layer 0, head 2, position 3: the undivided score of position 1",
    ("layer0.scores", 2, 3, 1): "layer 0, head 2, position 3: score of position 1",
    ("layer0.attention", 3, 2, 0): "layer 0, head 3, position 2: attention to position 0",
    ("layer0.heads", 2, 6): "layer 0, head 1, position 2: feature 2 of the head's output",
    ("layer0.hidden_pre", 0, 63): "layer 0, position 0: hidden unit 63 before relu",
    ("layer0.x", 1, 0): "layer 0, position 1: feature 0 of the residual stream after the MLP",
    ("logits", 2, 1): "position 2: logit of 'b'",
    ("probabilities", 2, 26): "position 2: probability of BOS",
}


def test_what_a_number_is_stands_in_words():
    (document,) = ask("default", ["document", 3, 0])
    ids = []
    for field, *place in WORDS:
        entry, i = document["fields"][field], 0
        for size, index in zip(entry["shape"], place):
            i = i * size + index
        ids.append(entry["ids"][i])
    found = ask("default", *(["node", 3, i] for i in ids))
    assert [node["what"] for node in found] == list(WORDS.values())
    ids = [document["fields"]["losses"]["ids"][0], document["lossId"]]
    loss, total = ask("default", *(["node", 3, i] for i in ids))
    letter = run_named("default").tokenizer.decode([document["tokens"][1]])
    assert loss["what"] == f"position 0: surprise at '{letter}'"
    assert total["what"] == "loss of the document, the mean over its positions"
