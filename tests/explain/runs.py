"""Runs whose pages are tested: recorded, trained to any step, and a step of the pure reference."""

import sys
from array import array
from functools import cache, cached_property, lru_cache
from random import Random

from isograd import load_docs, reference, train
from isograd.explain.payload import About, pack
from isograd.explain.record import record_run
from isograd.options import RunOptions
from isograd.reference import value as scalars
from isograd.runs import new_run, split

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
    "tied": (None, {"steps": 8, "n_layer": 2, "n_embd": 8, "tie_weights": True, "batch_size": 2}
             | {"activation": "relu2", "init_std": 0.3, "samples": 2}),
    "careful": (LETTERS, {"steps": 20, "schedule": "cosine", "warmup": 4, "weight_decay": 0.5}
                | {"clip_norm": 0.8, "beta1": 0.0, "beta2": 0.999, "eps": 1e-3, "lr": 0.1}
                | {"validation": 0.3, "eval_every": 3, "keep": "best", "samples": 4}),
    "impatient": (LETTERS, {"steps": 90, "lr": 0.3, "schedule": "constant", "patience": 2}
                  | {"validation": 0.2, "eval_every": 2, "n_embd": 8, "activation": "relu2"}
                  | {"samples": 2}),
    "extended": (LETTERS, {"steps": 20, "schedule": "cosine", "extended": ((6, 10), (13, 13))}
                 | {"tie_weights": True, "n_embd": 4, "n_head": 2, "clip_norm": 1e-3}
                 | {"samples": 3}),
}  # fmt: skip

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
        self.options = RunOptions(**options)
        rng, places = Random(self.options.seed), range(len(self.texts))
        self.order, _ = split(self.options, places, rng, ())
        run = new_run(self.options, self.texts, tier="reference")
        self.tokenizer, self.config = run.tokenizer, run.model.config
        self.docs = run.tokens(self.options)

    def model(self, tier="value"):
        """Before training, and the generator that is to draw the samples."""
        run = new_run(self.options, self.texts, tier=tier)
        return run.model, run.rng

    @cached_property
    def all_states(self):
        """(step, loss, weights, m, v) before training, as step 0, and after each step."""
        run = new_run(self.options, self.texts, tier="fused")
        model, state, found = run.model, run.state, []

        def note(step, loss):
            found.append((step, loss, array("d", model.read_data()), state.m[:], state.v[:]))

        note(0, None)
        usual = self.options.of_train() | {"keep": "last", "validation": run.validation_tokens()}
        for end, steps in (*self.options.extended, (self.options.steps,) * 2):
            options = usual | {"steps": steps, "state": state, "until": end}
            train(model, self.docs, callback=note, **options)
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
