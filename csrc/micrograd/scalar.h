/* micrograd's Value as one object: layout, life, and what hangs on it. The twin of
 * reference/micrograd.py; csrc/graph is another class with other rules.
 *
 * What differs from csrc/graph. A node keeps no derivatives: it keeps its operands and its kind, and
 * the derivative is computed from their data when backward() comes by. People replace `_backward` by
 * closures that refer to the node itself. Such cycles are Python's garbage collector's to find, so
 * nodes have its header; but it is told only of nodes that have something of Python's hanging on
 * them, or were computed from one that has. Networks have none, and cost it nothing.
 *
 *      offset  0  reference count, type
 *             16  data                      (a link while the node waits to be freed)
 *             24  grad
 *             32  word     number of the last walk | flags | kind
 *             40  a        first operand    (LEAF: the network noted there; FUSED: its call)
 *             48  b        second operand   (POW: the exponent; FUSED: which output)
 *             56  extra    what few nodes have, or NULL
 *
 * `_prev` follows from the operands, unless `extra` has one. A node made by the user from children
 * of his own is a LEAF with `extra->prev`.
 */
#ifndef ISOGRAD_SCALAR_H
#define ISOGRAD_SCALAR_H

#include "graph/number.h"
#include "numerics/compiler.h"

typedef struct Scalar Scalar;
typedef struct Network Network; /* these two: see network.h */
typedef struct Call Call;

/* All owned, all may be NULL: of `op` and `label` that stands for "", of `backward` for the node's
 * own, of `prev` for its operands. */
typedef struct {
    PyObject *op, *label, *backward, *prev, *dict;
} Extra;

struct Scalar {
    PyObject_HEAD
    union {
        double data;
        Scalar *next_doomed;
    };
    double grad;
    uint64_t word;
    union {
        Scalar *a;
        Network *network; /* LEAF: borrowed; one whose first weight this is, or NULL */
        Call *call;       /* FUSED: owned */
    };
    union {
        Scalar *b;
        double exponent;
        Py_ssize_t output;
    };
    Extra *extra;
};

enum Kind { LEAF, ADD, MUL, POW, RELU, TANH, EXP, LOG, SIGMOID, FUSED };

/* In `word`, from the lowest bit: the kind, four bits; then flags; then the number of a walk. */
#define KIND_BITS ((uint64_t)15)
#define DATA_INT ((uint64_t)1 << 4) /* data is a Python int; grad; the exponent */
#define GRAD_INT ((uint64_t)1 << 5)
#define EXPONENT_INT ((uint64_t)1 << 6)
#define TRACKED ((uint64_t)1 << 7)        /* the garbage collector knows this node */
#define IS_PARAM ((uint64_t)1 << 8)       /* LEAF: some network has it among its parameters */
#define SEEN ((uint64_t)1 << 9)           /* FUSED: some sweep has handed its gradient on ... */
#define SEEN_POSITIVE ((uint64_t)1 << 10) /* ... and its data was positive then */
#define MET ((uint64_t)1 << 11)           /* LEAF: met before, while a network is read */
#define WALK_SHIFT 12

_Static_assert(sizeof(PyObject) != 16 || sizeof(Scalar) == 64, "as drawn above");
_Static_assert(FUSED <= KIND_BITS, "kinds fit their bits");
_Static_assert(MET < (uint64_t)1 << WALK_SHIFT, "flags end where the number of the walk begins");

extern HIDDEN PyTypeObject Scalar_Type;

/* Counts what happens to nodes that are there already: a number assigned to `data`, a `_backward` or
 * children of one's own. What a network has noted about its weights is then out of date. */
extern HIDDEN uint64_t scalar_version;

static inline int Scalar_CheckExact(PyObject *o) { return Py_IS_TYPE(o, &Scalar_Type); }
static inline int Scalar_Check(PyObject *o) { return PyObject_TypeCheck(o, &Scalar_Type); }

static inline enum Kind scalar_kind(const Scalar *n) { return (enum Kind)(n->word & KIND_BITS); }
static inline uint64_t scalar_flag(int condition, uint64_t flag) { return condition ? flag : 0; }

static inline Number scalar_data(const Scalar *n) {
    return (Number){n->data, (n->word & DATA_INT) != 0};
}
static inline Number scalar_grad(const Scalar *n) {
    return (Number){n->grad, (n->word & GRAD_INT) != 0};
}
static inline Number scalar_exponent(const Scalar *n) {
    return (Number){n->exponent, (n->word & EXPONENT_INT) != 0};
}
static inline void scalar_put_data(Scalar *n, Number data) {
    scalar_version++;
    n->data = data.x;
    n->word = (n->word & ~DATA_INT) | scalar_flag(data.is_int, DATA_INT);
}
static inline void scalar_put_grad(Scalar *n, Number grad) {
    n->grad = grad.x;
    n->word = (n->word & ~GRAD_INT) | scalar_flag(grad.is_int, GRAD_INT);
}

/* node.grad += contribution, for a float and for a product of numbers of either kind. An int
 * product that is added to a float is not kept, and may have any size. */
static inline void scalar_add_float(Scalar *n, double contribution) {
    n->grad += contribution;
    n->word &= ~GRAD_INT;
}
static inline void scalar_add_product(Scalar *n, Number x, Number y) {
    if (x.is_int & y.is_int && (n->word & GRAD_INT))
        scalar_put_grad(n, number_add(scalar_grad(n), number_mul(x, y)));
    else
        scalar_add_float(n, x.is_int & y.is_int ? x.x * y.x + 0.0 : x.x * y.x);
}

/* Whether backward() has nothing to do for it: no children, and `_backward` its own. */
static inline int scalar_is_plain(const Scalar *n) {
    return scalar_kind(n) == LEAF &&
           (LIKELY(n->extra == NULL) || (!n->extra->prev && !n->extra->backward));
}

static inline int scalar_has_two(enum Kind kind) { return kind == ADD || kind == MUL; }

/* A new node of that kind, which takes over a reference to each operand; NULL with MemoryError set,
 * the operands let go. Either may be NULL. The caller stores the exponent of a POW. */
Scalar *scalar_new(enum Kind kind, Number data, Scalar *a, Scalar *b);
/* The same that keeps the caller's references. */
static inline Scalar *scalar_of(enum Kind kind, Number data, Scalar *a, Scalar *b) {
    Py_XINCREF((PyObject *)a);
    Py_XINCREF((PyObject *)b);
    return scalar_new(kind, data, a, b);
}

/* What hangs on the node, made if need be; from then on the garbage collector knows it. NULL with
 * MemoryError set. */
Extra *scalar_extra(Scalar *n);

/* From now on the garbage collector knows the node. */
void scalar_track(Scalar *n);

/* Lets go of operands, or of what takes their place: the node is a LEAF afterwards. Runs Python. */
void scalar_drop_operands(Scalar *n);

/* The type's slots. */
PyObject *scalar_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
void scalar_dealloc(PyObject *self);
int scalar_traverse(PyObject *self, visitproc visit, void *arg);
int scalar_clear(PyObject *self);

/* How many nodes live now: for the tests of leaks. */
Py_ssize_t scalar_live_count(void);

#endif
