"""Programs of every tier, in each of which every request for memory or a thread fails once.

    LD_PRELOAD=failing_memory.so python short_of_memory.py NAME     # one of PROGRAMS, or flat.py

Its files go to the current folder, which must be empty.

After each failure the state is what it was, or that of a completed step; the program then goes on
to the same bits; nothing is kept that would not be kept otherwise. Ends with a line of JSON: how
many requests failed, and how many of these failures raised MemoryError. That the interpreter
survives some of them in silence is its right; the result must be the same then, too.
"""

import ctypes
import faulthandler
import gc
import itertools
import json
import os
import pickle
import random
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from amount import WHOLE, spread
from bits import bits, describe

import isograd
from isograd import _core
from isograd.micrograd import engine, nn

FEW = 20
ADDRESS = rb" at 0x[0-9a-f]+"  # of an object that a script prints
STEADY = 5  # runs in a row that leave nothing behind: the interpreter's own caches are full
AGAIN = 20  # a leak leaves as many blocks behind as there were failures
ROUNDS = 10  # and that so many times in a row

memory = ctypes.PyDLL(None)
for name in ("memory_end", "memory_failed", "memory_blocks", "memory_noted"):
    getattr(memory, name).restype = ctypes.c_long
memory.memory_noted.argtypes = memory.memory_place.argtypes = [ctypes.c_long]
memory.memory_place.restype = ctypes.c_void_p
memory.memory_begin.argtypes = [ctypes.c_long, ctypes.c_int]


class Program(NamedTuple):
    new: Any  # makes a state
    act: Any  # does the work on it, or the rest of it, and returns what it has found
    look: Any = lambda state: None  # the state, to be compared
    states: Any = None  # those that a failure may leave, if not the first one alone
    errors: tuple[str, ...] = ("MemoryError",)
    python_too: bool = False  # whether requests fail that do not come from C code of isograd's


# ---- the graph ----


def values():
    return [isograd.Value(x) for x in (0.5, -1.25, 3, 0.1, -0.7, 2, 4.0, 1e-3)]


def expression(v):
    y = (v[0] * v[1] + v[2] ** 2 - 1) / (v[6] + 2) + v[3].exp() * v[5].log() - v[4].relu()
    own = isograd.Value(1.5, v, [0.5] * len(v))
    return sum([y, own, 2 - v[0], -v[1]])


def in_vectors(v):
    x = isograd.add(isograd.linear(v[:4], [v[4:], v[:4], v[2:6], v[1:5]]), v[4:])
    x = isograd.relu(isograd.rmsnorm(x))
    x = isograd.attention(x, [x, v[:4]], [v[1:5], x], 2)
    return isograd.cross_entropy([*isograd.softmax(x), *x], 3)


def swept(make):
    """Builds, sweeps, reads all."""

    def act(v):
        for value in v:
            value.grad = 0
        y = make(v)
        y.backward()
        return describe([*v, y])

    return act


def numbers_of(v):
    return [bits(x.data) for x in v]


def updated(v):
    """A few steps of Adam: the values of `v` are the last thing that changes."""
    v = [isograd.Value(x.data) for x in v]
    adam = isograd.Adam(v, lr=0.1, clip_norm=1.0, weight_decay=0.01)
    for _ in range(3):
        expression(v).backward()
        adam.step()
        adam.zero_grad()
    return [bits(x.data) for x in v], list(map(bits, adam.m)), list(map(bits, adam.v))


def pickled(v):
    y = isograd.cross_entropy(isograd.linear(v[:2], [v[2:4], v[4:6]]), 1)
    return describe([pickle.loads(pickle.dumps(y)), *pickle.loads(pickle.dumps(v[:2]))])


# ---- micrograd ----


def network():
    random.seed(4)
    return nn.MLP(2, [3, 2, 1])


def fitted(model):
    """The weights are set before, so that whatever a failure left is overwritten."""
    rng = random.Random(4)
    for p in model.parameters():
        p.data, p.grad = rng.uniform(-1, 1), 0
    for x in ([0.5, -1.25], [3, 2.0]):
        model.zero_grad()
        loss = (model(x) - 1) ** 2 + (model([engine.Value(x[0]).tanh(), x[1]])) * 0.1
        loss.backward()
        for p in model.parameters():
            p.data -= 0.05 * p.grad
    return [(bits(p.data), bits(p.grad)) for p in model.parameters()]


# ---- models ----

TOKENIZER = isograd.CharTokenizer(["abc"])
DOCS = [TOKENIZER.encode(doc) for doc in ["ab", "cabba", "", "c"]]
CONFIG = isograd.GPTConfig(TOKENIZER.vocab_size, 1, 4, 2, 3)
SMALLEST = isograd.GPTConfig(TOKENIZER.vocab_size, 1, 1, 1, 2)


def trained(tier, config=CONFIG, **options):
    """A run: new, or gone on with where a failure left it."""

    def new():
        model = isograd.GPT(config, rng=random.Random(1), tier=tier)
        return model, isograd.TrainingState(model.num_params)

    def act(run):
        model, state = run
        isograd.train(model, DOCS, 2, 0.03, state=state, **options)
        return look(run)

    def look(run):
        model, state = run
        moments = [*map(bits, state.m)], [*map(bits, state.v)]
        validation = [(step, bits(loss)) for step, loss in state.validation]
        weights = [bits(x) for x in model.read_data()]
        return weights, moments, [*map(bits, state.losses)], validation

    def states():
        """After 0, 1 and 2 steps, also before each validation loss, and at the end."""
        run = new()
        seen = [look(run)]
        callback = lambda *_: seen.append(look(run))  # noqa: E731
        isograd.train(run[0], DOCS, 2, 0.03, callback, state=run[1], **options)
        return [*seen, look(run), *((*numbers, judged[:-1]) for *numbers, judged in seen)]

    return Program(new, act, look, states)


def asked(tier):
    def new():
        return isograd.GPT(CONFIG, rng=random.Random(1), tier=tier)

    def act(model):
        tokens = DOCS[0][:3]
        answers = [model.logits(tokens), model.probabilities(tokens, 0.7), model.attention(tokens)]
        for name in (model.activations(tokens), model.gradients(DOCS[0])):
            answers += name.values()
        rng = random.Random(3)
        text = [isograd.sample(model, TOKENIZER, rng=rng, temperature=t) for t in (0.9, 0)]
        text.append(isograd.sample(model, TOKENIZER, rng=rng, prompt="a", top_k=2))
        loss = isograd.evaluate(model, DOCS).loss
        return [a.tobytes() for a in answers], text, bits(loss), describe_loss(model)

    return Program(new, act, weights_of)


def describe_loss(model):
    loss = model.loss(DOCS[1])
    return bits(loss) if model.tier == "native" else bits(loss.data)


def weights_of(model):
    return [bits(x) for x in model.read_data()]


def copied(tier):
    """Weights out and in again, to other tiers, through pickle."""

    def new():
        return isograd.GPT(CONFIG, rng=random.Random(1), tier=tier)

    def act(model):
        arrays = {name: view.tobytes() for name, view in model.arrays().items()}
        other = isograd.GPT(CONFIG, rng=random.Random(2), tier="native")
        other.load_state_dict(model.arrays())
        again = isograd.GPT.from_state_dict(CONFIG, model.state_dict(), tier="fused")
        models = [other, again, model.to("value"), pickle.loads(pickle.dumps(model))]
        return arrays, list(map(weights_of, models))

    return Program(new, act, weights_of)


# The second where there is no room for a file's lock; the third where the interpreter gives up.
FILE_ERRORS = ("MemoryError", "RuntimeError", "SystemError")
FOLDER = os.getcwd()
PATH = os.path.join(FOLDER, "run.safetensors")
PART = os.path.join(FOLDER, ".run.safetensors.part")


def content():
    with open(PATH, "rb") as file:
        return file.read()


def saved():
    """A checkpoint over an older one: the file is one or the other."""

    def new():
        model = isograd.GPT(SMALLEST, rng=random.Random(1), tier="native")
        state = isograd.TrainingState(model.num_params)
        rng, options = random.Random(5).getstate(), {"steps": 2, "lr": 0.1}
        first = isograd.Checkpoint(model, TOKENIZER, state, rng, options, "")
        isograd.save_checkpoint(PATH, first)
        isograd.train(model, DOCS, 2, 0.03, state=state)
        return first

    def act(checkpoint):
        isograd.save_checkpoint(PATH, checkpoint)
        return content(), os.listdir(FOLDER)

    def look(_):
        # The next one that writes the file removes it.
        assert not os.path.exists(PART) or os.path.getsize(PART) == 0
        return content()

    def states():
        checkpoint = new()
        return [look(checkpoint), act(checkpoint)[0]]

    return Program(new, act, look, states, errors=FILE_ERRORS, python_too=True)


def loaded():
    def new():
        return saved().new()

    def act(_):
        found = isograd.load_checkpoint(PATH)
        return weights_of(found.model), found.state.losses, found.options

    # The library that reads the file has no other word for it.
    return Program(
        new, act, lambda _: content(), errors=(*FILE_ERRORS, "PanicException"), python_too=True
    )


PROGRAMS = {
    "operators": Program(values, swept(expression), numbers_of),
    "vectors": Program(values, swept(in_vectors), numbers_of),
    "adam": Program(values, updated, numbers_of),
    "pickle": Program(values, pickled, numbers_of),
    "micrograd": Program(network, fitted),
    "train value": trained("value", SMALLEST),
    "train fused": trained("fused", batch_size=2, clip_norm=0.5),
    "train native": trained("native"),
    "train native on threads": trained("native", batch_size=3, threads=2),
    "train judged": trained("native", validation=DOCS[:2], eval_every=1, keep="best"),
    "ask fused": asked("fused"),
    "ask native": asked("native"),
    "copy": copied("native"),
    "save": saved(),
    "load": loaded(),
}


# ---- failing ----


class Attempt(NamedTuple):
    error: str  # its type; empty if there was none
    failed: int  # requests
    result: Any


def attempt(program, state, number):
    """The program acts while the request with this number fails."""
    error, result = "", None
    memory.memory_begin(number, not program.python_too)
    try:
        result = program.act(state)
    except BaseException as found:
        error = type(found).__name__
    memory.memory_end()
    return Attempt(error, memory.memory_failed(), result)


def held():
    """Blocks of memory, Values, and references to what the programs read."""
    gc.collect()
    references = sum(map(sys.getrefcount, DOCS))
    values = _core.live_values(), _core.live_micrograd_values()
    return memory.memory_blocks(), *values, references


class Trial:
    """A program, what it does when nothing fails, and what it may leave when something does."""

    def __init__(self, program):
        self.program = program
        self.expected = program.act(program.new())
        self.states = program.states() if program.states else [program.look(program.new())]
        self.warm_up()

    def warm_up(self):
        steady, before = 0, held()
        while steady < STEADY:
            assert self.program.act(self.program.new()) == self.expected
            after = held()
            steady, before = (steady + 1 if after == before else 0), after

    def fail(self, number):
        """One failure, and the way on."""
        state = self.program.new()
        tried = attempt(self.program, state, number)
        if not tried.error:
            assert tried.result == self.expected, f"request {number}: another result"
            return tried
        assert tried.failed and tried.error in self.program.errors, f"{number}: {tried.error}"
        assert self.program.look(state) in self.states, f"request {number} changed the state"
        assert self.program.act(state) == self.expected, f"request {number}: goes on differently"
        return tried

    def fail_and_look_for_leaks(self, number):
        before = held()
        tried = self.fail(number)
        after = held()
        # The interpreter's own code leaks by itself in places.
        if after != before and not self.program.python_too:
            assert not self.always_differs(number), f"request {number} leaks, or frees twice"
        return tried

    def always_differs(self, number):
        """Whether each failure leaves something behind, or takes it: caches only fill up."""
        for _ in range(ROUNDS):
            before = held()
            for _ in range(AGAIN):
                self.fail(number)
            if max(abs(now - then) for now, then in zip(held(), before)) < AGAIN:
                return False
        return True

    def numbers(self):
        """Those of the requests that can fail.

        What the interpreter has in store shifts them a little, so that in the whole form all are
        tried; C code's requests are told when they come.
        """
        state = self.program.new()
        memory.memory_note()
        self.program.act(state)
        requests = memory.memory_end()
        if WHOLE or self.program.python_too:
            return range(requests)
        return at_each_place(noted(), slice(3))

    def run(self):
        """Fails each request, or a few; returns how many failed, and how many of them raised."""
        n_failed = n_raised = 0
        for number in spread(self.numbers(), FEW):
            tried = self.fail_and_look_for_leaks(number)
            n_failed, n_raised = n_failed + tried.failed, n_raised + (tried.error != "")
        return n_failed, n_raised


def noted():
    """The numbers of the requests, since memory_note(), that came from C code of isograd's."""
    return list(itertools.takewhile(lambda n: n >= 0, map(memory.memory_noted, itertools.count())))


def at_each_place(numbers, some):
    """Some of the noted requests' numbers from each place in the code."""
    places = {}
    for i, number in enumerate(numbers):
        places.setdefault(memory.memory_place(i), []).append(number)
    return sorted(n for found in places.values() for n in found[some])


# ---- isograd run ----

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts")


def ending_of_script(name, begin, end):
    """Status, output and complaints of `isograd run`; its process calls these before and after."""
    from isograd.run import Script

    names = [os.path.join(FOLDER, name) for name in ("output", "errors")]
    files = [os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC) for name in names]
    child = os.fork()
    if child == 0:
        for file, descriptor in zip(files, (1, 2)):
            os.dup2(file, descriptor)
        begin()
        try:
            Script(os.path.join(SCRIPTS, name), ("1",), any_order=True).run()
        except SystemExit:
            end()
            raise
        finally:
            sys.stdout.flush()
        os._exit(77)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    texts = [re.sub(ADDRESS, b"", os.pread(file, 1 << 20, 0)) for file in files]
    for file in files:
        os.close(file)
    return status, *texts


def fail_requests_of_a_script(name):
    """As `Trial.run`, for `isograd run`, where only requests of C code fail.

    Each failure ends the script with status 1 or 2 and a word about memory, or is survived, with
    what it concerns left to Python; what it has printed until then is right. Nothing goes on, as
    the process has ended.
    """
    told = os.path.join(FOLDER, "told")

    def tell(what):
        memory.memory_end()
        with open(told, "w") as file:
            json.dump(what(), file)

    def listen():
        """What was told; 1, a failed request, by a process that had no time to tell."""
        try:
            with open(told) as file:
                return json.load(file)
        except FileNotFoundError:
            return 1

    whole = ending_of_script(name, memory.memory_note, lambda: tell(requests_to_fail))
    assert whole[::2] == (0, b""), whole
    n_failed = n_raised = 0
    for number in listen():
        Path(told).unlink(missing_ok=True)
        status, output, errors = ending_of_script(
            name, lambda n=number: memory.memory_begin(n, 1), lambda: tell(memory.memory_failed)
        )
        assert whole[1].startswith(output), f"request {number}: {output}"
        if status == 0:
            assert (output, errors) == (whole[1], b""), f"request {number}: {errors}"
        else:
            assert status in (1, 2) and b"emory" in errors, f"request {number}: {status}, {errors}"
        n_failed, n_raised = n_failed + listen(), n_raised + (status != 0)
    return n_failed, n_raised


def requests_to_fail():
    """The numbers of some that were noted: the first at each place, or ten times as many."""
    return at_each_place(noted(), slice(10 if WHOLE else 1))


if __name__ == "__main__":
    assert memory.memory_find_code() == 4
    memory.memory_hook_python()
    gc.freeze()
    faulthandler.enable()
    name = sys.argv[1]
    is_script = name.endswith(".py")
    print(json.dumps(fail_requests_of_a_script(name) if is_script else Trial(PROGRAMS[name]).run()))
