# cython: language_level=3
"""The compiled half of isograd: what csrc offers, as Python objects."""

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

cdef extern from "Python.h":
    PyObject **PySequence_Fast_ITEMS(object)

cdef extern from "numerics/cpu.h":
    const char *cpu_vector_unit()
    const char *cpu_compiler()

Value = value_type_ready()
compiler = cpu_compiler().decode()
vector_unit = cpu_vector_unit().decode()


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
