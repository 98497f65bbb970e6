"""The training step in NumPy and in Numba, with the backward pass written out.

libraries.py says what `numpy` and `numba` take and return. The other functions return functions
that have the sizes of the model as constants.
"""

from pyperf import perf_counter
from task import ADAM_EPS, BETA1, BETA2, NORM_EPS, matrices


def numpy(task, dtype, threads):
    import numpy as np

    first, rates = np.array(task.weights(), dtype), task.rates()
    docs = [np.array(doc) for doc in task.docs()]
    w, g, m, v = (np.zeros_like(first) for _ in range(4))
    forward_backward = numpy_forward_backward(task, dtype, matrices(w, task), matrices(g, task))
    adam = numpy_adam(w, g, m, v)

    def train():
        w[:], m[:], v[:] = first, 0, 0
        losses = []
        start = perf_counter()
        for doc, rate in zip(docs, rates):
            losses.append(float(forward_backward(doc)))
            adam(*rate)
        return perf_counter() - start, losses

    return train


def numpy_norm():
    """rmsnorm of a row for each position, forward and backward."""
    import numpy as np

    def norm(x):
        scale = 1 / np.sqrt(np.vecdot(x, x) / x.shape[1] + NORM_EPS)[:, None]
        return x * scale, scale

    def norm_back(dy, y, scale):
        return scale * (dy - y * (np.vecdot(dy, y) / y.shape[1])[:, None])

    return norm, norm_back


def numpy_layer(task, dtype):
    """A layer, forward and backward: (x, weights) to (x, acts), then dx back to dx."""
    import numpy as np

    H, C, B = task.config.n_head, task.n_embd, task.block_size
    D = C // H
    future = np.triu(np.full((B, B), -np.inf, dtype), 1)
    norm, norm_back = numpy_norm()

    def layer(x, weights):
        wqkv, wo, fc1, fc2 = weights
        T = len(x)
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
        return x + a @ fc2.T, (h, scale1, q, k, v, p, heads, h2, scale2, a)

    def layer_back(dx, weights, gradients, acts):
        wqkv, wo, fc1, fc2 = weights
        g_wqkv, g_wo, g_fc1, g_fc2 = gradients
        h, scale1, q, k, v, p, heads, h2, scale2, a = acts
        T = len(dx)
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
        return dx + norm_back(dqkv @ wqkv, h, scale1)

    return layer, layer_back


def numpy_forward_backward(task, dtype, weights, gradients):
    """The function of a document that fills `gradients` and returns the loss."""
    import numpy as np

    norm, norm_back = numpy_norm()
    layer, layer_back = numpy_layer(task, dtype)
    positions = np.arange(task.block_size)
    wte, wpe, lm_head, *layers = weights
    g_wte, g_wpe, g_lm_head, *g_layers = gradients
    layers, g_layers = (list(zip(*[iter(them)] * 4)) for them in (layers, g_layers))

    def forward_backward(doc):
        T = len(doc) - 1
        tokens, targets, rows = doc[:-1], doc[1:], positions[:T]
        x, scale0 = norm(wte[tokens] + wpe[:T])
        x0, saved = x, []
        for of_layer in layers:
            x, acts = layer(x, of_layer)
            saved.append(acts)
        dlogits = x @ lm_head.T
        dlogits -= dlogits.max(-1, keepdims=True)
        np.exp(dlogits, out=dlogits)
        dlogits /= dlogits.sum(-1, keepdims=True)
        loss = -np.log(dlogits[rows, targets]).mean()
        dlogits[rows, targets] -= 1
        dlogits /= T
        np.matmul(dlogits.T, x, out=g_lm_head)
        dx = dlogits @ lm_head
        for backwards in zip(layers[::-1], g_layers[::-1], saved[::-1]):
            dx = layer_back(dx, *backwards)
        dx = norm_back(dx, x0, scale0)
        g_wte[:] = 0
        np.add.at(g_wte, tokens, dx)
        g_wpe[:T] = dx
        g_wpe[T:] = 0
        return loss

    return forward_backward


def numpy_adam(w, g, m, v):
    """The function that updates w, m and v, in chunks that fit the cache; it overwrites g."""
    import numpy as np

    CHUNK = 1 << 14
    scratch = np.empty(CHUNK, w.dtype)
    chunks = [
        (*(a[i : i + CHUNK] for a in (w, g, m, v)), scratch[: len(w) - i])
        for i in range(0, len(w), CHUNK)
    ]

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

    return adam


def numba(task, dtype, threads):
    import numpy as np
    from numba import njit

    fast = njit(fastmath=True, error_model="numpy")
    first, rates = np.array(task.weights(), dtype), np.array(task.rates(), dtype)
    docs = task.docs()
    starts = np.cumsum([0, *map(len, docs)])
    docs = np.concatenate(docs)
    w, g, m, v = (np.zeros_like(first) for _ in range(4))
    weights, gradients, buffers = matrices(w, task), matrices(g, task), numba_buffers(task, dtype)
    norm, norm_back = numba_norm(task.n_embd, fast)
    softmax = numba_softmax(fast)
    attention, attention_back = numba_attention(task.n_embd, task.config.n_head, softmax, fast)
    forward = numba_forward(task, norm, attention, softmax, fast)
    backward = numba_backward(task, norm_back, attention_back, fast)

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
            losses[step] = forward(doc, weights, buffers)
            backward(doc, weights, gradients, buffers)
            adam(w, g, m, v, rates[step, 0], rates[step, 1])

    def train():
        w[:], m[:], v[:] = first, 0, 0
        losses = np.empty(task.steps, dtype)
        start = perf_counter()
        loop(docs, starts, rates, weights, gradients, w, g, m, v, buffers, losses)
        return perf_counter() - start, losses.tolist()

    return train


def numba_buffers(task, dtype):
    import numpy as np

    C, H, F, L, B = task.n_embd, task.config.n_head, 4 * task.n_embd, task.n_layer, task.block_size
    x, dx, dy, dheads = (np.empty((B, C), dtype) for _ in range(4))
    dlogits, da, dqkv = (np.empty((B, n), dtype) for n in (task.config.vocab_size, F, 3 * C))
    y, heads = (np.empty((2 * L + 1, B, C), dtype) for _ in range(2))
    scale, a = np.empty((2 * L + 1, B), dtype), np.empty((L, B, F), dtype)
    qkv, p, dp = np.empty((L, B, 3 * C), dtype), np.empty((L, H, B, B), dtype), np.empty(B, dtype)
    return x, dx, dy, dheads, dlogits, da, dqkv, y, heads, scale, a, qkv, p, dp


def numba_norm(C, fast):
    """rmsnorm of a row for each position, forward and backward."""
    import numpy as np

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

    return norm, norm_back


def numba_softmax(fast):
    """softmax of a row, in place."""
    import numpy as np

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

    return softmax


def numba_attention(C, H, softmax, fast):
    """All heads at all positions, forward and backward."""
    D = C // H

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

    return attention, attention_back


def numba_forward(task, norm, attention, softmax, fast):
    """The function of a document that returns the loss and leaves the logits' gradients."""
    import numpy as np

    C, F, L = task.n_embd, 4 * task.n_embd, task.n_layer

    @fast
    def forward(doc, weights, buffers):
        x, _, dy, _, dlogits, _, _, y, heads, scale, a, qkv, p, _ = buffers
        T = len(doc) - 1
        x, dy, dlogits = x[:T], dy[:T], dlogits[:T]
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
        return loss

    return forward


def numba_backward(task, norm_back, attention_back, fast):
    """The function that fills `gradients` after `forward` of the same document."""
    import numpy as np

    C, F, L = task.n_embd, 4 * task.n_embd, task.n_layer

    @fast
    def backward(doc, weights, gradients, buffers):
        x, dx, dy, dheads, dlogits, da, dqkv, y, heads, scale, a, qkv, p, dp = buffers
        T = len(doc) - 1
        x, dx, dy, dheads = x[:T], dx[:T], dy[:T], dheads[:T]
        dlogits, da, dqkv = dlogits[:T], da[:T], dqkv[:T]
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

    return backward
