/* Vectors of nodes: what a sum of products reads from and hands gradients to.
 *
 * Nodes lie a cache line each, so fetching a row of weights is dearer than multiplying it. A vector
 * therefore keeps the numbers that its nodes held when it was made, side by side, and is used again
 * where the same nodes are asked for while no number has been assigned in between: the weights are
 * fetched once a document instead of once a position. A vector whose first node is a leaf is noted in
 * that leaf, any other one in a small table, for as long as somebody owns it.
 *
 * During a sweep a vector may hold its nodes' gradients, too. From the moment when it borrows them,
 * additions go to `grad`, and the nodes hold a NaN that says who has theirs. Whoever wants to read
 * such a node's gradient, or to add to it from elsewhere, finds the NaN and has the whole vector
 * returned first: so every addition happens in the order in which it was asked for, only the place
 * differs. A vector in which some node occurs twice never borrows.
 */
#ifndef ISOGRAD_OPERANDS_H
#define ISOGRAD_OPERANDS_H

#include "node.h"

struct Operands {
    Py_ssize_t n_owners; /* nodes that refer to it, and who is making it */
    Py_ssize_t n;
    Node *home;              /* the leaf where it is noted, or NULL */
    Operands **place;        /* the place in the table where it is noted, or NULL */
    uint64_t data_version;   /* of the time when it was made */
    uint64_t closed_in_walk; /* the last walk that has found nothing open in it any more */
    uint32_t loan;           /* its number among the borrowers, from 1 on; 0: it is none */
    int all_leaves, some_ints, has_twins;
    const Node *lowest, *highest; /* by address */
    Node **at;                    /* n owned references; all four arrays lie behind the struct */
    double *data;
    double *grad;
    unsigned char *is_int;
};

/* Counts the assignments to any node's data. */
extern uint64_t graph_data_version;

/* The nodes at[0 .. n), n from 1 on, and their data; a new reference. NULL without an exception where
 * one of them is not exactly a Value, and NULL with MemoryError set. */
Operands *operands_new(Node *const *at, Py_ssize_t n);
/* The same, but always made anew and not noted: for nodes that nobody will ask for again. */
Operands *operands_gather(Node *const *at, Py_ssize_t n);
/* Lets go of one reference; frees what only it kept alive. */
void operands_release(Operands *operands);
/* Takes it out of where it is noted. */
void operands_forget(Operands *operands);

static inline Number operand(const Operands *o, Py_ssize_t i) {
    return (Number){o->data[i], o->is_int[i]};
}

/* For sweeps that will now add a float to the gradient of every node in it. Whether it has borrowed
 * them; if not, gradients are where they were. */
int operands_borrow_grads(Operands *operands);
/* Adds to the gradient of node i, wherever that is. */
static inline void operands_add_float_grad(Operands *o, Py_ssize_t i, double contribution) {
    if (o->loan)
        o->grad[i] += contribution;
    else
        node_add_float_grad(o->at[i], contribution);
}
/* Returns all that is borrowed. */
void operands_return_grads(void);

#endif
