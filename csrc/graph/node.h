/* The scalar node: one number of the graph, one cache line.
 *
 *      offset  0  reference count, type          the PyObject header
 *             16  data                           (a link while the node waits to be freed)
 *             24  grad
 *             32  first    child 0 | MARK | kind
 *             40  second   child 1 | which numbers are Python ints
 *             48  local[2] derivatives with respect to child 0 and child 1 (or a pointer: see below)
 *
 * Objects lie on 16-byte boundaries, so the low four bits of a child pointer are free: `first`
 * keeps the kind and the mark of the topological walk there, `second` four flags. That is what
 * brings a node from 80 bytes to 64: a walk over the graph then touches one cache line a node
 * instead of nearly two, and both `backward` and deallocation are bound by that.
 *
 * A number operand (`x * 2`, `sum`'s start at 0) gets no node of its own. ADD_CONST and MUL_CONST
 * keep it in local[0]; `second` then holds flags alone. The leaf that the reference would have
 * made is built when somebody looks at `_children`, and the node becomes ADD or BINARY. Until then
 * the constant's gradient follows from the node's own; a sweep that hands it one leaves SEEN_CONST
 * behind, and whatever would change the node's gradient afterwards builds the leaf first.
 *
 * Python's ints: the reference's `Value(2).data` is an int, a fresh grad is the int 0, and so is
 * relu's zero; int arithmetic has no negative zero. A flag beside each double says "this is a
 * Python int". A result at or beyond 2**53 loses the flag and goes on as a float.
 *
 * Nodes never refer to anything created after them, so the type needs no cyclic collector. (A second
 * `__init__` on a Value in use can break that: such a cycle is never freed.)
 */
#ifndef ISOGRAD_NODE_H
#define ISOGRAD_NODE_H

#define PY_SSIZE_T_CLEAN
#include <math.h>
#include <Python.h>
#include <stdint.h>

#include "numerics/compiler.h"

#if UINTPTR_MAX < UINT64_MAX
#error "isograd's C code needs a 64-bit platform; ISOGRAD_PURE=1 pip install . leaves it out"
#endif

typedef struct Node Node;
typedef struct Wide Wide;
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
    UNARY = 1,     /* child 0 with local[0] */
    ADD_CONST = 2, /* child 0 + the number local[0] */
    MUL_CONST = 3, /* child 0 * the number local[0]; local[1] is child 0's data */
    ADD = 4,       /* both local gradients are the int 1 */
    BINARY = 5,    /* child 0 with local[0], child 1 with local[1]: a product, or the user's own */
    WIDE = 6, /* a custom operation, with a block of its own; or fused: a sum of products, whose
                      `first` and `second` point to two vectors of operands (see dot.h), or a
                      probability, whose `first` points to its block (see softmax.h) */
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

/* The edges of a custom operation; allocated with PyMem_Malloc, children are owned. Children, locals
 * and int flags follow in the same block. */
struct Wide {
    Wide *next_doomed;
    int is_doomed; /* the owner waits in that list */
    Node *owner;
    Py_ssize_t cursor; /* the walk's next child */
    Py_ssize_t n_children;
    Py_ssize_t n_locals;
    Node **children;
    double *locals;
    unsigned char *local_is_int;
};

/* A number as the reference sees it: a double, and whether Python would call it an int. */
typedef struct {
    double x;
    int is_int;
} Number;

#define INT_LIMIT 9007199254740992.0 /* 2**53 */

extern PyTypeObject Value_Type;

static inline int Value_CheckExact(PyObject *o) { return Py_IS_TYPE(o, &Value_Type); }
static inline int Value_Check(PyObject *o) { return PyObject_TypeCheck(o, &Value_Type); }

static inline unsigned node_kind(const Node *n) { return (unsigned)(n->first & KIND_BITS); }
static inline int node_is_fused(const Node *n) {
    return node_kind(n) == WIDE && n->first > TAG_BITS;
}
static inline int node_is_custom(const Node *n) {
    return node_kind(n) == WIDE && n->first <= TAG_BITS;
}
static inline int fused_is_dot(const Node *n) { return n->terms.n > 0; }
static inline Operands *dot_a(const Node *n) { return (Operands *)(n->first & ~TAG_BITS); }
static inline Operands *dot_b(const Node *n) { return (Operands *)(n->second & ~TAG_BITS); }
static inline Softmax *probability_softmax(const Node *n) {
    return (Softmax *)(n->first & ~TAG_BITS);
}
static inline Py_ssize_t probability_index(const Node *n) { return n->terms.a_start; }
static inline Node *node_first(const Node *n) { return (Node *)(n->first & ~TAG_BITS); }
static inline Node *node_second(const Node *n) { return (Node *)(n->second & ~TAG_BITS); }

static inline Number node_data(const Node *n) {
    return (Number){n->data, (int)(n->second & DATA_INT)};
}
static inline Number node_grad(const Node *n) {
    return (Number){n->grad, (n->second & GRAD_INT) != 0};
}

/* Python's int arithmetic on doubles: exact below 2**53, and zero has no sign. */
static inline Number as_int_result(double x) {
    return (Number){x + 0.0, x > -INT_LIMIT && x < INT_LIMIT};
}
static inline Number number_add(Number a, Number b) {
    return a.is_int & b.is_int ? as_int_result(a.x + b.x) : (Number){a.x + b.x, 0};
}
static inline Number number_mul(Number a, Number b) {
    return a.is_int & b.is_int ? as_int_result(a.x * b.x) : (Number){a.x * b.x, 0};
}

/* A gradient that waits in a vector of operands (see operands.h) leaves a NaN behind in its node. No
 * other NaN ever gets into a grad than the one that C calls NAN, so the two cannot be confused. Only
 * the sweep sees such nodes. */
NOINLINE void node_reclaim_grad(Node *n);
NOINLINE void node_add_nan(Node *n, double contribution);

static inline double plain_nan(double x) { return LIKELY(x == x) ? x : (double)NAN; }

/* node.grad = grad; for assignments from outside see node_set_grad. */
static inline void node_put_grad(Node *n, Number grad) {
    n->grad = plain_nan(grad.x);
    n->second = (n->second & ~GRAD_INT) | (grad.is_int ? GRAD_INT : 0);
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

#endif
