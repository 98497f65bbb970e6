/* Compiled functions in the place of a script's own, and compiled values of its expressions. */
#ifndef ISOGRAD_SCRIPT_FUNCTIONS_H
#define ISOGRAD_SCRIPT_FUNCTIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

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

#endif
