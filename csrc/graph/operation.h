/* Which operation made a node: for pictures, never for computing.
 *
 * Most kinds say it. A UNARY node has a number for it in `second`, above the flags, where other
 * kinds have a child; that of a power has its exponent in local[1].
 */
#ifndef ISOGRAD_OPERATION_H
#define ISOGRAD_OPERATION_H

#include "node.h"
#include "unary_methods.h"

#define OPERATION(name, doc) OPERATION_##name,
enum Operation { OPERATION_own, OPERATION_pow, UNARY_METHODS(OPERATION) N_OPERATIONS };
#undef OPERATION
#define OPERATION_SHIFT 4

/* "" for a leaf, "+", "*", "**2", "log" and so on; "own" for what somebody made of children and
 * local gradients of his own. A new reference, or NULL with MemoryError set. */
PyObject *operation_of(const Node *n);

#endif
