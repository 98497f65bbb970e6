/* A sum of products as one node.
 *
 * `dot(a, b)` of n terms is 2n nodes in the reference: products m_j = a_j * b_j and sums
 * s_0 = m_0 + 0, s_j = s_(j-1) + m_j. Nobody outside can see any of them but the last sum, so here
 * they are one node of kind WIDE that refers to two vectors of operands; the matrix-vector product
 * shares one of them among its rows.
 *
 * Exactness. The reference's walk reaches the operands as a_0, b_0, a_1, b_1, .. and places m_j,
 * s_j behind whatever new nodes it finds below a_j and b_j. So the order list takes the terms in
 * pieces: before the walk descends below term j, the terms passed so far become one entry; the rest
 * follow when it is back. When it finds nothing new, the usual case, the whole sum is one entry.
 * The sweep hands on terms last to first, to a_j and then to b_j, as the reference does.
 *
 * All hidden gradients equal the node's own after its first sweep. Whatever would make them differ
 * (another backward(), an assignment to grad) or show them (a look at `_children`) first unfolds
 * the node into the reference's own 2n.
 */
#ifndef ISOGRAD_DOT_H
#define ISOGRAD_DOT_H

#include "wide.h"

/* The sum of a[a_start + j] * b[b_start + j] over n from 1 to DOT_MAX_TERMS terms, as a new
 * reference; NULL with MemoryError set. It is the reference's scalar operations where the sum is an
 * int, of which only these keep track, and otherwise one node. */
PyObject *dot_new(Operands *a, Py_ssize_t a_start, Operands *b, Py_ssize_t b_start, Py_ssize_t n);
/* Whether the sum is an int. */
int dot_is_int(const Operands *a, Py_ssize_t a_start, const Operands *b, Py_ssize_t b_start,
               Py_ssize_t n);
/* The one node, where the sum is known already and no int. */
PyObject *dot_of_sum(double sum, Operands *a, Py_ssize_t a_start, Operands *b, Py_ssize_t b_start,
                     Py_ssize_t n);

/* Turns the node into the reference's 2n. 0, or -1 with MemoryError set and nothing changed. */
int dot_unfold(Node *n);

/* For unfolding: sum + m, or m + 0 where `sum` is NULL, with the gradient `grad`, which it has got
 * by now; `seen` says whether some sweep has handed that on. Takes over both references. A new one;
 * NULL with MemoryError set, or with the exception that is set already where `m` is NULL. */
PyObject *dot_partial_sum(PyObject *sum, PyObject *m, Number grad, int seen);

/* Hands on the terms from .. to of the node's sum, last to first. */
void dot_hand_on(Node *n, Py_ssize_t from, Py_ssize_t to);

#endif
