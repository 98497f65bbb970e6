/* What `isograd run` needs of the graph: the type Value in the place of a script's own class, and
 * compiled functions in the place of a script's own. */
#ifndef ISOGRAD_RUN_SCRIPT_H
#define ISOGRAD_RUN_SCRIPT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Lets Value stand for a script's class, for the rest of the process; once.
 *
 * name      the class's name, ASCII or UTF-8
 * absent    tuple of names: methods, operators and perhaps `__slots__` that the class does not have
 * methods   dict of further methods and of those that replace ours; `__repr__` and `__str__` too
 * replay    called as replay(name, args, kwargs) for what Value cannot do: the name of an operation
 *           and its arguments. Returns the exception that the script's class raises.
 * stop      exception class for a number that the script's class would hold and Value cannot
 *
 * 0, or -1 with an exception set. Keeps references to all. */
int script_adopt(PyObject *name, PyObject *absent, PyObject *methods, PyObject *replay,
                 PyObject *stop);

/* A callable in the place of the function `original`, new reference: does what `kind` ("linear",
 * "linear_swapped", "softmax" or "rmsnorm") names where the arguments are lists or tuples of exact
 * Values that fit, else calls the original. Shows the original's attributes. */
PyObject *script_function(PyObject *original, const char *kind);

/* For lists or tuples of Values: the sum of a[i] * b[i], or where `column` is not None, of
 * a[i] * b[i][column], over i below n; n None means the shorter length. New reference, to None where
 * that is nothing for us, without an exception; NULL when out of memory. */
PyObject *script_dot(PyObject *a, PyObject *b, PyObject *n, PyObject *column);

/* The same for the lists [x + y for x, y in zip(a, b)] and [x.relu() for x in a]. */
PyObject *script_add(PyObject *a, PyObject *b);
PyObject *script_relu(PyObject *a);

/* How many of the first n params, distinct exact Values, Adam can update without any exception, given their second
 * moments v and a positive eps. */
Py_ssize_t script_adam_count(PyObject *const *params, const double *v, Py_ssize_t n);

#endif
