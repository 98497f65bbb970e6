"""The training step of isograd.reference in other libraries, each as one who knows it writes it.

`LIBRARIES` maps a name to a function of (task, dtype, threads) that returns `train`; every call of
`train` takes the task's steps from its first weights on and returns (seconds, losses). Documents
become tensors, and programs are compiled, before the clock starts. A library is imported by its
own function only, in a process of its own, for which `Peer` sets the number of threads first.

All are vectorised over the positions of a document and compute queries, keys and values in one
product: these three matrices lie one after the other among the weights.
"""

import os
from array import array
from functools import partial
from random import Random
from statistics import median
from typing import NamedTuple

from pyperf import perf_counter

from isograd import CharTokenizer, GPTConfig, load_docs, reference
from isograd._native import NativeGPT

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
        """Of the weights, in their order, with wq, wk and wv of a layer as one matrix wqkv."""
        V, C = self.config.vocab_size, self.n_embd
        layer = [(3 * C, C), (C, C), (4 * C, C), (C, 4 * C)]
        return [(V, C), (self.block_size, C), (V, C), *self.n_layer * layer]

    def weights(self):
        """All weights as one list of floats, in the order of the shapes."""
        matrices = reference.init_weights(self.config, Random(SEED), float).values()
        return [weight for rows in matrices for row in rows for weight in row]

    def docs(self):
        """A list of tokens for each document; where names do not fill the block, several make one.

        In the default block of 16 a document is a name, as in the default run.
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
    docs = task.docs()
    T = max(len(doc) for doc in docs) - 1
    tokens = np.zeros((len(docs), T + 1), np.int32)
    for row, doc in zip(tokens, docs):
        row[: len(doc)] = doc
    lengths = np.array([len(doc) - 1 for doc in docs], np.int32)
    padded = np.minimum(-(-lengths // 8) * 8, T)
    buckets, which = np.unique(padded, return_inverse=True)
    arrays = tokens, which.astype(np.int32), lengths, np.array(task.rates(), dtype)
    data = tuple(map(jnp.array, arrays))
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


def numpy(task, dtype, threads):
    import numpy as np

    H, C, B = task.config.n_head, task.n_embd, task.block_size
    D = C // H
    docs = [np.array(doc) for doc in task.docs()]
    first = np.array(task.weights(), dtype)
    w, g, m, v = (np.zeros_like(first) for _ in range(4))
    rates, CHUNK = task.rates(), 1 << 14
    scratch = np.empty(CHUNK, dtype)
    chunks = [
        (*(a[i : i + CHUNK] for a in (w, g, m, v)), scratch[: len(w) - i])
        for i in range(0, len(w), CHUNK)
    ]
    future = np.triu(np.full((B, B), -np.inf, dtype), 1)
    positions = np.arange(B)

    wte, wpe, lm_head, *layers = matrices(w, task)
    g_wte, g_wpe, g_lm_head, *g_layers = matrices(g, task)
    layers, g_layers = (list(zip(*[iter(them)] * 4)) for them in (layers, g_layers))

    def norm(x):
        scale = 1 / np.sqrt(np.vecdot(x, x) / C + NORM_EPS)[:, None]
        return x * scale, scale

    def norm_back(dy, y, scale):
        return scale * (dy - y * (np.vecdot(dy, y) / C)[:, None])

    def forward_backward(doc):
        T = len(doc) - 1
        tokens, targets, rows = doc[:-1], doc[1:], positions[:T]
        x, scale0 = norm(wte[tokens] + wpe[:T])
        x0, saved = x, []
        for wqkv, wo, fc1, fc2 in layers:
            h, scale1 = norm(x)
            q, k, v = (h @ wqkv.T).reshape(T, 3, H, D).transpose(1, 2, 0, 3)
            p = q @ k.transpose(0, 2, 1)
            p *= D**-0.5
            p += future[:T, :T]
            p -= p.max(-1, keepdims=True)
            np.exp(p, out=p)
            p /= p.sum(-1, keepdims=True)
            heads = (p @ v).transpose(1, 0, 2).reshape(T, C)
            x = x + heads @ wo.T
            h2, scale2 = norm(x)
            a = h2 @ fc1.T
            np.maximum(a, 0, out=a)
            x = x + a @ fc2.T
            saved.append((h, scale1, q, k, v, p, heads, h2, scale2, a))
        dlogits = x @ lm_head.T
        dlogits -= dlogits.max(-1, keepdims=True)
        np.exp(dlogits, out=dlogits)
        dlogits /= dlogits.sum(-1, keepdims=True)
        loss = -np.log(dlogits[rows, targets]).mean()
        dlogits[rows, targets] -= 1
        dlogits /= T
        np.matmul(dlogits.T, x, out=g_lm_head)
        dx = dlogits @ lm_head
        for (wqkv, wo, fc1, fc2), (g_wqkv, g_wo, g_fc1, g_fc2), acts in zip(
            layers[::-1], g_layers[::-1], saved[::-1]
        ):
            h, scale1, q, k, v, p, heads, h2, scale2, a = acts
            np.matmul(dx.T, a, out=g_fc2)
            da = dx @ fc2
            da *= a > 0
            np.matmul(da.T, h2, out=g_fc1)
            dx = dx + norm_back(da @ fc1, h2, scale2)
            np.matmul(dx.T, heads, out=g_wo)
            dheads = (dx @ wo).reshape(T, H, D).transpose(1, 0, 2)
            dp = dheads @ v.transpose(0, 2, 1)
            dp -= np.vecdot(dp, p)[:, :, None]
            dp *= p
            dp *= D**-0.5
            dqkv = np.empty((T, 3, H, D), dtype)
            dq, dk, dv = dqkv.transpose(1, 2, 0, 3)
            np.matmul(dp, k, out=dq)
            np.matmul(dp.transpose(0, 2, 1), q, out=dk)
            np.matmul(p.transpose(0, 2, 1), dheads, out=dv)
            dqkv = dqkv.reshape(T, 3 * C)
            np.matmul(dqkv.T, h, out=g_wqkv)
            dx = dx + norm_back(dqkv @ wqkv, h, scale1)
        dx = norm_back(dx, x0, scale0)
        g_wte[:] = 0
        np.add.at(g_wte, tokens, dx)
        g_wpe[:T] = dx
        g_wpe[T:] = 0
        return loss

    def adam(rate, root):
        for w, g, m, v, t in chunks:
            np.multiply(g, 1 - BETA1, out=t)
            m *= BETA1
            m += t
            g *= g
            g *= 1 - BETA2
            v *= BETA2
            v += g
            np.sqrt(v, out=t)
            t *= 1 / root
            t += ADAM_EPS
            np.divide(m, t, out=t)
            t *= rate
            w -= t

    def train():
        w[:], m[:], v[:] = first, 0, 0
        losses = []
        start = perf_counter()
        for doc, rate in zip(docs, rates):
            losses.append(float(forward_backward(doc)))
            adam(*rate)
        return perf_counter() - start, losses

    return train


def numba(task, dtype, threads):
    import numpy as np
    from numba import njit

    C, H, F, L, B = task.n_embd, task.config.n_head, 4 * task.n_embd, task.n_layer, task.block_size
    D, V = C // H, task.config.vocab_size
    first, rates = np.array(task.weights(), dtype), np.array(task.rates(), dtype)
    docs = task.docs()
    starts = np.cumsum([0, *map(len, docs)])
    docs = np.concatenate(docs)
    w, g, m, v = (np.zeros_like(first) for _ in range(4))
    weights, gradients = matrices(w, task), matrices(g, task)
    x, dx, dy, dheads = (np.empty((B, C), dtype) for _ in range(4))
    dlogits, da, dqkv = (np.empty((B, n), dtype) for n in (V, F, 3 * C))
    y, heads = (np.empty((2 * L + 1, B, C), dtype) for _ in range(2))
    scale, a = np.empty((2 * L + 1, B), dtype), np.empty((L, B, F), dtype)
    qkv, p, dp = np.empty((L, B, 3 * C), dtype), np.empty((L, H, B, B), dtype), np.empty(B, dtype)
    buffers = x, dx, dy, dheads, dlogits, da, dqkv, y, heads, scale, a, qkv, p, dp
    fast = njit(fastmath=True, error_model="numpy")

    @fast
    def norm(x, y, scale):
        for t in range(len(x)):
            square = 0.0
            for i in range(C):
                square += x[t, i] * x[t, i]
            scale[t] = 1 / np.sqrt(square / C + NORM_EPS)
            for i in range(C):
                y[t, i] = x[t, i] * scale[t]

    @fast
    def norm_back(dy, y, scale, dx, keep):
        for t in range(len(dy)):
            inner = 0.0
            for i in range(C):
                inner += dy[t, i] * y[t, i]
            for i in range(C):
                dx[t, i] = keep * dx[t, i] + scale[t] * (dy[t, i] - y[t, i] * inner / C)

    @fast
    def softmax(x):
        largest, total = x[0], 0.0
        for i in range(1, len(x)):
            largest = max(largest, x[i])
        for i in range(len(x)):
            x[i] = np.exp(x[i] - largest)
            total += x[i]
        for i in range(len(x)):
            x[i] /= total

    @fast
    def attention(qkv, p, heads):
        heads[:] = 0
        for head in range(H):
            at = head * D
            for t in range(len(qkv)):
                row = p[head, t, : t + 1]
                for s in range(t + 1):
                    inner = 0.0
                    for j in range(at, at + D):
                        inner += qkv[t, j] * qkv[s, C + j]
                    row[s] = inner / D**0.5
                softmax(row)
                for s in range(t + 1):
                    for j in range(at, at + D):
                        heads[t, j] += row[s] * qkv[s, 2 * C + j]

    @fast
    def attention_back(dheads, qkv, p, dqkv, dp):
        dqkv[:] = 0
        for head in range(H):
            at = head * D
            for t in range(len(qkv)):
                row, total = p[head, t, : t + 1], 0.0
                for s in range(t + 1):
                    inner = 0.0
                    for j in range(at, at + D):
                        inner += dheads[t, j] * qkv[s, 2 * C + j]
                        dqkv[s, 2 * C + j] += row[s] * dheads[t, j]
                    dp[s] = inner
                    total += inner * row[s]
                for s in range(t + 1):
                    d = row[s] * (dp[s] - total) / D**0.5
                    for j in range(at, at + D):
                        dqkv[t, j] += d * qkv[s, C + j]
                        dqkv[s, C + j] += d * qkv[t, j]

    @fast
    def forward_backward(doc, weights, gradients, buffers):
        x, dx, dy, dheads, dlogits, da, dqkv, y, heads, scale, a, qkv, p, dp = buffers
        T = len(doc) - 1
        x, dx, dy, dheads = x[:T], dx[:T], dy[:T], dheads[:T]
        dlogits, da, dqkv = dlogits[:T], da[:T], dqkv[:T]
        for t in range(T):
            for i in range(C):
                x[t, i] = weights[0][doc[t], i] + weights[1][t, i]
        norm(x, y[2 * L][:T], scale[2 * L])
        x[:] = y[2 * L][:T]
        for layer in range(L):
            k = 3 + 4 * layer
            h, h2, out = y[2 * layer][:T], y[2 * layer + 1][:T], heads[layer][:T]
            norm(x, h, scale[2 * layer])
            np.dot(h, weights[k].T, qkv[layer][:T])
            attention(qkv[layer][:T], p[layer], out)
            np.dot(out, weights[k + 1].T, dy)
            x += dy
            norm(x, h2, scale[2 * layer + 1])
            hidden = a[layer][:T]
            np.dot(h2, weights[k + 2].T, hidden)
            for t in range(T):
                for i in range(F):
                    hidden[t, i] = max(hidden[t, i], 0.0)
            np.dot(hidden, weights[k + 3].T, dy)
            x += dy
        np.dot(x, weights[2].T, dlogits)
        loss = 0.0
        for t in range(T):
            softmax(dlogits[t])
            loss -= np.log(dlogits[t, doc[t + 1]]) / T
            dlogits[t, doc[t + 1]] -= 1
        dlogits /= T
        np.dot(dlogits.T, x, gradients[2])
        np.dot(dlogits, weights[2], dx)
        for layer in range(L - 1, -1, -1):
            k = 3 + 4 * layer
            h, h2, out = y[2 * layer][:T], y[2 * layer + 1][:T], heads[layer][:T]
            hidden = a[layer][:T]
            np.dot(dx.T, hidden, gradients[k + 3])
            np.dot(dx, weights[k + 3], da)
            for t in range(T):
                for i in range(F):
                    da[t, i] = da[t, i] if hidden[t, i] > 0 else 0.0
            np.dot(da.T, h2, gradients[k + 2])
            np.dot(da, weights[k + 2], dy)
            norm_back(dy, h2, scale[2 * layer + 1], dx, 1)
            np.dot(dx.T, out, gradients[k + 1])
            np.dot(dx, weights[k + 1], dheads)
            attention_back(dheads, qkv[layer][:T], p[layer], dqkv, dp)
            np.dot(dqkv.T, h, gradients[k])
            np.dot(dqkv, weights[k], dy)
            norm_back(dy, h, scale[2 * layer], dx, 1)
        dy[:] = dx
        norm_back(dy, y[2 * L][:T], scale[2 * L], dx, 0)
        gradients[0][:] = 0
        gradients[1][:T] = dx
        gradients[1][T:] = 0
        for t in range(T):
            for i in range(C):
                gradients[0][doc[t], i] += dx[t, i]
        return loss

    @fast
    def adam(w, g, m, v, rate, root):
        for i in range(len(w)):
            m[i] = BETA1 * m[i] + (1 - BETA1) * g[i]
            v[i] = BETA2 * v[i] + (1 - BETA2) * g[i] * g[i]
            w[i] -= rate * m[i] / (np.sqrt(v[i]) / root + ADAM_EPS)

    @fast
    def loop(docs, starts, rates, weights, gradients, w, g, m, v, buffers, losses):
        for step in range(len(losses)):
            doc = docs[starts[step] : starts[step + 1]]
            losses[step] = forward_backward(doc, weights, gradients, buffers)
            adam(w, g, m, v, rates[step, 0], rates[step, 1])

    def train():
        w[:], m[:], v[:] = first, 0, 0
        losses = np.empty(task.steps, dtype)
        start = perf_counter()
        loop(docs, starts, rates, weights, gradients, w, g, m, v, buffers, losses)
        return perf_counter() - start, losses.tolist()

    return train


def matrices(flat, task):
    """Views of the NumPy array `flat`: wte, wpe, lm_head, then wqkv, wo, fc1 and fc2 by layer."""
    views, at = [], 0
    for rows, columns in task.merged_shapes:
        views.append(flat[at : at + rows * columns].reshape(rows, columns))
        at += rows * columns
    return tuple(views)


LIBRARIES = {"isograd": isograd, "pytorch": pytorch, "jax": jax, "numpy": numpy, "numba": numba}


class Peer:
    """One library in this process, ready for its turns; ImportError where it is missing."""

    def __init__(self, library, task, dtype, threads):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):  # NPROC is XLA's
            os.environ[name] = str(threads)
        self.train = LIBRARIES[library](task, dtype, threads)

    def turn(self, seconds):
        """Microseconds a step, the median of the laps that fit after an untimed one; losses."""
        _, losses = self.train()
        laps, end = [], perf_counter() + seconds
        while not laps or perf_counter() < end:
            lap, _ = self.train()
            laps.append(1e6 * lap / len(losses))
        return median(laps), losses
