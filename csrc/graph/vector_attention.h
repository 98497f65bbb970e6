/* Causal attention; see vector.h for the contract of all vector functions. */
#ifndef ISOGRAD_VECTOR_ATTENTION_H
#define ISOGRAD_VECTOR_ATTENTION_H

#include "node.h"

/* q is (n_embd), keys and values are (n_positions, n_embd); returns the outputs, (n_embd). */
PyObject *vector_attention(PyObject *q, PyObject *keys, PyObject *values, Py_ssize_t n_head);

#endif
