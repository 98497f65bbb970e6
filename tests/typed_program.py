"""A program that uses everything, as type checkers see it: `make lint` checks it, a test runs it.

`assert_type` says what a user's editor is to show. What is an error is marked as one: mypy and
pyright complain where such a comment is not needed.
"""

import os
import random
from array import array
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import isograd
from isograd import Adam, Value, reference
from isograd.micrograd import engine, nn
from isograd.options import RunOptions
from isograd.runs import new_run

if TYPE_CHECKING:
    from typing import Literal  # noqa: F401  # strings name it, and so the next

    from typing_extensions import assert_type

    from isograd._native import Matrix  # noqa: F401
else:

    def assert_type(x, kind):
        return x


DOCS = ["ann", "bob", "carol"]
TOKENIZER = isograd.CharTokenizer(DOCS)
TOKENS = [TOKENIZER.encode(doc) for doc in DOCS]
CONFIG = isograd.GPTConfig(TOKENIZER.vocab_size, n_embd=4, n_head=2, block_size=8)


def use_operators(a: Value) -> None:
    for y in (a + a, a + 1, 2 + a, a - a, a - 0.5, 2 - a, a * a, a * Fraction(1, 2), 2 * a):
        assert_type(y, Value)
    for y in (a / a, a / 2, 2 / a, a**2, a**-0.5, -a, a.log(), a.exp(), a.relu()):
        assert_type(y, Value)
    assert_type(2 * a, Value)
    assert_type(a.data, float)
    assert_type(a.grad, float)
    assert_type(a._children, "tuple[Value, ...]")
    a.grad = 0
    own = Value(a.data**3, (a,), (3 * a.data**2,))
    own.backward()
    assert_type(sum([a, own], Value(0)), Value)
    refused: list[object] = []
    try:
        refused += [2**a]  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
        refused += ["2" * a]  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    except TypeError:
        pass


def matrix(n_out: int, n_in: int, rng: random.Random) -> list[list[Value]]:
    return [[Value(rng.gauss(0, 0.1)) for _ in range(n_in)] for _ in range(n_out)]


def use_vectors() -> None:
    rng = random.Random(1)
    w = matrix(4, 4, rng)
    x = assert_type(isograd.embedding(1, w), "list[Value]")
    assert_type(isograd.linear(x, w), "list[Value]")
    assert_type(isograd.softmax(x), "list[Value]")
    assert_type(isograd.rmsnorm(x), "list[Value]")
    assert_type(isograd.attention(x, w, w, 2), "list[Value]")
    assert_type(isograd.add(x, w[0]), "list[Value]")
    assert_type(isograd.relu(x), "list[Value]")
    assert_type(isograd.cross_entropy(x, 1), Value)
    learn(w)


def learn(w: list[list[Value]]) -> None:
    adam = Adam([p for row in w for p in row], 0.01, (0.9, 0.99), weight_decay=0.1, clip_norm=1.0)
    assert_type(adam.params, "tuple[Value, ...]")
    assert_type(adam.m, "array[float]")
    losses = [isograd.cross_entropy(isograd.linear(w[0], w), i) for i in range(2)]
    assert_type(sum(losses), "Value | Literal[0]")  # 0 is that of no losses
    loss = sum(losses) / len(losses)
    assert isinstance(loss, Value)
    loss = assert_type(sum(losses, Value(0)) / len(losses), Value)
    loss.backward()
    adam.step()
    adam.step(0.1)
    adam.zero_grad()
    adam.load_state_dict(adam.state_dict())
    with isograd.no_grad():
        assert_type(isograd.linear(w[0], w)[0].data, float)
    assert_type(without_a_graph(w[0][0]), Value)


@isograd.no_grad()
def without_a_graph(a: Value) -> Value:
    return a * a


def use_the_specification() -> None:
    """It has the same names; its vector functions take any scalars, and return Any."""
    x = [reference.Value(1), reference.Value(2.0)]
    assert_type(2 * x[0], reference.Value)
    loss: reference.Value = reference.cross_entropy(reference.linear(x, [x, x]), 1)
    loss.backward()
    with reference.no_grad():
        reference.Adam(x).step()
    try:
        isograd.softmax(x)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    except TypeError:
        pass


def use_text(folder: Path) -> None:
    learned, held_out = isograd.hold_out(DOCS, 0.4)
    assert_type(learned + held_out, "list[str]")
    assert_type(isograd.hold_out(TOKENS, 0.4), "tuple[list[list[int]], list[list[int]]]")
    assert_type(TOKENIZER.bos + TOKENIZER.vocab_size, int)
    assert_type(TOKENIZER.encode_beginnings(["a", "bo"], 8), "list[list[int]]")
    assert_type(TOKENIZER.decode(TOKENS[0]), str)
    (folder / "docs.txt").write_text("\n".join(DOCS), "utf-8")
    assert_type(isograd.load_docs(folder / "docs.txt"), "list[str]")


def use_tiers() -> None:
    rng, tokens = random.Random(2), TOKENS[0]
    native = isograd.GPT(CONFIG, rng=rng, tier="native")
    assert_type(native.loss(tokens), float)
    fused = assert_type(isograd.GPT(CONFIG, rng=rng, tier="fused"), "isograd.GPT[Value]")
    fused.loss(tokens).backward()
    Adam(fused.parameters()).step()
    assert_type(isograd.GPT(CONFIG, rng=rng, tier="value").loss(tokens), Value)
    pure = isograd.GPT(CONFIG, rng=rng, tier="reference")
    assert_type(pure.loss(tokens), reference.Value)
    assert_type(pure.parameters(), "list[reference.Value]")
    assert_type(native.to("fused").loss(tokens), Value)
    assert_type(fused.to("native").loss(tokens), float)
    same = isograd.GPT.from_state_dict(CONFIG, native.state_dict(), tier="value")
    assert_type(same.state_dict(), "dict[str, list[list[Value]]]")
    any_tier = isograd.GPT(CONFIG, rng=rng, init_std=0.1)
    loss = assert_type(any_tier.loss(tokens), "float | Value | reference.Value")
    number: float = loss.data if isinstance(loss, (Value, reference.Value)) else loss
    assert number > 0
    for model in (native, fused, pure, any_tier):
        assert_type(probability_of(model, tokens), float)
    for tier in ("native", "fused"):
        any_tier = native.to(tier)


def probability_of(model: isograd.GPT, tokens: Sequence[int]) -> float:
    """Of any tier: a model's type needs no parameter."""
    return model.probabilities(tokens[:-1])[tokens[-1]]


def use_weights(model: "isograd.GPT[float]") -> None:
    w = assert_type(model.state_dict()["wte"], "Matrix")
    assert_type(w.shape, "tuple[int, int]")
    assert_type(w[0], "memoryview[float]")
    assert_type(w[0][1], float)
    assert_type(w[0, 1], float)
    assert_type(w[:, 1], "memoryview[float]")
    assert_type(w[1:3], "Matrix")
    assert_type(w[1:3, :2], "Matrix")
    w[0, 1] = 0.5
    w[0] = [0.0] * 4
    w[:, 1] = array("d", [0.1]) * len(w)
    w[1:3] = [[0.0] * 4, [1.0] * 4]
    assert_type([x for row in w for x in row], "list[float]")
    assert_type(w.tolist(), "list[list[float]]")
    assert memoryview(w).nbytes == 8 * w.shape[0] * w.shape[1]
    model.load_state_dict(model.arrays())
    assert_type(model.arrays(), "dict[str, memoryview[float]]")
    assert len(model.read_data()) == assert_type(model.num_params, int)


def use_options() -> None:
    config = isograd.GPTConfig(5, 2, n_embd=4, n_head=1, activation="relu2", tie_weights=True)
    assert_type(config.block_size, int)
    options = RunOptions(steps=2, n_embd=4, n_head=2, validation=0.4, eval_every=2)
    run = new_run(options, DOCS)
    assert_type(run.train(options), "list[float]")
    assert_type(run.model, isograd.GPT)
    assert_type(run.state.validation, "list[tuple[int, float]]")


def use_questions(model: isograd.GPT) -> None:
    prefix = assert_type(TOKENIZER.encode_prompt("an"), "list[int]")
    assert_type(model.logits(prefix), "memoryview[float]")
    assert_type([*model.probabilities(prefix, temperature=0.5)], "list[float]")
    assert_type(model.attention(prefix)[0, 0, 2, 1], float)
    assert_type(model.activations(prefix)["logits"][0, 1], float)
    assert_type(model.gradients(TOKENS[0]), "dict[str, memoryview[float]]")


def use_training(folder: Path) -> None:
    model, seen = isograd.GPT(CONFIG, rng=random.Random(3)), list[float]()
    state = isograd.TrainingState(model.num_params)

    def callback(step: int, loss: float) -> bool | None:
        seen.append(loss)
        return False if step > 100 else None

    def every() -> int:
        return 2

    losses = isograd.train(
        model, TOKENS, 6, 0.01, callback, every=every, batch_size=2, threads="auto",
        schedule="cosine", warmup=1, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1, clip_norm=1.0,
        validation=TOKENS[:2], eval_every=2, keep="best", patience=3, state=state, until=4,
    )  # fmt: skip
    assert_type(losses, "list[float]")
    assert_type(state.steps + state.best_step(), int)
    assert_type(state.validation, "list[tuple[int, float]]")
    isograd.train(model, TOKENS, steps=6, state=state, callback=lambda step, loss: print(end=""))
    found = assert_type(isograd.evaluate(model, TOKENS), isograd.Evaluation)
    assert_type(found.bits + found.loss, float)
    assert_type(found.predictions, int)
    rng = random.Random(4)
    assert_type(isograd.sample(model, TOKENIZER, rng=rng, prompt="a", top_k=2), str)
    use_checkpoints(folder, model, state, rng)


def use_a_sweep(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    found = isograd.sweep(
        {"lr": [0.01, 0.02], "seed": {"low": 1, "high": 9}}, DOCS, sampler="random", trials=2,
        seeds=2, judge_by="best", workers=1, callback=rows.append, steps=2, n_embd=4, n_head=2,
    )  # fmt: skip
    assert_type(found.rows, "list[dict[str, Any]]")
    if found.best:
        assert_type(found.best.loss, float)
        assert_type(found.best.options, "dict[str, Any]")
    assert_type(found.best_run().tokenizer, isograd.CharTokenizer)
    assert_type(found.best_model(), isograd.GPT)
    found.save_best(folder / "best.safetensors")
    found.to_csv(folder / "sweep.csv")
    if TYPE_CHECKING:  # which needs Matplotlib
        found.plot(folder / "sweep.svg")


def use_checkpoints(
    folder: Path, model: isograd.GPT, state: isograd.TrainingState, rng: random.Random
) -> None:
    checkpoint = isograd.Checkpoint(
        model, TOKENIZER, state, rng.getstate(), {"steps": 6}, isograd.docs_sha256(DOCS)
    )
    isograd.save_checkpoint(folder / "run.safetensors", checkpoint)
    isograd.save_checkpoint(os.fspath(folder / "run.safetensors"), checkpoint)
    again = isograd.load_checkpoint(folder / "run.safetensors", tier="fused")
    assert_type(again, isograd.Checkpoint)
    assert_type(again.state.losses, "list[float]")
    rng.setstate(again.random_state)


def use_pictures(folder: Path) -> None:
    a = Value(2) * 3
    drawing = isograd.draw(a, depth=2, limit=10)
    assert_type(drawing.svg + drawing.dot + drawing.mermaid, str)
    drawing.save(folder / "graph.svg")
    assert_type(isograd.operation(a), str)
    isograd.draw(engine.Value(1) + 1)
    try:
        isograd.draw("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    except TypeError:
        pass
    assert_type(isograd.draw(reference.Value(1) + 1).svg, str)
    page = isograd.explain(data=DOCS, steps=2, n_embd=4, n_head=2, samples=1)
    assert_type(page, isograd.Explanation)
    assert_type(page.html + page.summary(), str)
    assert_type(page.sizes, "dict[str, int]")
    page.save(folder / "run.html")
    other = folder / "other.html"
    isograd.explain(
        data=DOCS, compare=folder / "run.html", withhold_documents=True, times=False,
        callback=lambda step, loss: print(end=""), steps=2, n_embd=4, n_head=2, samples=1,
    ).save(other)  # fmt: skip


def use_micrograd() -> None:
    a, b = engine.Value(2.0, label="a"), engine.Value(3)
    for y in (a + b, 1 + a, a - 1, 2 - a, a * b, 2 * a, a / b, 1 / a, a**2, -a, a.relu()):
        assert_type(y, engine.Value)
    for y in (a.tanh(), a.exp(), a.log(), a.sigmoid()):
        assert_type(y, engine.Value)
    assert_type(a._prev, "tuple[engine.Value, ...]")
    assert_type(a._op + a.label, str)
    neuron = nn.Neuron(2, nonlin=False)
    assert_type(neuron([a, 1.0]), engine.Value)
    assert_type(neuron.w, "list[engine.Value]")
    assert_type(nn.Layer(2, 3).neurons, "list[nn.Neuron]")
    network = nn.MLP(2, [3, 1])
    assert_type(network.layers, "list[nn.Layer]")
    assert isinstance(network, nn.Module)
    for p in network.parameters():
        p.data -= 0.1 * assert_type(p, engine.Value).grad
    out: engine.Value = network([a, 1.0])  # Any: a list, if its last layer had more neurons
    out.backward()
    network.zero_grad()


class Named(Value):
    """People make subclasses."""

    name = ""

    def exp(self) -> "Named":
        return Named(super().exp().data)


Number = TypeVar("Number", float, Value)


def square(x: Number) -> Number:
    """And functions of both."""
    return x * x


def main() -> None:
    use_operators(Value(2))
    use_vectors()
    use_the_specification()
    use_tiers()
    use_options()
    model = isograd.GPT(CONFIG, rng=random.Random(5), tier="native")
    use_weights(model)
    use_questions(model)
    with TemporaryDirectory() as name:
        use_text(Path(name))
        use_training(Path(name))
        use_pictures(Path(name))
        use_a_sweep(Path(name))
    use_micrograd()
    assert_type(Named(1).exp(), Named)
    assert_type(square(Value(2)), Value)
    assert_type(square(2.0), float)
    assert_type(isograd.backend, str)


if __name__ == "__main__":
    main()
