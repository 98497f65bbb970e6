/* What the classes' operators and constructors leave to Python's own dispatch, for subclasses. */
#ifndef ISOGRAD_DISPATCH_H
#define ISOGRAD_DISPATCH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* combine(a, b), taking over the reference to b, which may be NULL with an exception set. */
static inline PyObject *combine_new(PyObject *a, PyObject *b, binaryfunc combine) {
    PyObject *result = b ? combine(a, b) : NULL;
    Py_XDECREF(b);
    return result;
}

/* a * -1 and a ** -1: new references, or NULL with an exception set. */
PyObject *dispatched_negative(PyObject *a);
PyObject *dispatched_reciprocal(PyObject *a);

/* A new object of exactly this type, by its tp_new and tp_init, from the arguments of a vectorcall.
 * NULL with an exception set. */
PyObject *new_by_tuple(PyTypeObject *type, PyObject *const *args, Py_ssize_t n_args,
                       PyObject *kwnames);

#endif
