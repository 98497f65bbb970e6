/* Adding to gradients, and where a gradient is: in its node, or on loan to a vector of operands.
 *
 * During a sweep a vector of operands may hold its nodes' gradients. From the moment when it
 * borrows them, additions go to the vector's `grad`, and each node holds a NaN that says who has
 * its gradient. Whoever wants to read such a node's gradient, or to add to it from elsewhere, finds
 * the NaN and has the whole vector returned first. So every addition happens in the order in which
 * it was asked for, only the place differs. A vector in which some node occurs twice never borrows.
 *
 * No NaN but this one and C's own NAN ever gets into a grad, so the two cannot be confused. Only
 * the sweep sees nodes without their gradient: it returns all loans before other code can run.
 */
#ifndef ISOGRAD_GRADIENT_H
#define ISOGRAD_GRADIENT_H

#include <math.h>

#include "numerics/compiler.h"
#include "wide.h"

/* Gives the node its gradient back, if that is on loan. */
NOINLINE void node_reclaim_grad(Node *n);
/* node_add_float_grad where the sum is a NaN. */
NOINLINE void node_add_nan(Node *n, double contribution);

static inline double plain_nan(double x) { return LIKELY(x == x) ? x : (double)NAN; }

/* node.grad = grad; what an assignment from outside does is node_set_grad of unfold.h. */
static inline void node_put_grad(Node *n, Number grad) {
    n->grad = plain_nan(grad.x);
    n->second = (n->second & ~GRAD_INT) | flag_if(grad.is_int, GRAD_INT);
}

/* node.grad += contribution, for a float and for a number of either kind. */
static inline void node_add_float_grad(Node *n, double contribution) {
    double sum = n->grad + contribution;
    n->second &= ~GRAD_INT;
    if (UNLIKELY(sum != sum))
        node_add_nan(n, contribution);
    else
        n->grad = sum;
}
static inline void node_add_grad(Node *n, Number contribution) {
    if (UNLIKELY(n->grad != n->grad))
        node_reclaim_grad(n);
    node_put_grad(n, number_add(node_grad(n), contribution));
}
/* node.grad += a * b. An int product that is added to a float is not kept, and may have any size.
 */
static inline void node_add_product(Node *n, Number a, Number b) {
    if (a.is_int & b.is_int && !(n->second & GRAD_INT))
        node_add_float_grad(n, a.x * b.x + 0.0);
    else
        node_add_grad(n, number_mul(a, b));
}

/* For a sweep that will now add a float to the gradient of every node in `o`. Whether `o` has
 * borrowed them; if not, gradients are where they were. */
int operands_borrow_grads(Operands *o);

/* Adds to the gradient of node i, wherever that is. */
static inline void operands_add_float_grad(Operands *o, Py_ssize_t i, double contribution) {
    assert(i >= 0 && i < o->n);
    if (o->loan)
        o->grad[i] += contribution;
    else
        node_add_float_grad(o->at[i], contribution);
}

/* Returns all that is borrowed. */
void gradient_return_loans(void);

#endif
