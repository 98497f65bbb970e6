/* What concerns a graph as a whole: its edges, the gradient sweep, its end. */
#ifndef ISOGRAD_GRAPH_H
#define ISOGRAD_GRAPH_H

#include "node.h"

/* Makes `n` the result of an operation of the user's own: `children` and `local_grads` are any
 * sequences. Lets go of what `n` was before. 0, or -1 with an exception set and `n` unchanged. */
int node_set_edges(Node *n, PyObject *children, PyObject *local_grads);

/* The edges as the reference's tuples; new references, NULL with an exception set.
 * Reading the children builds the leaf of a constant operand if need be. */
PyObject *node_children(Node *n);
PyObject *node_local_grads(Node *n);

/* Makes explicit what the node only implies: the leaf of a constant operand, the terms of a sum of
 * products. Does nothing to other kinds. 0, or -1 with MemoryError set and nothing changed. */
int node_unfold(Node *n);

/* What assigning to `grad` does. 0, or -1 with MemoryError set and nothing changed. */
int node_set_grad(Node *n, Number grad);

/* Once, before anything else here. 0, or -1 with MemoryError set. */
int graph_init(void);

/* Value.backward. 0, or -1 with an exception set: MemoryError before any gradient was touched,
 * RuntimeError when a signal handler calls it during another one, or whatever a signal handler
 * raised, after which the gradients are undefined. */
int graph_backward(Node *root);

/* A backward() is under way: marks and buffer are taken, and no edge may change. */
extern int graph_walking;

/* Some leaf has been given edges by another `__init__`, after others may have noted it as a leaf. */
extern int graph_leaf_was_promoted;

/* Ends `n`, whose reference count is 0, and all that only it kept alive; neither recurses nor
 * fails. Frees exact Values; of a subclass instance it lets go of the edges only. */
void graph_release(Node *n);

#endif
