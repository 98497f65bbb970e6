/* Value.backward: the topological order of a graph, and the way back along it. */
#ifndef ISOGRAD_SWEEP_H
#define ISOGRAD_SWEEP_H

#include "scalar.h"

/* 0, or -1 with an exception set: MemoryError before any gradient was touched; or what a
 * `_backward` or a signal handler raises, after which gradients are as far as they got. */
int sweep_backward(Scalar *root);

/* Whether some backward() is under way, and Python code runs in between. */
int sweep_is_running(void);

#endif
