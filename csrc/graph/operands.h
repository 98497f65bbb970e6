/* Vectors of nodes: what a sum of products reads from and hands gradients to.
 *
 * Nodes lie a cache line each, so fetching a row of weights is dearer than multiplying it. A vector
 * therefore keeps the numbers that its nodes held when it was made, side by side. It is used again
 * where the same nodes are asked for while no number has been assigned in between: the weights are
 * fetched once a document instead of once a position. A vector whose first node is a leaf is noted
 * in that leaf, any other one in a small table, for as long as somebody owns it.
 *
 * During a sweep a vector may hold its nodes' gradients, too: see gradient.h. Its layout is in
 * wide.h, its end in release.h.
 */
#ifndef ISOGRAD_OPERANDS_H
#define ISOGRAD_OPERANDS_H

#include "wide.h"

/* Of the nodes at[0 .. n), n from 1 on, and their data; a new reference. NULL without an exception
 * where one of them is not exactly a Value, and NULL with MemoryError set. */
Operands *operands_new(Node *const *at, Py_ssize_t n);
/* The same, but always made anew and not noted: for nodes that nobody will ask for again. */
Operands *operands_gather(Node *const *at, Py_ssize_t n);

/* The number of node i at the time when the vector was made. */
static inline Number operand(const Operands *o, Py_ssize_t i) {
    assert(i >= 0 && i < o->n);
    return (Number){o->data[i], o->is_int[i]};
}

#endif
