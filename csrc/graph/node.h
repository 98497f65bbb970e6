/* The scalar node: one number of the graph, one cache line. Layout only; see graph.h for what all
 * nodes share, arena.h for where they lie, operators.h for how they are made.
 *
 *      offset  0  reference count, type          the PyObject header
 *             16  data                           (a link while the node waits to be freed)
 *             24  grad
 *             32  first    child 0 | MARK | kind
 *             40  second   child 1 | which numbers are Python ints
 *             48  local[2] derivatives with respect to child 0 and child 1 (or what the union says)
 *
 * Objects lie on 16-byte boundaries, so the low four bits of a child pointer are free: `first`
 * keeps the kind and the mark of the topological walk there, `second` four flags. That brings a
 * node from 80 bytes to 64. A walk over the graph then touches one cache line a node instead of
 * nearly two, and both `backward` and deallocation are bound by that.
 *
 * A number operand (`x * 2`, `sum`'s start at 0) gets no node of its own. ADD_CONST and MUL_CONST
 * keep it in local[0]; `second` then holds flags alone. The leaf that the reference would have
 * made is built when somebody looks at `_children`, and the node becomes ADD or BINARY. Until then
 * the constant's gradient follows from the node's own. A sweep that hands it one leaves SEEN_CONST
 * behind, and whatever would change the node's gradient afterwards builds the leaf first.
 *
 * Nodes never refer to anything created after them, so the type needs no cyclic collector. (A
 * second `__init__` on a Value in use can break that: such a cycle is never freed.)
 */
#ifndef ISOGRAD_NODE_H
#define ISOGRAD_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "number.h"

#if UINTPTR_MAX < UINT64_MAX
#error "isograd's C code needs a 64-bit platform; ISOGRAD_PURE=1 pip install . leaves it out"
#endif

typedef struct Node Node;
typedef struct Wide Wide; /* these three: see wide.h */
typedef struct Operands Operands;
typedef struct Softmax Softmax;

/* Which operands a sum of products takes: n from a_start and b_start on. A probability is told from
 * it by its n of 0, and has its index as a_start. */
typedef struct {
    uint32_t n, a_start, b_start;
} Terms;

struct Node {
    PyObject_HEAD
    union {
        double data;
        Node *next_doomed;
    };
    double grad;
    uintptr_t first;
    uintptr_t second;
    union {
        double local[2];
        Wide *wide;    /* a custom operation: owned */
        Terms terms;   /* a sum of products or a probability */
        Operands *row; /* LEAF nodes: the operands that begin with it, if any: see operands.h */
    };
};

/* The kinds, ordered by how many child pointers a node holds. */
enum {
    LEAF = 0,
    UNARY = 1,     /* child 0 with local[0]; operation.h says which operation */
    ADD_CONST = 2, /* child 0 + the number local[0] */
    MUL_CONST = 3, /* child 0 * the number local[0]; local[1] is child 0's data */
    ADD = 4,       /* both local gradients are the int 1 */
    BINARY = 5,    /* child 0 with local[0], child 1 with local[1]: a product */
    WIDE = 6,      /* more than fits here: a custom operation, whose edges are in `wide`; or a fused
                 node: a sum of products, whose `first` and `second` point to vectors of operands
                 (dot.h), or a probability, whose `first` points to its Softmax (softmax.h) */
    SEEN_CONST = 7 /* ADD_CONST or MUL_CONST (IS_PRODUCT tells) whose constant has a gradient */
};
#define KIND_BITS ((uintptr_t)7)

/* In `first`: reached by the topological walk, or needing no walk at all (every leaf, always). */
#define MARK ((uintptr_t)8)

/* In `second`: which of the node's numbers are Python ints. */
#define DATA_INT ((uintptr_t)1)
#define GRAD_INT ((uintptr_t)2)
#define LOCAL0_INT ((uintptr_t)4)
#define LOCAL1_INT ((uintptr_t)8)
/* In `second` of SEEN_CONST, which holds no pointer. */
#define IS_PRODUCT ((uintptr_t)16)
/* In `second` of a fused node: some sweep has handed its gradient on. */
#define SEEN_FUSED LOCAL0_INT

#define TAG_BITS ((uintptr_t)15)

_Static_assert(sizeof(PyObject) != 16 || sizeof(Node) == 64, "a node is one cache line");
_Static_assert(offsetof(Node, grad) == sizeof(PyObject) + 8, "as drawn above");
_Static_assert(offsetof(Node, first) == sizeof(PyObject) + 16, "as drawn above");
_Static_assert(offsetof(Node, second) == sizeof(PyObject) + 24, "as drawn above");
_Static_assert(offsetof(Node, local) == sizeof(PyObject) + 32, "as drawn above");
_Static_assert(sizeof(Terms) <= 2 * sizeof(double), "terms lie in the place of local[2]");
_Static_assert((KIND_BITS | MARK) == TAG_BITS && !(KIND_BITS & MARK),
               "what `first` is tagged with");
_Static_assert((DATA_INT | GRAD_INT | LOCAL0_INT | LOCAL1_INT) == TAG_BITS, "`second` likewise");
_Static_assert(SEEN_CONST == KIND_BITS, "| SEEN_CONST makes it of any kind");
_Static_assert(DATA_INT == 1, "products of flags move it to another one's place");
_Static_assert(sizeof(Node) % (TAG_BITS + 1) == 0, "neighbours leave the tag bits free");

static inline int is_taggable(const void *pointer) { return !((uintptr_t)pointer & TAG_BITS); }
static inline void *untagged(uintptr_t word) { return (void *)(word & ~TAG_BITS); }

static inline unsigned node_kind(const Node *n) { return (unsigned)(n->first & KIND_BITS); }
static inline int node_is_fused(const Node *n) {
    return node_kind(n) == WIDE && n->first > TAG_BITS;
}
static inline int node_is_custom(const Node *n) {
    return node_kind(n) == WIDE && n->first <= TAG_BITS;
}
static inline Node *node_first(const Node *n) { return untagged(n->first); }
static inline Node *node_second(const Node *n) { return untagged(n->second); }

static inline int fused_is_dot(const Node *n) { return n->terms.n > 0; }
static inline Operands *dot_a(const Node *n) { return untagged(n->first); }
static inline Operands *dot_b(const Node *n) { return untagged(n->second); }
static inline Softmax *probability_softmax(const Node *n) { return untagged(n->first); }
static inline Py_ssize_t probability_index(const Node *n) { return n->terms.a_start; }

static inline Number node_data(const Node *n) {
    return (Number){n->data, (n->second & DATA_INT) != 0};
}
static inline Number node_grad(const Node *n) {
    return (Number){n->grad, (n->second & GRAD_INT) != 0};
}
static inline Number node_local(const Node *n, int i) {
    return (Number){n->local[i], (n->second & (i == 0 ? LOCAL0_INT : LOCAL1_INT)) != 0};
}
static inline uintptr_t flag_if(int condition, uintptr_t flag) { return condition ? flag : 0; }

#endif
