/* The matrix-vector product; see vector.h for the contract of all vector functions. */
#ifndef ISOGRAD_VECTOR_LINEAR_H
#define ISOGRAD_VECTOR_LINEAR_H

#include "node.h"

/* x is (n_in), w is (n_out, n_in); returns their products, (n_out). */
PyObject *vector_linear(PyObject *x, PyObject *w);

/* Reads a row of a matrix, n entries, the argument that is called `name`, as operands: a new
 * reference in *out if READ; see vector_pieces.h. */
int vector_read_operands(PyObject *row, const char *name, Py_ssize_t n, Operands **out);

#endif
