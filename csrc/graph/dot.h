/* A sum of products as one node.
 *
 * `dot(a, b)` of n terms is 2n nodes in the reference: products m_j = a_j * b_j and sums s_0 = m_0 + 0,
 * s_j = s_(j-1) + m_j. Nobody outside can see any of them but the last sum, so here they are one node
 * of kind WIDE whose block refers to two vectors of operands; the matrix-vector product shares one
 * of them among its rows.
 *
 * Exactness. The reference's walk reaches the operands as a_0, b_0, a_1, b_1, .. and places m_j, s_j
 * behind whatever new nodes it finds below a_j and b_j. So the order list takes the terms in pieces:
 * before the walk descends below term j, the terms passed so far become one entry; the rest follow
 * when it is back. When nothing new is found, the usual case, the whole sum is one entry. The sweep
 * hands on terms last to first, to a_j and then to b_j, as the reference does.
 *
 * All hidden gradients equal the node's own after its first sweep. Whatever would make them differ
 * (another backward(), an assignment to grad) or show them (a look at `_children`) first unfolds
 * the node into the reference's own 2n.
 */
#ifndef ISOGRAD_DOT_H
#define ISOGRAD_DOT_H

#include "node.h"

/* A vector of nodes with the numbers they held when it was made.
 *
 * Fetching the weights, a node each, is the larger part of a forward pass, and every position needs
 * the same ones. So a vector whose first node is a leaf is noted there, for as long as somebody owns
 * it, and is used again where the same nodes are asked for and no number has been assigned since. */
struct Operands {
    Py_ssize_t n_owners; /* blocks that refer to it, and who is making it */
    Py_ssize_t n;
    Node *home;            /* the leaf where it is noted, or NULL */
    uint64_t data_version; /* of the time when it was made */
    uint64_t closed_in_walk; /* the last walk that has found nothing open in it any more */
    int all_leaves, all_ints;
    Node **at; /* owned references; at, data and is_int lie behind the struct */
    double *data;
    unsigned char *is_int;
};

/* Counts the assignments to any node's data. */
extern uint64_t graph_data_version;

/* The nodes at[0 .. n), n from 1 on, and their data; a new reference. Where one of them is not exactly a Value,
 * NULL without an exception and its index in *odd; NULL with MemoryError set and *odd = -1. */
Operands *operands_new(Node *const *at, Py_ssize_t n, Py_ssize_t *odd);
/* Lets go of one reference; frees what only it kept alive. */
void operands_release(Operands *operands);

/* The sum of a_j * b_j over all n from 1 on terms, as a new reference; NULL with MemoryError set. */
PyObject *dot_new(Operands *a, Operands *b);

/* Turns the node into the reference's 2n. 0, or -1 with MemoryError set and nothing changed. */
int dot_unfold(Node *n);

/* Hands on the terms from..cursor of the node's sum. */
void dot_hand_on(Node *n, Py_ssize_t from);

#endif
