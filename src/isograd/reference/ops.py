"""The vector functions of the model, written out in scalar operations.

They work on any scalar class with Python's operators, so the `value` tier runs this very code on
compiled Values. Sums start at Python's int 0 and run upwards in index.
"""

from operator import mul


def dot(a, b):
    """The sum of the products of `a` and `b`, entry by entry."""
    return sum(map(mul, a, b))


def linear(x, w):
    """The matrix-vector product: `x` has n_in entries, `w` n_out rows of n_in; returns n_out."""
    return [dot(row, x) for row in w]


def softmax(logits):
    """Probabilities proportional to exp(logit); the maximum is subtracted first, as a constant."""
    max_logit = max(logit.data for logit in logits)
    exps = [(logit - max_logit).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    """`x` divided by its root mean square (Zhang and Sennrich 2019), without a learned gain."""
    mean_square = dot(x, x) / len(x)
    scale = (mean_square + 1e-5) ** -0.5
    return [xi * scale for xi in x]
