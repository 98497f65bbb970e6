/* What nodes of kind WIDE refer to, as their edges do not fit into a cache line. The layouts:
 * edges.c, operands.c and softmax.c make these, release.c lets them go.
 */
#ifndef ISOGRAD_WIDE_H
#define ISOGRAD_WIDE_H

#include "node.h"

/* The edges of a custom operation, of any number, or of an instance of a subclass. */
struct Wide {
    Wide *next_doomed;
    int is_doomed; /* the owner waits in that list */
    Node *owner;
    Py_ssize_t cursor; /* the walk's next child */
    Py_ssize_t n_children;
    Py_ssize_t n_locals;
    Node **children; /* owned; all three arrays lie behind the struct */
    double *locals;
    unsigned char *local_is_int;
};

/* A vector of nodes and of their numbers, which sums of products and softmax share: operands.h. */
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
    Node **at;                    /* n, owned; all four arrays lie behind the struct */
    double *data;
    double *grad;
    unsigned char *is_int;
};

_Static_assert(sizeof(Wide) % sizeof(double) == 0, "arrays follow");
_Static_assert(sizeof(Operands) % sizeof(double) == 0, "arrays follow");

/* Takes it out of where it is noted. */
static inline void operands_forget(Operands *o) {
    assert(!o->home || o->home->row == o);
    assert(!o->place || *o->place == o);
    if (o->home)
        o->home->row = NULL;
    if (o->place)
        *o->place = NULL;
    o->home = NULL;
    o->place = NULL;
}

/* What the probabilities of one softmax share: softmax.h. */
struct Softmax {
    Py_ssize_t n_owners; /* probabilities, and who is making it */
    Operands *logits;    /* NULL only while it is made */
    Number minus_max;
    double inverse, inverse_local; /* total**-1 and its derivative */
    uint64_t met_in_walk;          /* the last walk that has been here */
    int seen;                      /* some sweep has been here */
    Node **unfolded;               /* NULL; or the e_i and, as number n, the total, owned */
    double *e, *e_grad;            /* n each, behind the struct */
    double total_grad;
};
_Static_assert(sizeof(Softmax) % sizeof(double) == 0, "arrays follow");

/* The most terms of a sum of products, and the most logits of a softmax: as many as the walk can
 * count in the bits that it has for a place, see walk.h. */
#define DOT_MAX_TERMS ((Py_ssize_t)1 << 28)

/* Entries of the walk's buffer that fused nodes may need, see walk.h; graph.n_hidden counts them.
 * A sum of n terms: two words for each of at most n pieces, or the 2n - 1 nodes that it hides. */
#define DOT_ENTRIES(n) (2 * (n) + 2)
/* A softmax of n logits: its pieces, or the 3n nodes that it hides; and each probability. */
#define SOFTMAX_ENTRIES(n) (3 * (n) + 2)
#define PROBABILITY_ENTRIES 4

#endif
