"""What each library of peers.py computes: the first steps of a training run of the reference."""

from random import Random
from typing import NamedTuple

from isograd import CharTokenizer, GPTConfig, load_docs, reference

SEED, SCHEDULE, LR, BETA1, BETA2, ADAM_EPS, NORM_EPS = 42, 1000, 0.01, 0.85, 0.99, 1e-8, 1e-5


class Task(NamedTuple):
    """The first `steps` steps of a schedule of SCHEDULE, `batch_size` documents each."""

    n_embd: int
    n_layer: int = 1
    block_size: int = 16
    steps: int = 100
    batch_size: int = 1

    @property
    def config(self):
        sizes = {"n_layer": self.n_layer, "n_embd": self.n_embd, "block_size": self.block_size}
        return GPTConfig(vocab_size=27, **sizes)

    @property
    def merged_shapes(self):
        """The weights' shapes in their order, with wq, wk and wv of a layer as one matrix wqkv."""
        V, C = self.config.vocab_size, self.n_embd
        layer = [(3 * C, C), (C, C), (4 * C, C), (C, 4 * C)]
        return [(V, C), (self.block_size, C), (V, C), *self.n_layer * layer]

    def weights(self):
        """All weights as one list of floats, in the order of the shapes."""
        matrices = reference.init_weights(self.config, Random(SEED), float).values()
        return [weight for rows in matrices for row in rows for weight in row]

    def docs(self):
        """A list of tokens for each document.

        In the default block of 16 a document is a name, as in the default run. A larger block is
        filled with several names.
        """
        names = load_docs()
        Random(SEED).shuffle(names)
        tokenizer = CharTokenizer(names)
        docs, longest = [], self.block_size + 1
        names = iter(names)
        while len(docs) < self.steps * self.batch_size:
            doc = tokenizer.encode(next(names))
            while self.block_size > 16 and len(doc) < longest:
                doc += tokenizer.encode(next(names))[1:]
            docs.append(doc[:longest])
        return docs

    def rates(self):
        """(rate / first correction, root of the second correction) of Adam in every step."""
        return [
            (
                reference.learning_rate(step, SCHEDULE, LR) / (1 - BETA1 ** (step + 1)),
                (1 - BETA2 ** (step + 1)) ** 0.5,
            )
            for step in range(self.steps)
        ]


def matrices(flat, task):
    """Views of the NumPy array `flat`: wte, wpe, lm_head, then wqkv, wo, fc1 and fc2 by layer."""
    views, at = [], 0
    for rows, columns in task.merged_shapes:
        views.append(flat[at : at + rows * columns].reshape(rows, columns))
        at += rows * columns
    return tuple(views)
