/* Compiled functions in the place of a script's own, and compiled values of its expressions. */
#ifndef ISOGRAD_SCRIPT_FUNCTIONS_H
#define ISOGRAD_SCRIPT_FUNCTIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A callable in the place of the function `original`; a new reference, or NULL with an exception
 * set. Does what `kind` names ("linear", "linear_swapped", "softmax" or "rmsnorm") where the
 * arguments are lists or tuples of exact Values that fit, and calls the original otherwise. Shows
 * the original's attributes. */
PyObject *script_function(PyObject *original, const char *kind);

/* All that follow return a new reference, to None where the arguments are not lists or tuples of
 * exact Values that fit, or where the arithmetic raises; NULL only with what no script expects of
 * arithmetic, such as KeyboardInterrupt. */

/* The sum of a[i] * b[i], or where `column` is not None of a[i] * b[i][column], over i below n; n
 * is the shorter length where it is None. */
PyObject *script_dot(PyObject *a, PyObject *b, PyObject *n, PyObject *column);

/* The lists [x + y for x, y in zip(a, b)] and [x.relu() for x in a]. */
PyObject *script_add(PyObject *a, PyObject *b);
PyObject *script_relu(PyObject *a);

#endif
