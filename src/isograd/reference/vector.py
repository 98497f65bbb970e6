"""The vector functions of the model, written out in scalar operations.

The functions work on any scalar class with Python's operators, so the `value` tier runs this very
code on compiled Values. Sums start at Python's int 0 and run upwards in index. All functions raise
ValueError for an empty vector and for shapes that do not fit, and what the arithmetic raises.

The derivative beside a function is what its scalars' derivatives amount to, for a result y.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import Any, TypeAlias

from .checks import check_heads, check_index, check_vector

Scalar: TypeAlias = Any  # a Value, or an object of another class with its operators
Vector: TypeAlias = Sequence[Scalar]
Matrix: TypeAlias = Sequence[Vector]  # a list of rows


def dot(a: Vector, b: Vector) -> Scalar:
    """The sum of the products of `a` and `b`, entry by entry."""
    return sum(map(mul, a, b))  # da_i = b_i dy, db_i = a_i dy


def linear(x: Vector, w: Matrix) -> list[Scalar]:
    """The matrix-vector product: `x` has n_in entries, `w` n_out rows of n_in; returns n_out."""
    check_vector(x, "x")
    for row in w:
        check_vector(row, "a row of w", len(x))
    return [dot(row, x) for row in w]  # dw_oi = x_i dy_o, dx_i = sum over o of w_oi dy_o


def embedding(token: int, w: Matrix) -> Vector:
    """The row of `w` that belongs to `token`, as it stands in there: no copies."""
    check_index(token, w, "token")
    return w[token]  # dw_token = dy, nothing for the other rows


def softmax(logits: Vector) -> list[Scalar]:
    """Probabilities proportional to exp(logit); the maximum is subtracted first, as a constant.

    Why the maximum: it keeps every exp at 1 or below, where none overflows. Why as a constant: the
    same number subtracted from all logits changes no probability, so its derivative is 0.
    """
    check_vector(logits, "logits")
    max_logit = max(logit.data for logit in logits)
    exps = [(logit - max_logit).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]  # dlogit_i = y_i (dy_i - sum over j of y_j dy_j)


def rmsnorm(x: Vector) -> list[Scalar]:
    """`x` divided by its root mean square (Zhang and Sennrich 2019), without a learned gain."""
    check_vector(x, "x")
    mean_square = dot(x, x) / len(x)
    scale = (mean_square + 1e-5) ** -0.5  # the 1e-5 for an x that is all zeros
    return [xi * scale for xi in x]  # dx_i = scale (dy_i - y_i / n sum over j of y_j dy_j)


def attention_weights(q: Vector, keys: Matrix) -> list[Scalar]:
    """How much one head takes from each position: a probability for each key, from its query.

    Why head_dim**0.5: the sum of head_dim independent products of size 1 is about that large.
    Undivided, logits would grow with the width until softmax gives all weight to the largest;
    there its derivative is almost 0, and nothing is learned.
    """
    head_dim = len(q)
    return softmax([dot(q, k) / head_dim**0.5 for k in keys])


def attention(q: Vector, keys: Matrix, values: Matrix, n_head: int) -> list[Scalar]:
    """Causal attention (Vaswani et al. 2017) of one position's query to the positions so far.

    `q` has n_embd entries, `keys` and `values` one such vector for each position; each of `n_head`
    heads sees its own n_embd / n_head entries. Returns the heads' outputs, n_embd entries.
    """
    check_heads(q, keys, values, n_head)
    head_dim = len(q) // n_head
    out = []
    for start in range(0, len(q), head_dim):
        head = slice(start, start + head_dim)
        weights = attention_weights(q[head], [k[head] for k in keys])
        out += [dot(weights, column) for column in zip(*(v[head] for v in values))]
    return out  # of a head: dv_t = weight_t dy, dweight_t = dot(v_t, dy)


def add(a: Vector, b: Vector) -> list[Scalar]:
    """`a` + `b`, entry by entry."""
    check_vector(a, "a")
    check_vector(b, "b", len(a))
    return [ai + bi for ai, bi in zip(a, b)]  # da = dy, db = dy


def relu(x: Vector) -> list[Scalar]:
    """The positive part of every entry of `x`."""
    check_vector(x, "x")
    return [xi.relu() for xi in x]  # dx_i = dy_i where x_i > 0, else 0


def cross_entropy(logits: Vector, target: int) -> Scalar:
    """-log softmax(logits)[target], in nats, a single Value.

    Why -log: the probability of a text is the product of its tokens' probabilities, so the least
    mean of -log is the most probable text. It is 0 for a certainty that comes true and log n for a
    guess among n, and it grows without bound towards a probability of 0.
    """
    check_vector(logits, "logits")
    check_index(target, logits, "target")
    return -softmax(logits)[target].log()  # dlogit_i = p_i dy, for the target (p_i - 1) dy
