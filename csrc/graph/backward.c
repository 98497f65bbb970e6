/* The gradient sweep: topological order, then one pass over it in reverse.
 *
 * Which of two additions into the same `grad` comes first is visible in its bits, so the order is
 * the reference's own: the post-order of a depth-first walk through children in order, each node
 * once. Leaves hand nothing on and stay out of it.
 *
 * The walk keeps its path and its result in one buffer: the order grows from the bottom, the path
 * from the top. A node is in at most one of them and the arena knows how many there can be, so the
 * buffer can be sized beforehand and neither end needs a bounds check. Its untouched middle is
 * never paid for.
 *
 *      buffer   [ order ->            <- path ]
 *
 * An entry of the path is a node, tagged with which of its children is being visited. An entry of
 * the order is a node, tagged with its kind; a sum of products takes several, see dot.h.
 */
#include <string.h>

#include "arena.h"
#include "dot.h"
#include "graph.h"
#include "softmax.h"

#define NODES_BETWEEN_SIGNAL_CHECKS ((Py_ssize_t)1 << 16) /* under a millisecond */
#define PREFETCH_AHEAD 8
#define BUFFER_KEPT ((Py_ssize_t)1 << 20) /* entries; a larger buffer is freed after use */

/* The tags of the path, and its bottom. */
enum { IN_FIRST = 0, IN_SECOND = 1, IN_WIDE = 2, IN_FUSED = 3, BOTTOM = 4 };

int graph_walking, graph_leaf_was_promoted;
static uint64_t walk_number;
static PyThread_type_lock walk_lock; /* held while graph_walking */
static unsigned long walking_thread;
static uintptr_t *buffer;
static Py_ssize_t buffer_size;

typedef struct {
    uintptr_t *order, *order_end; /* nodes, children first, each tagged with its kind */
    uintptr_t *next_check;        /* for signals */
    uintptr_t *path;
} Walk;

static inline Node *untagged(uintptr_t entry) { return (Node *)(entry & ~TAG_BITS); }

/* A word of its own beside a fused node. In the order: the terms from .. to of the piece; for a
 * probability, k .. k is its exponential and n .. n its result. In the path: how many terms are in
 * the order, and the next operand to look at. */
#define PAIR TAG_BITS
static inline uintptr_t pair(uintptr_t x, uintptr_t y) { return x << 34 | y << 4 | PAIR; }
static inline Py_ssize_t pair_first(uintptr_t entry) { return (Py_ssize_t)(entry >> 34); }
static inline Py_ssize_t pair_second(uintptr_t entry) {
    return (Py_ssize_t)(entry >> 4 & (((uintptr_t)1 << 30) - 1));
}

static inline int is_open(const Node *n) { return !(n->first & MARK); }

/* Whether the walk would leave the node as soon as it had entered it. */
static inline int is_shallow(const Node *n) {
    unsigned kind = node_kind(n);
    return kind < WIDE && !is_open(node_first(n)) && (kind < ADD || !is_open(node_second(n)));
}

/* Its gradient has been handed on to what it hides, which a second sweep must not pass over. */
static int is_seen(const Node *n) {
    if (!node_is_fused(n))
        return node_kind(n) == SEEN_CONST;
    if (fused_is_dot(n))
        return (n->second & SEEN_FUSED) != 0;
    return probability_softmax(n)->seen || probability_softmax(n)->unfolded;
}

static Node *next_open_child(Wide *w) {
    while (w->cursor < w->n_children) {
        Node *child = w->children[w->cursor++];
        if (is_open(child))
            return child;
    }
    return NULL;
}

/* Whether nothing in it can be open. Leaves stay leaves, unless somebody calls `__init__` again. */
static inline int are_closed(const Operands *operands) {
    return operands->closed_in_walk == walk_number ||
           (operands->all_leaves && !graph_leaf_was_promoted);
}

/* The next open one of a_0, b_0, a_1, b_1, .. from the cursor on; NULL if there is none left. */
static Node *next_open_operand(const Node *n, Py_ssize_t *cursor) {
    Operands *a = dot_a(n), *b = dot_b(n);
    int a_closed = are_closed(a), b_closed = are_closed(b);
    Py_ssize_t end = a_closed && b_closed ? 0 : 2 * (Py_ssize_t)n->terms.n;
    Node *const *a_at = a->at + n->terms.a_start, *const *b_at = b->at + n->terms.b_start;
    for (Py_ssize_t i = *cursor; i < end; i++) {
        if (i % 2 ? b_closed : a_closed)
            continue;
        Node *operand = (i % 2 ? b_at : a_at)[i / 2];
        if (is_open(operand)) {
            *cursor = i + 1;
            return operand;
        }
    }
    if (n->terms.n == a->n)
        a->closed_in_walk = walk_number;
    if (n->terms.n == b->n)
        b->closed_in_walk = walk_number;
    return NULL;
}

static inline void put_piece(const Node *n, Py_ssize_t from, Py_ssize_t to, uintptr_t **order) {
    *(*order)++ = pair((uintptr_t)from, (uintptr_t)to);
    *(*order)++ = (uintptr_t)n | WIDE;
}

/* ---- not descending ----
 *
 * Below the operands of the first row of a matrix-vector product lie new nodes for every term, but
 * mostly just one or two, which need no path: they go into the order at once. They need not cut the
 * sum into pieces either, unless they hand a gradient to one of its operands: only then would it
 * matter whether the sweep does that before or after the sum. Addresses tell: nodes made together
 * lie together. */

static inline int is_between(const Node *n, const Operands *o) {
    return (uintptr_t)n >= (uintptr_t)o->lowest && (uintptr_t)n <= (uintptr_t)o->highest;
}

static inline int are_apart(const Operands *x, const Operands *y) {
    return (uintptr_t)x->highest < (uintptr_t)y->lowest ||
           (uintptr_t)y->highest < (uintptr_t)x->lowest;
}

/* An open sum with nothing to find below it, and no operand among those of x and y. */
static int is_simple_dot(const Node *n, const Operands *x, const Operands *y) {
    if (!node_is_fused(n) || !fused_is_dot(n) || n->second & SEEN_FUSED)
        return 0;
    const Operands *a = dot_a(n), *b = dot_b(n);
    return are_closed(a) && are_closed(b) && are_apart(a, x) && are_apart(b, x) &&
           (x == y || (are_apart(a, y) && are_apart(b, y)));
}

static inline int is_simple_child(const Node *n, const Operands *x, const Operands *y) {
    return !is_between(n, x) && !is_between(n, y) && (!is_open(n) || is_simple_dot(n, x, y));
}

static void put_whole_dot(Node *n, uintptr_t **order) {
    n->first |= MARK;
    put_piece(n, 0, n->terms.n, order);
}

/* Puts the open node into the order, with what it finds below, if all that is simple and hands nothing to
 * the operands x and y. Whether it did. */
static int put_if_simple(Node *n, const Operands *x, const Operands *y, uintptr_t **order) {
    unsigned kind = node_kind(n);
    if (kind >= WIDE) {
        if (!is_simple_dot(n, x, y))
            return 0;
        put_whole_dot(n, order);
        return 1;
    }
    Node *first = node_first(n), *second = kind >= ADD ? node_second(n) : first;
    if (!is_simple_child(first, x, y) || !is_simple_child(second, x, y))
        return 0;
    if (is_open(first))
        put_whole_dot(first, order);
    if (is_open(second))
        put_whole_dot(second, order);
    n->first |= MARK;
    *(*order)++ = (uintptr_t)n | kind;
    return 1;
}

/* Both go on in a fused node from `cursor`: pieces into the order as far as possible, then the open
 * node to go below first; NULL when all is in the order. */
static inline Node *pass_terms(const Node *n, Py_ssize_t *cursor, Py_ssize_t *passed,
                               uintptr_t **order) {
    Node *next;
    do
        next = next_open_operand(n, cursor);
    while (next && put_if_simple(next, dot_a(n), dot_b(n), order));
    Py_ssize_t ready = next ? (*cursor - 1) / 2 : (Py_ssize_t)n->terms.n;
    if (ready > *passed)
        put_piece(n, *passed, ready, order);
    *passed = ready;
    return next;
}

/* The cursor: 0 before logit_k, i + 1 before logit_i. */
static Node *pass_softmax(const Node *p, Py_ssize_t *cursor, Py_ssize_t *passed,
                          uintptr_t **order) {
    Softmax *s = probability_softmax(p);
    const Operands *logits = s->logits;
    Py_ssize_t n = logits->n, k = probability_index(p);
    if (*cursor == 0) {
        if (s->met_in_walk == walk_number) {
            put_piece(p, n, n, order);
            return NULL;
        }
        s->met_in_walk = walk_number;
        *cursor = 1;
        if (is_open(logits->at[k]) && !put_if_simple(logits->at[k], logits, logits, order))
            return logits->at[k];
    }
    if (*cursor == 1)
        put_piece(p, k, k, order);
    Py_ssize_t i = *cursor - 1;
    while (i < n &&
           (!is_open(logits->at[i]) || put_if_simple(logits->at[i], logits, logits, order)))
        i++;
    if (i > *passed)
        put_piece(p, *passed, i, order);
    *passed = i;
    *cursor = i + 2;
    if (i < n)
        return logits->at[i];
    put_piece(p, n, n, order);
    return NULL;
}

/* Fills walk->order. 0, or -1 with an exception set; the marks stay for the caller to undo. */
static int topological_order(Node *root, Walk *walk) {
    uintptr_t *order = walk->order, *path = walk->path;
    int status = 0;
    Node *node = root, *next;
    uintptr_t entry;
    Py_ssize_t cursor, passed; /* in a sum: the next operand, and how many terms are in the order */
    *--path = BOTTOM;

enter: /* `node` was found open */
    if (UNLIKELY(node_kind(node) >= WIDE)) {
        if (is_seen(node) && (status = node_unfold(node)) < 0)
            goto done;
        if (node_is_fused(node)) {
            node->first |= MARK;
            cursor = passed = 0;
            goto fused;
        }
        if (node_kind(node) == WIDE) {
            node->first |= MARK;
            node->wide->cursor = 0;
            goto wide;
        }
    }
    node->first |= MARK;
    next = node_first(node);
    if (is_open(next)) {
        *--path = (uintptr_t)node | IN_FIRST;
        node = next;
        goto enter;
    }
second:
    if (node_kind(node) >= ADD) {
        next = node_second(node);
        if (is_open(next)) {
            if (!is_shallow(next)) {
                *--path = (uintptr_t)node | IN_SECOND;
                node = next;
                goto enter;
            }
            /* The rule in a dot product: the product of two numbers that were there before. */
            *order++ = (uintptr_t)next | node_kind(next);
            next->first |= MARK;
        }
    }
leave:
    *order++ = (uintptr_t)node | node_kind(node);
left:
    if (UNLIKELY(order > walk->next_check)) {
        walk->next_check = order + NODES_BETWEEN_SIGNAL_CHECKS;
        if ((status = PyErr_CheckSignals()) < 0)
            goto done;
    }
    entry = *path++;
    node = untagged(entry);
    if (LIKELY((entry & TAG_BITS) == IN_FIRST))
        goto second;
    if ((entry & TAG_BITS) == IN_SECOND)
        goto leave;
    if ((entry & TAG_BITS) == BOTTOM)
        goto done;
    if ((entry & TAG_BITS) == IN_FUSED) {
        entry = *path++;
        passed = pair_first(entry);
        cursor = pair_second(entry);
        goto fused;
    }
wide:
    next = next_open_child(node->wide);
    if (next == NULL)
        goto leave;
    *--path = (uintptr_t)node | IN_WIDE;
    node = next;
    goto enter;
fused:
    next = fused_is_dot(node) ? pass_terms(node, &cursor, &passed, &order)
                              : pass_softmax(node, &cursor, &passed, &order);
    if (next == NULL)
        goto left;
    *--path = pair((uintptr_t)passed, (uintptr_t)cursor);
    *--path = (uintptr_t)node | IN_FUSED;
    node = next;
    goto enter;

done:
    walk->order_end = order;
    walk->path = path;
    return status;
}

/* child.grad += local * grad, for numbers of either kind. */
static void accumulate(Node *child, Number local, Number grad) {
    node_add_grad(child, number_mul(local, grad));
}

/* Hands on an int gradient, which is rare: the root's 1 on its way to the first float factor. */
NOINLINE static void hand_on_int(Node *n) {
    Number one = {1.0, 1}, grad = node_grad(n);
    Number local0 = {n->local[0], (n->second & LOCAL0_INT) != 0};
    Number local1 = {n->local[1], (n->second & LOCAL1_INT) != 0};
    switch (node_kind(n)) {
    case ADD:
        accumulate(node_first(n), one, grad);
        accumulate(node_second(n), one, grad);
        break;
    case ADD_CONST:
        accumulate(node_first(n), one, grad);
        break;
    case BINARY:
        accumulate(node_first(n), local0, grad);
        accumulate(node_second(n), local1, grad);
        break;
    default:
        accumulate(node_first(n), local0, grad);
    }
}

NOINLINE static void hand_on_wide(Node *n) {
    const Wide *w = n->wide;
    Py_ssize_t n_edges = w->n_children < w->n_locals ? w->n_children : w->n_locals;
    for (Py_ssize_t i = 0; i < n_edges; i++)
        accumulate(w->children[i], (Number){w->locals[i], w->local_is_int[i]}, node_grad(n));
}

static inline void hand_on(Node *n, unsigned kind) {
    double grad = n->grad;
    if (UNLIKELY(kind == WIDE))
        hand_on_wide(n);
    else if (UNLIKELY(n->second & GRAD_INT))
        hand_on_int(n);
    else if (kind == ADD) {
        node_add_float_grad(node_first(n), grad);
        node_add_float_grad(node_second(n), grad);
    } else if (kind == BINARY) {
        node_add_float_grad(node_first(n), n->local[0] * grad);
        node_add_float_grad(node_second(n), n->local[1] * grad);
    } else
        node_add_float_grad(node_first(n), kind == ADD_CONST ? grad : n->local[0] * grad);
}

static void hand_on_fused(Node *n, Py_ssize_t from, Py_ssize_t to) {
    if (LIKELY(fused_is_dot(n)))
        dot_hand_on(n, from, to);
    else if (from < to)
        softmax_hand_on_terms(n, from, to);
    else if (from == probability_index(n))
        softmax_hand_on_exp(n);
    else
        softmax_hand_on_result(n);
}

static inline void note_seen_constant(Node *n, unsigned kind) {
    if (UNLIKELY(kind == ADD_CONST || kind == MUL_CONST)) {
        n->first |= SEEN_CONST;
        n->second |= kind == MUL_CONST ? IS_PRODUCT : 0;
    }
}

/* Unmarks as it goes. 0, or -1 with an exception set; the marks of what is left then stay. */
static int sweep(Walk *walk) {
    while (walk->order_end > walk->order) {
        uintptr_t *end = walk->order_end, *stop = walk->order;
        if (end - stop > NODES_BETWEEN_SIGNAL_CHECKS)
            stop = end - NODES_BETWEEN_SIGNAL_CHECKS;
        while (end > stop) {
            uintptr_t entry = *--end;
            Node *n = untagged(entry);
            unsigned kind = (unsigned)(entry & KIND_BITS);
            if ((end[-PREFETCH_AHEAD] & TAG_BITS) != PAIR)
                PREFETCHW(end[-PREFETCH_AHEAD]);
            n->first &= ~MARK;
            if (UNLIKELY(n->grad != n->grad))
                node_reclaim_grad(n);
            if (UNLIKELY(kind == WIDE) && node_is_fused(n)) {
                uintptr_t piece = *--end;
                hand_on_fused(n, pair_first(piece), pair_second(piece));
                continue;
            }
            hand_on(n, kind);
            note_seen_constant(n, kind);
        }
        walk->order_end = end;
        operands_return_grads();
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
    return 0;
}

/* After an error: everything left in either end of the buffer is marked. */
static void unmark(const uintptr_t *from, const uintptr_t *to) {
    for (; from < to; from++)
        if (untagged(*from) && (*from & TAG_BITS) != PAIR)
            untagged(*from)->first &= ~MARK;
}

static int reserve_buffer(Py_ssize_t n_nodes) {
    if (n_nodes <= buffer_size)
        return 0;
    PyMem_RawFree(buffer);
    buffer_size = 0;
    buffer = PyMem_RawMalloc((size_t)n_nodes * sizeof *buffer);
    if (buffer == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    buffer_size = n_nodes;
    return 0;
}

static void trim_buffer(void) {
    if (buffer_size > BUFFER_KEPT) {
        PyMem_RawFree(buffer);
        buffer = NULL;
        buffer_size = 0;
    }
}

static int walk_and_sweep(Node *root) {
    /* Besides the nodes: the path's bottom, and what the prefetch reads below the order. */
    if (reserve_buffer(PREFETCH_AHEAD + arena.n_slots + arena.n_subclass + arena.n_hidden + 1) < 0)
        return -1;
    memset(buffer, 0, PREFETCH_AHEAD * sizeof *buffer);
    uintptr_t *order = buffer + PREFETCH_AHEAD, *end = buffer + buffer_size;
    Walk walk = {order, order, order + NODES_BETWEEN_SIGNAL_CHECKS, end};
    walk_number++;
    int status = topological_order(root, &walk);
    if (status == 0) {
        root->grad = 1.0;
        root->second |= GRAD_INT;
        status = sweep(&walk);
    }
    unmark(walk.order, walk.order_end);
    unmark(walk.path, end);
    return status;
}

int graph_init(void) {
    if (walk_lock == NULL && (walk_lock = PyThread_allocate_lock()) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* A walk is under way when we get here only if a signal handler runs, on this thread or, if it has
 * let go of the GIL, on another one. */
static int take_turn(void) {
    if (PyThread_acquire_lock(walk_lock, NOWAIT_LOCK) != PY_LOCK_ACQUIRED) {
        if (walking_thread == PyThread_get_thread_ident()) {
            PyErr_SetString(PyExc_RuntimeError, "backward() was called during another backward()");
            return -1;
        }
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(walk_lock, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    walking_thread = PyThread_get_thread_ident();
    return 0;
}

int graph_backward(Node *root) {
    if (node_kind(root) == LEAF) {
        root->grad = 1.0;
        root->second |= GRAD_INT;
        return 0;
    }
    if (take_turn() < 0)
        return -1;
    graph_walking = 1;
    int status = walk_and_sweep(root);
    trim_buffer();
    graph_walking = 0;
    PyThread_release_lock(walk_lock);
    return status;
}
