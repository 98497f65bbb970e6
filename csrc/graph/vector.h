/* The model's vector functions: the reference's scalar operations, one after the other, without an
 * interpreter in between.
 *
 * Each makes the very nodes that the reference's Python would make, in the same order, so that
 * nothing about the graph can differ. Vectors are lists of Values; arguments may be any sequences
 * of them. All return a new reference, or NULL with an exception set and nothing changed: TypeError
 * for what is no sequence of Values, ValueError for shapes that do not fit, naming the argument, and
 * what the arithmetic raises.
 */
#ifndef ISOGRAD_VECTOR_H
#define ISOGRAD_VECTOR_H

#include "node.h"

/* x has n_in entries, w n_out rows of n_in; a list of n_out. */
PyObject *vector_linear(PyObject *x, PyObject *w);

/* As many probabilities as there are logits. */
PyObject *vector_softmax(PyObject *logits);

/* x divided by its root mean square. */
PyObject *vector_rmsnorm(PyObject *x);

/* q has n_embd entries, keys and values one such vector a position; n_embd entries. */
PyObject *vector_attention(PyObject *q, PyObject *keys, PyObject *values, Py_ssize_t n_head);

/* a and b entry by entry. */
PyObject *vector_add(PyObject *a, PyObject *b);

/* relu of every entry. */
PyObject *vector_relu(PyObject *x);

/* The sum of products of a and b, n entries each, from 1 to DOT_MAX_TERMS; NULL without an exception
 * where one of them is not exactly a Value. */
PyObject *vector_dot(Node *const *a, Node *const *b, Py_ssize_t n);

/* -log softmax(logits)[target], a Value. */
PyObject *vector_cross_entropy(PyObject *logits, Py_ssize_t target);

#endif
