# cython: language_level=3
"""The compiled half of isograd: what csrc offers, as Python objects."""

cdef extern from "graph/value.h":
    object value_type_ready()
    Py_ssize_t value_live_count()

cdef extern from "numerics/cpu.h":
    const char *cpu_vector_unit()
    const char *cpu_compiler()

Value = value_type_ready()
compiler = cpu_compiler().decode()
vector_unit = cpu_vector_unit().decode()


def live_values():
    """How many Values exist now, the unseen leaves of constants left out."""
    return value_live_count()
