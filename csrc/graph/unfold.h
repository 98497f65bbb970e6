/* Making explicit what a node only implies: the leaf of a constant operand, the nodes that a fused
 * one stands for. Done as late as possible: when somebody looks at the edges, when the gradient is
 * assigned after a sweep has handed it on, or when a second sweep comes by.
 */
#ifndef ISOGRAD_UNFOLD_H
#define ISOGRAD_UNFOLD_H

#include "node.h"

/* Turns the node into the reference's own; does nothing where it is that already. 0, or -1 with an
 * exception set and nothing changed: MemoryError, or what a power in an unfolded softmax raises. */
int node_unfold(Node *n);

/* What assigning to `grad` does. 0, or -1 with an exception set and nothing changed: that of
 * node_unfold, or RuntimeError during a backward(). */
int node_set_grad(Node *n, Number grad);

/* The edges as the reference's tuples; new references, or NULL with an exception set as above. */
PyObject *node_children(Node *n);
PyObject *node_local_grads(Node *n);

#endif
