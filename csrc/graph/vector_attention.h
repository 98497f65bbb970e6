/* Causal attention; see vector.h for the contract of all vector functions. */
#ifndef ISOGRAD_VECTOR_ATTENTION_H
#define ISOGRAD_VECTOR_ATTENTION_H

#include "node.h"

/* q has n_embd entries, keys and values one such vector a position; a list of n_embd. */
PyObject *vector_attention(PyObject *q, PyObject *keys, PyObject *values, Py_ssize_t n_head);

#endif
