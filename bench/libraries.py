"""The training step of isograd.reference in other libraries, each as one who knows it writes it.

`LIBRARIES` maps a name to a function of (task, dtype, threads) that returns `train`. Every call of
`train` takes the task's steps from its first weights on and returns (seconds, losses). Documents
become tensors, and programs are compiled, before the clock starts. A library is imported by its
own functions only, in a process of its own, for which `Peer` sets the number of threads first.

All are vectorised over the positions of a document. They compute queries, keys and values in one
product, because these three matrices lie one after the other among the weights. PyTorch and JAX
derive the backward pass; by_hand.py has the libraries that need it written out.
"""

import os
from array import array
from functools import partial
from statistics import median

from by_hand import numba, numpy
from pyperf import perf_counter
from task import ADAM_EPS, BETA1, BETA2, LR, NORM_EPS, SCHEDULE, matrices

from isograd._native import NativeGPT


def isograd(task, dtype, threads):
    config, docs, first = task.config, task.docs(), array("d", task.weights())
    sizes = {name: getattr(config, name) for name in ("vocab_size", "n_layer", "n_embd", "n_head")}
    model = NativeGPT(**sizes, block_size=config.block_size)
    zeros = array("d", bytes(8 * len(first)))

    def train():
        model.weights[:] = first
        model.first_moments[:] = model.second_moments[:] = zeros
        losses = []
        schedule = {"step": 0, "steps": SCHEDULE, "lr": LR, "batch_size": task.batch_size}
        start = perf_counter()
        model.train(docs, task.steps, **schedule, threads=threads, losses=losses)
        return perf_counter() - start, losses

    return train


def pytorch(task, dtype, threads):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(threads)
    torch.set_default_dtype(getattr(torch, dtype))
    H, C = task.config.n_head, task.n_embd
    first = torch.tensor(task.weights(), dtype=torch.float64).to(torch.get_default_dtype())
    docs = [torch.tensor(doc) for doc in task.docs()]
    docs = [(doc[:-1], doc[1:]) for doc in docs]
    sizes = [rows * columns for rows, columns in task.merged_shapes]

    def norm(x):
        return F.rms_norm(x, (C,), eps=NORM_EPS)

    def loss_of(params, tokens, targets):
        wte, wpe, lm_head, *layers = params
        T = len(tokens)
        x = norm(F.embedding(tokens, wte) + wpe[:T])
        for wqkv, wo, fc1, fc2 in zip(*[iter(layers)] * 4):
            q, k, v = F.linear(norm(x), wqkv).view(1, T, 3, H, C // H).permute(2, 0, 3, 1, 4)
            heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + F.linear(heads.transpose(1, 2).reshape(T, C), wo)
            x = x + F.linear(F.relu(F.linear(norm(x), fc1)), fc2)
        return F.cross_entropy(F.linear(x, lm_head), targets)

    def train():
        pieces = zip(first.split(sizes), task.merged_shapes)
        params = [w.view(shape).clone().requires_grad_() for w, shape in pieces]
        adam = torch.optim.Adam(params, LR, (BETA1, BETA2), ADAM_EPS, fused=True)
        losses = []
        start = perf_counter()
        for step, (tokens, targets) in enumerate(docs):
            adam.param_groups[0]["lr"] = LR * (1 - step / SCHEDULE)
            loss = loss_of(params, tokens, targets)
            loss.backward()
            adam.step()
            adam.zero_grad()
            losses.append(loss.detach())
        losses = torch.stack(losses).tolist()
        return perf_counter() - start, losses

    return train


def jax(task, dtype, threads):
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    jax.config.update("jax_enable_x64", True)
    H, C = task.config.n_head, task.n_embd
    buckets, arrays = in_buckets(task.docs())
    data = tuple(map(jnp.array, (*arrays, np.array(task.rates(), dtype))))
    first = tuple(map(jnp.array, matrices(np.array(task.weights(), dtype), task)))

    def norm(x):
        return x * lax.rsqrt((x * x).mean(-1, keepdims=True) + NORM_EPS)

    def loss_of(params, doc, length, T):
        wte, wpe, lm_head, *layers = params
        x = norm(wte[doc[:T]] + wpe[:T])
        causal = jnp.tril(jnp.ones((T, T), bool))
        for wqkv, wo, fc1, fc2 in zip(*[iter(layers)] * 4):
            q, k, v = (norm(x) @ wqkv.T).reshape(T, 3, H, C // H).transpose(1, 2, 0, 3)
            scores = q @ k.transpose(0, 2, 1) / (C // H) ** 0.5
            heads = jax.nn.softmax(jnp.where(causal, scores, -jnp.inf)) @ v
            x = x + heads.transpose(1, 0, 2).reshape(T, C) @ wo.T
            x = x + jax.nn.relu(norm(x) @ fc1.T) @ fc2.T
        logs = jax.nn.log_softmax(x @ lm_head.T)
        chosen = jnp.take_along_axis(logs, doc[1 : T + 1, None], 1)[:, 0]
        return -jnp.where(jnp.arange(T) < length, chosen, 0).sum() / length

    learn = [jax.value_and_grad(partial(loss_of, T=T)) for T in buckets.tolist()]

    def step(state, now):
        doc, bucket, length, (rate, root) = now
        loss, grads = lax.switch(bucket, learn, state[0], doc, length)

        def adam(w, m, v, g):
            m = BETA1 * m + (1 - BETA1) * g
            v = BETA2 * v + (1 - BETA2) * g * g
            return w - rate * m / (jnp.sqrt(v) / root + ADAM_EPS), m, v

        return tuple(zip(*map(adam, *state, grads))), loss

    @jax.jit
    def loop(first, *data):
        zeros = tuple(map(jnp.zeros_like, first))
        return lax.scan(step, (first, zeros, zeros), data)

    compiled = loop.lower(first, *data).compile()

    def train():
        start = perf_counter()
        _, losses = jax.block_until_ready(compiled(first, *data))
        return perf_counter() - start, losses.tolist()

    return train


def in_buckets(docs):
    """Lengths, few enough to compile a program for each; docs as (tokens, which length, own)."""
    import numpy as np

    T = max(len(doc) for doc in docs) - 1
    tokens = np.zeros((len(docs), T + 1), np.int32)
    for row, doc in zip(tokens, docs):
        row[: len(doc)] = doc
    lengths = np.array([len(doc) - 1 for doc in docs], np.int32)
    padded = np.minimum(-(-lengths // 8) * 8, T)
    buckets, which = np.unique(padded, return_inverse=True)
    return buckets, (tokens, which.astype(np.int32), lengths)


LIBRARIES = {"isograd": isograd, "pytorch": pytorch, "jax": jax, "numpy": numpy, "numba": numba}


class Peer:
    """One library in this process, ready for its turns. Raises ImportError if it is missing."""

    def __init__(self, library, task, dtype, threads):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):  # NPROC is XLA's
            os.environ[name] = str(threads)
        self.train = LIBRARIES[library](task, dtype, threads)

    def turn(self, seconds):
        """(microseconds a step, losses): the median of the laps that fit, after an untimed one."""
        _, losses = self.train()
        laps, end = [], perf_counter() + seconds
        while not laps or perf_counter() < end:
            lap, _ = self.train()
            laps.append(1e6 * lap / len(losses))
        return median(laps), losses
