"""What the numbers on a page must be: each reference of a page, looked up in Python.

A run is trained to the step in question, and that step is done by the pure reference, whose Values
are counted as they are made. So `node/412/5000/data` is the 5,000th of them in step 412.
"""

from __future__ import annotations

import math
import random
from contextlib import contextmanager
from functools import cache, reduce
from itertools import accumulate
from operator import add

import isograd
from isograd import reference
from isograd.options import RunOptions
from isograd.reference import value as scalars
from isograd.runs import new_run

OPERATIONS = {"add": "+", "mul": "*", "pow": "**"}


@contextmanager
def counted():
    """A list to which every Value made inside is appended."""
    made, make = [], scalars.Value.__init__

    def counting(self, *args, **options):
        make(self, *args, **options)
        made.append(self)

    scalars.Value.__init__ = counting
    try:
        yield made
    finally:
        scalars.Value.__init__ = make


class Step:
    """One training step of the reference: all its Values in the order of their making."""

    def __init__(self, model, docs, options, m, v, step):
        self.weights, self.options = model.state_dict(), options
        self.lr = lr = options.learning_rate(step - 1)
        params = model.parameters()
        self.before = [p.data for p in params]
        with counted() as made:
            self.loss = reference.batch_loss(self.weights, model.config, docs)
        self.nodes = [*params, *made]
        self.loss.backward()
        self.grad = [p.grad for p in params]
        self.parts = {}
        for node in reversed(scalars.topological_order(self.loss)):
            for child, local in zip(node._children, node._local_grads):
                self.parts.setdefault(id(child), []).append((node, local, local * node.grad))
        names = {name: getattr(options, name) for name in ("eps", "weight_decay", "clip_norm")}
        betas = options.beta1, options.beta2
        self.optimizer = reference.Adam(params, betas=betas, **names)
        self.optimizer.load_state_dict({"steps": step - 1, "m": m, "v": v})
        self.optimizer.step(lr)
        self.clipped = [p.grad for p in params]
        self.after = [p.data for p in params]

    def number(self, node, what, *rest):
        x = self.nodes[node]
        if what == "grad" and node < len(self.grad):
            return self.grad[node]
        if what == "local":
            return x._local_grads[int(rest[0])]
        if what == "part":
            return self.parts[id(x)][int(rest[0])][2]
        # A weight's data moved on with the step; its page shows what the step used.
        return self.before[node] if what == "data" and node < len(self.before) else getattr(x, what)

    def weight(self, at, what):
        before, after, m, v = (
            numbers[at] for numbers in (self.before, self.after, self.optimizer.m, self.optimizer.v)
        )
        steps, (beta1, beta2) = self.optimizer.steps, self.optimizer.betas
        decayed = before * (1 - self.lr * self.options.weight_decay)
        known = {
            "before": before,
            "after": after,
            "grad": self.grad[at],
            "m": m,
            "v": v,
            "mHat": m / (1 - beta1**steps),
            "vHat": v / (1 - beta2**steps),
            "lr": self.lr,
            "clipped": self.clipped[at],
            "decayed": decayed,
        }
        if what == "clipping":
            length = math.sqrt(added_up(x * x for x in self.grad))
            norm = self.options.clip_norm or math.inf
            return norm / length if length > norm else 1.0
        if what == "change":
            changes = [
                -self.lr * known["mHat"] / (root + self.optimizer.eps)
                for root in (math.sqrt(known["vHat"]), known["vHat"] ** 0.5)
            ]
            # The root of any machine, unless it shows.
            return next(change for change in changes if decayed + change == after)
        return known[what]


def added_up(numbers):
    """One rounding after the other. Of floats, sum() does otherwise from Python 3.12 on."""
    return reduce(add, numbers, 0.0)


class Truth:
    """A run of `isograd explain`, made again by the library and the reference."""

    def __init__(self, header):
        self.header = header
        given = header["options"] | {"seed": int(header["options"]["seed"])} | header["config"]
        del given["vocab_size"]
        self.options = RunOptions(**given | {"extended": tuple(map(tuple, given["extended"]))})
        self.steps, self.kept = header["steps"], header["kept"]
        self.batch_size, self.temperature = self.options.batch_size, self.options.temperature
        self.step, self.losses = cache(self._step), cache(self._losses)
        self.probabilities, self.samples = cache(self._probabilities), cache(self._samples)
        self.drawn_numbers = cache(self._drawn_numbers)

    def load(self, docs):
        """Take the documents of the run's file, in its order."""
        run = new_run(self.options, list(docs))
        self.tokenizer, self.drawn, self.config = run.tokenizer, run.model, run.model.config
        self.docs, self.judging = run.tokens(self.options), run.validation_tokens()
        self.drawn_state = run.rng.getstate()
        self.offsets, at = {}, 0
        for name, rows, columns in reference.weight_shapes(self.config):
            self.offsets[name] = at, columns
            at += rows * columns
        return self

    def after(self, k):
        """Model and state after k steps."""
        model = self.drawn.to(self.drawn.tier)
        state = isograd.TrainingState(model.num_params)
        options = self.options.of_train() | {"keep": "last", "patience": None, "state": state}
        stretches = (*self.options.extended, (self.options.steps, self.options.steps))
        for end, steps in stretches if k else ():
            options |= {"steps": steps, "until": min(end, k)}
            isograd.train(model, self.docs, **options)
        return model, state

    def _step(self, k):
        model, state = self.after(k - 1)
        docs = reference.batch(self.docs, k - 1, self.batch_size)
        return Step(model.to("reference"), docs, self.options, list(state.m), list(state.v), k)

    def _losses(self):
        return self.after(self.steps)[1].losses

    def _probabilities(self, k, temperature, tokens):
        """Logits and probabilities after `tokens`, by the weights after step k."""
        weights = self.after(k)[0].to("reference").state_dict()
        keys, values = reference.empty_cache(self.config)
        with isograd.reference.no_grad():
            for position, token in enumerate(tokens):
                logits = reference.forward(weights, self.config, token, position, keys, values)
            chances = reference.softmax([logit / temperature for logit in logits])
        return [x.data for x in logits], [x.data for x in chances]

    def _samples(self):
        """Of each sample, for each of its tokens: logits, probabilities, cumulated, the draw."""
        rng, found = random.Random(), []
        rng.setstate(self.drawn_state)
        for _ in range(self.header["options"]["samples"]):
            tokens, sample = [self.tokenizer.bos], []
            while len(tokens) <= self.config.block_size:
                logits, chances = self.probabilities(self.kept, self.temperature, tuple(tokens))
                draw = rng.random()
                cumulated = list(accumulate(chances))
                sample.append((logits, chances, cumulated, draw))
                rest = draw * (cumulated[-1] + 0.0)
                token = next((i for i, x in enumerate(cumulated) if rest < x), len(chances) - 1)
                if token == self.tokenizer.bos:
                    break
                tokens.append(token)
            found.append((self.tokenizer.decode(tokens[1:]), sample))
        return found

    def _drawn_numbers(self, seed, n):
        rng = random.Random(int(seed))
        return [rng.random() for _ in range(n)]

    def number(self, ref):
        """The number that `ref` names."""
        kind, *path = ref.split("/")
        if kind == "loss":
            return self.losses()[int(path[0]) - 1]
        if kind == "lr":
            return self.options.learning_rate(int(path[0]) - 1)
        if kind == "validation":
            return isograd.evaluate(self.after(int(path[0]))[0], self.judging).loss
        if kind == "node":
            return self.step(int(path[0])).number(int(path[1]), *path[2:])
        if kind == "weight":
            k, name, row, column, what = path
            offset, columns = self.offsets[name]
            return self.step(int(k)).weight(offset + int(row) * columns + int(column), what)
        if kind == "draw":
            return self.drawn_numbers(path[0], int(path[1]) + 1)[int(path[1])]
        if kind == "predict":
            k, temperature, tokens, what, token = path
            tokens = tuple(map(int, tokens.split("-")))
            logits, chances = self.probabilities(int(k), float(temperature), tokens)
            return (logits if what == "logit" else chances)[int(token)]
        if kind == "sample":
            logits, chances, cumulated, draw = self.samples()[int(path[0])][1][int(path[1])]
            if path[2] == "draw":
                return draw
            of = {"logit": logits, "probability": chances, "cumulated": cumulated}
            return of[path[2]][int(path[3])]
        if kind == "header":
            x = self.header
            for name in ".".join(path).split("."):
                x = x[int(name)] if isinstance(x, list) else x[name]
            return x
        raise ValueError(f"no number has the reference {ref!r}")
