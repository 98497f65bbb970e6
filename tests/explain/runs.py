"""Runs whose pages are tested: recorded, trained to any step, and a step of the pure reference."""

import sys
from array import array
from functools import cache, cached_property, lru_cache
from random import Random

from isograd import GPT, CharTokenizer, GPTConfig, TrainingState, load_docs, reference, train
from isograd.explain.payload import About, pack
from isograd.explain.record import Options, record_run
from isograd.reference import value as scalars

LETTERS = ["анна", "борис", "вера", "глеб", "дарья", "ж", "🙂🙃", "a🙂b", "egor", "żaneta", "ﬃ"]
RUNS = {
    "default": (None, {"steps": 30, "samples": 5}),
    "letters": (LETTERS, {"steps": 25, "seed": -7, "samples": 4}),
    "layers": (None, {"steps": 3, "n_layer": 2, "n_embd": 32, "samples": 1}),
    "batches": (None, {"steps": 8, "batch_size": 4, "n_embd": 8, "n_head": 2, "samples": 2}),
    "one step": (None, {"steps": 1, "samples": 1}),
    "cut": (LETTERS, {"steps": 12, "block_size": 4, "n_head": 1, "batch_size": 3, "samples": 3}),
    "one feature": (None, {"steps": 6, "n_embd": 1, "n_head": 1, "seed": 2**70, "samples": 2}),
    "long": (["ab" * 25, *LETTERS], {"steps": 12, "block_size": 60, "n_embd": 4, "samples": 0}),
    "certain": (None, {"steps": 5, "n_embd": 4, "n_head": 4, "temperature": 0.0, "samples": 3}),
}

CUT = RUNS["cut"][1]
OTHERS = {  # to be compared with "cut"
    "another rate": (LETTERS, CUT | {"lr": 0.02}),
    "another seed": (LETTERS, CUT | {"seed": 43}),
    "more steps": (LETTERS, CUT | {"steps": 13}),
    "another temperature": (LETTERS, CUT | {"temperature": 2.0}),
    "another document": ([*LETTERS[:3], "гл", *LETTERS[4:]], CUT),
    "another letter": ([text.replace("ж", "q") for text in LETTERS], CUT),
}


class Run:
    """One of RUNS or OTHERS as `isograd train` would do it."""

    def __init__(self, name):
        data, options = (RUNS | OTHERS)[name]
        self.texts = load_docs() if data is None else data
        self.options = Options(**options)
        self.tokenizer = CharTokenizer(self.texts)
        self.config = self.options.config(self.tokenizer.vocab_size)
        self.order = list(range(len(self.texts)))
        Random(self.options.seed).shuffle(self.order)
        needed = self.options.steps * self.options.batch_size
        self.docs = [self.tokenizer.encode(self.texts[i]) for i in self.order]
        self.docs = self.docs[: max(1, needed)] if len(self.docs) > needed else self.docs

    def model(self, tier="value"):
        """Before training, and the generator that is to draw the samples."""
        rng = Random(self.options.seed)
        rng.shuffle(list(self.texts))
        return GPT(GPTConfig(**vars(self.config)), rng=rng, tier=tier), rng

    @cached_property
    def all_states(self):
        """(step, loss, weights, m, v) before training, as step 0, and after each step."""
        model, _ = self.model("fused")
        state, found = TrainingState(model.num_params), []

        def note(step, loss):
            found.append((step, loss, array("d", model.read_data()), state.m[:], state.v[:]))

        note(0, None)
        options = self.options
        schedule = self.docs, options.steps, options.lr, note
        train(model, *schedule, batch_size=options.batch_size, state=state)
        return found

    def states(self, steps):
        """All of them up to this step."""
        return self.all_states[: steps + 1]

    def batch(self, step):
        return reference.batch(self.docs, step - 1, self.options.batch_size)


@cache
def run_named(name):
    return Run(name)


@cache
def recorded(name):
    run = run_named(name)
    return record_run(run.texts, run.options)


@cache
def payload(name):
    about = About(data="documents", sha256="0" * 64, command="isograd explain")
    return pack(recorded(name), about)


class Step:
    """A step of the pure reference: its Values in the order of their making, swept backward.

    For each Value there is also the method that made it, and the line outside value.py.
    """

    def __init__(self, run, step):
        self.run = run
        _, _, self.weights, self.m, self.v = run.states(step - 1)[-1]
        self.model = run.model("reference")[0]
        for p, x in zip(self.model.parameters(), self.weights):
            p.data = x
        params = self.model.parameters()
        with Counting() as counting:
            self.loss = reference.batch_loss(self.model.state_dict(), run.config, run.batch(step))
        self.nodes = [*params, *counting.made]
        self.operations = ["weight"] * len(params) + counting.operations
        self.lines = [("gpt.py", None)] * len(params) + counting.lines
        self.loss.backward()
        self.number = {id(node): i for i, node in enumerate(self.nodes)}
        self.order = [self.number[id(x)] for x in reversed(scalars.topological_order(self.loss))]

    def parts(self):
        """For each node the edges that share in its grad, (user, place among its children)."""
        parts = [[] for _ in self.nodes]
        for user in self.order:
            for place, child in enumerate(self.nodes[user]._children):
                parts[self.number[id(child)]].append((user, place))
        return parts


OPERATIONS = {"__add__": "+", "__mul__": "*", "__pow__": "**"}
step_of = lru_cache(2)(lambda name, step: Step(run_named(name), step))


class Counting:
    """Notes every Value of the reference that is made inside."""

    def __enter__(self):
        self.made, self.operations, self.lines = [], [], []
        self.init = scalars.Value.__init__

        def init(value, *args):
            self.init(value, *args)
            frame = sys._getframe(1)
            name = frame.f_code.co_name
            self.made.append(value)
            self.operations.append(OPERATIONS.get(name, name))
            while frame.f_code.co_filename == scalars.__file__:
                frame = frame.f_back
            self.lines.append((frame.f_code.co_filename.rpartition("/")[2], frame.f_lineno))

        scalars.Value.__init__ = init
        return self

    def __exit__(self, *exception):
        scalars.Value.__init__ = self.init
