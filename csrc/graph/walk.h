/* The topological order of a graph: the post-order of a depth-first walk through children in order,
 * each node once. Leaves hand nothing on and stay out of it. What is done with the order is
 * backward.c's.
 *
 * The walk keeps its result and its path in one buffer: the order grows from the bottom, the path
 * from the top. A node is in at most one of them and the arena knows how many there can be, so the
 * buffer can be sized beforehand, and only assertions check that the two do not meet. Its untouched
 * middle is never paid for.
 *
 *      buffer   [ order ->            <- path ]
 *
 * Every entry is a word with a tag in its lowest four bits:
 *
 *      order    a node | its kind
 *               a fused node | WIDE, above a pair: the terms from .. to of one piece of it. For a
 *               probability, k .. k is its exponential and n .. n its result (see softmax.h)
 *      path     a node | which of its children is being visited
 *               a fused node | IN_FUSED, above a pair: how many terms are in the order, and the
 *               next operand to look at
 *      pair     first : 30 bits | second : 30 bits | PAIR : 4 bits
 */
#ifndef ISOGRAD_WALK_H
#define ISOGRAD_WALK_H

#include "wide.h"

enum { IN_FIRST = 0, IN_SECOND = 1, IN_WIDE = 2, IN_FUSED = 3, BOTTOM = 4 };

#define TAG_WIDTH 4
#define PLACE_BITS 30
#define PAIR TAG_BITS

_Static_assert(TAG_BITS == (1 << TAG_WIDTH) - 1, "tags fill their bits");
_Static_assert(2 * PLACE_BITS + TAG_WIDTH == 64, "a pair fills a word");
_Static_assert(2 * DOT_MAX_TERMS + 2 < (Py_ssize_t)1 << PLACE_BITS,
               "a place counts the operands of a sum, or the logits of a softmax and two more");
_Static_assert(PAIR > BOTTOM && PAIR > KIND_BITS, "a pair is told from both kinds of entries");

static inline int is_place(Py_ssize_t i) { return i >= 0 && i < (Py_ssize_t)1 << PLACE_BITS; }
static inline uintptr_t pair(Py_ssize_t first, Py_ssize_t second) {
    assert(is_place(first) && is_place(second));
    return (uintptr_t)first << (PLACE_BITS + TAG_WIDTH) | (uintptr_t)second << TAG_WIDTH | PAIR;
}
static inline int is_pair(uintptr_t entry) { return (entry & TAG_BITS) == PAIR; }
static inline Py_ssize_t pair_first(uintptr_t entry) {
    return (Py_ssize_t)(entry >> (PLACE_BITS + TAG_WIDTH));
}
static inline Py_ssize_t pair_second(uintptr_t entry) {
    return (Py_ssize_t)(entry >> TAG_WIDTH & (((uintptr_t)1 << PLACE_BITS) - 1));
}

#define NODES_BETWEEN_SIGNAL_CHECKS ((Py_ssize_t)1 << 16) /* under a millisecond */

typedef struct {
    uintptr_t *order, *order_end;
    uintptr_t *path, *path_end;
} Walk;

/* Fills the order from walk->order upwards, with the path below walk->path_end, and marks what is
 * in them. 0, or -1 with an exception set: what node_unfold or a signal handler raises. Then order
 * and path hold what has been marked so far, for the caller to undo. */
int topological_order(Node *root, Walk *walk);

#endif
