/* Value.backward: the gradient sweep. */
#ifndef ISOGRAD_BACKWARD_H
#define ISOGRAD_BACKWARD_H

#include "node.h"

/* 0, or -1 with an exception set: MemoryError before any gradient was touched, RuntimeError when a
 * signal handler calls it during another one, or whatever a signal handler raised, after which the
 * gradients are undefined. */
int node_backward(Node *root);

/* Once, before anything else here. 0, or -1 with MemoryError set. */
int backward_init(void);

#endif
