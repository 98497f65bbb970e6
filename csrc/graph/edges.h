/* Nodes with edges by hand: what `Value(data, children, local_grads)` does. */
#ifndef ISOGRAD_EDGES_H
#define ISOGRAD_EDGES_H

#include "node.h"

/* Value.__init__, on a node that may have been in use before: lets go of the edges that it had.
 * `children` and `local_grads` are any sequences, or NULL. 0, or -1 with an exception set and `n`
 * unchanged: TypeError for what is no number or no Value, RuntimeError during a backward(), and
 * what reading the arguments raises. */
int node_initialise(Node *n, PyObject *data, PyObject *children, PyObject *local_grads);

#endif
