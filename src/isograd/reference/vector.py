"""The vector functions of the model, written out in scalar operations.

Vectors are lists of Values, matrices lists of rows. The functions work on any scalar class with
Python's operators, so the `value` tier runs this very code on compiled Values. Sums start at
Python's int 0 and run upwards in index. All raise ValueError for an empty vector and for shapes
that do not fit, and what the arithmetic raises.
"""

from operator import mul


def dot(a, b):
    """The sum of the products of `a` and `b`, entry by entry."""
    return sum(map(mul, a, b))


def linear(x, w):
    """The matrix-vector product: `x` has n_in entries, `w` n_out rows of n_in; returns n_out."""
    check_vector(x, "x")
    for row in w:
        check_vector(row, "a row of w", len(x))
    return [dot(row, x) for row in w]


def embedding(token, w):
    """The row of `w` that belongs to `token`, as it stands in there: no copies."""
    if not 0 <= token < len(w):
        raise ValueError(f"token must be from 0 to {len(w) - 1}, not {token}")
    return w[token]


def softmax(logits):
    """Probabilities proportional to exp(logit); the maximum is subtracted first, as a constant."""
    check_vector(logits, "logits")
    max_logit = max(logit.data for logit in logits)
    exps = [(logit - max_logit).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    """`x` divided by its root mean square (Zhang and Sennrich 2019), without a learned gain."""
    check_vector(x, "x")
    mean_square = dot(x, x) / len(x)
    scale = (mean_square + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def attention(q, keys, values, n_head):
    """Causal attention (Vaswani et al. 2017) of one position's query to the positions so far.

    `q` has n_embd entries, `keys` and `values` one such vector for each position; each of `n_head`
    heads sees its own n_embd / n_head entries. Returns the heads' outputs, n_embd entries.
    """
    check_vector(q, "q")
    if n_head < 1 or len(q) % n_head:
        raise ValueError(f"q has {len(q)} entries, which {n_head} heads cannot share")
    check_vector(keys, "keys")
    check_vector(values, "values", len(keys))
    for k, v in zip(keys, values):
        check_vector(k, "a key", len(q))
        check_vector(v, "a value", len(q))
    head_dim = len(q) // n_head
    out = []
    for start in range(0, len(q), head_dim):
        head = slice(start, start + head_dim)
        logits = [dot(q[head], k[head]) / head_dim**0.5 for k in keys]
        weights = softmax(logits)
        out += [dot(weights, column) for column in zip(*(v[head] for v in values))]
    return out


def add(a, b):
    """`a` + `b`, entry by entry."""
    check_vector(a, "a")
    check_vector(b, "b", len(a))
    return [ai + bi for ai, bi in zip(a, b)]


def relu(x):
    """The positive part of every entry of `x`."""
    check_vector(x, "x")
    return [xi.relu() for xi in x]


def cross_entropy(logits, target):
    """-log softmax(logits)[target], in nats, a single Value."""
    check_vector(logits, "logits")
    if not 0 <= target < len(logits):
        raise ValueError(f"target must be from 0 to {len(logits) - 1}, not {target}")
    return -softmax(logits)[target].log()


def check_vector(x, name, length=None):
    """ValueError if `x` is empty or, where `length` is given, of another length."""
    if len(x) == 0:
        raise ValueError(f"{name} is empty")
    if length is not None and len(x) != length:
        raise ValueError(f"{name} has {len(x)} entries where {length} are expected")
