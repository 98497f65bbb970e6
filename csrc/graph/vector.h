/* The model's vector functions: the reference's scalar operations, one after the other, without an
 * interpreter in between. vector_linear.h and vector_attention.h have the two that are longer.
 *
 * Each makes the very nodes that the reference's Python would make, in the same order, so that
 * nothing about the graph can differ. Vectors are lists of Values; arguments may be any sequences
 * of them. All return a new reference, to NotImplemented where an operand is not exactly a Value;
 * or NULL with an exception set and nothing changed: TypeError for what is no sequence of Values,
 * ValueError for shapes that do not fit, both naming the argument, and what the arithmetic raises.
 */
#ifndef ISOGRAD_VECTOR_H
#define ISOGRAD_VECTOR_H

#include "node.h"

/* logits is (n); returns their probabilities, (n). */
PyObject *vector_softmax(PyObject *logits);

/* logits is (n), target from 0 to n - 1; returns -log softmax(logits)[target], a Value. */
PyObject *vector_cross_entropy(PyObject *logits, Py_ssize_t target);

/* x is (n); returns x divided by its root mean square, (n). */
PyObject *vector_rmsnorm(PyObject *x);

/* a and b are (n); returns a + b, entry by entry, (n). */
PyObject *vector_add(PyObject *a, PyObject *b);

/* x is (n); returns the relu of every entry, (n). */
PyObject *vector_relu(PyObject *x);

/* The following are for exact Values that have been read already. */

/* The sum of products of a and b, n entries each, from 1 to DOT_MAX_TERMS; NULL without an
 * exception where one of them is not exactly a Value after all. */
PyObject *vector_dot(Node *const *a, Node *const *b, Py_ssize_t n);

/* Fills the list `out`, whose reference it takes over, with the probabilities of as many logits.
 * `out` may be NULL with an exception set. */
PyObject *vector_softmax_into(PyObject *out, Node *const *logits);

#endif
