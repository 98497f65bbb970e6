# cython: language_level=3
"""The compiled half of isograd: what csrc offers, as Python objects."""

from .reference import ops as reference

from cpython cimport array
from cpython.ref cimport PyObject

cdef extern from "graph/value.h":
    object value_type_ready()
    Py_ssize_t value_live_count()

cdef extern from "graph/adam.h":
    ctypedef struct AdamRates:
        double lr, beta1, beta2, rest1, rest2, correction1, correction2, eps
    int adam_step_c "adam_step"(PyObject **params, double *m, double *v, Py_ssize_t n,
                  const AdamRates *rates) except -1
    int adam_zero_grad(PyObject **params, Py_ssize_t n) except -1

cdef extern from "graph/vector.h":
    object vector_linear(object x, object w)
    object vector_softmax(object logits)
    object vector_rmsnorm(object x)
    object vector_attention(object q, object keys, object values, Py_ssize_t n_head)
    object vector_add(object a, object b)
    object vector_relu(object x)
    object vector_cross_entropy(object logits, Py_ssize_t target)

cdef extern from "Python.h":
    PyObject **PySequence_Fast_ITEMS(object)

cdef extern from "numerics/compiler.h":
    const char *compiler_name()

cdef extern from "numerics/vector_unit.h":
    const char *vector_unit_init()
    const char *vector_unit_name()

cdef const char *refused = vector_unit_init()
if refused != NULL:
    raise ImportError(refused.decode())

Value = value_type_ready()
compiler = compiler_name().decode()
vector_unit = vector_unit_name().decode()


def live_values():
    """How many Values exist now, the unseen leaves of constants left out."""
    return value_live_count()


def adam_step(tuple params, array.array m, array.array v, double lr, double beta1, double beta2,
              double correction1, double correction2, double eps):
    """One update of `params` with moments `m` and `v`, arrays of doubles of the same length."""
    if not (m.typecode == v.typecode == "d" and len(m) == len(v) == len(params)):
        raise ValueError("m and v must be arrays of doubles, one for each parameter")
    cdef AdamRates rates = AdamRates(lr, beta1, beta2, 1 - beta1, 1 - beta2, correction1,
                                     correction2, eps)
    adam_step_c(PySequence_Fast_ITEMS(params), m.data.as_doubles, v.data.as_doubles, len(params),
                &rates)


def zero_grad(tuple params):
    """Set the grad of every one of `params` to 0."""
    adam_zero_grad(PySequence_Fast_ITEMS(params), len(params))


# The vector functions. C hands back NotImplemented where an operand's class is not exactly Value:
# a subclass may have operators of its own, which only the reference's Python asks for.


def linear(x, w):
    """The matrix-vector product: `x` has n_in entries, `w` n_out rows of n_in; returns n_out."""
    y = vector_linear(x, w)
    return reference.linear(x, w) if y is NotImplemented else y


def softmax(logits):
    """Probabilities proportional to exp(logit); the maximum is subtracted first, as a constant."""
    y = vector_softmax(logits)
    return reference.softmax(logits) if y is NotImplemented else y


def rmsnorm(x):
    """`x` divided by its root mean square (Zhang and Sennrich 2019), without a learned gain."""
    y = vector_rmsnorm(x)
    return reference.rmsnorm(x) if y is NotImplemented else y


def attention(q, keys, values, Py_ssize_t n_head):
    """Causal attention (Vaswani et al. 2017) of one position's query to the positions so far.

    `q` has n_embd entries, `keys` and `values` one such vector for each position; each of `n_head`
    heads sees its own n_embd / n_head entries. Returns the heads' outputs, n_embd entries.
    """
    y = vector_attention(q, keys, values, n_head)
    return reference.attention(q, keys, values, n_head) if y is NotImplemented else y


def add(a, b):
    """`a` + `b`, entry by entry."""
    y = vector_add(a, b)
    return reference.add(a, b) if y is NotImplemented else y


def relu(x):
    """The positive part of every entry of `x`."""
    y = vector_relu(x)
    return reference.relu(x) if y is NotImplemented else y


def cross_entropy(logits, Py_ssize_t target):
    """-log softmax(logits)[target], in nats, a single Value."""
    y = vector_cross_entropy(logits, target)
    return reference.cross_entropy(logits, target) if y is NotImplemented else y
