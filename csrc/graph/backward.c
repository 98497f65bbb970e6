/* The gradient sweep: the topological order, then one pass over it in reverse.
 *
 * Which of two additions into the same `grad` comes first is visible in its bits, so the order is
 * the reference's own. walk.c finds it; here gradients are handed on along it, and one backward()
 * runs at a time.
 */
#include "backward.h"

#include <string.h>

#include "arena.h"
#include "dot.h"
#include "gradient.h"
#include "softmax.h"
#include "walk.h"

#define PREFETCH_AHEAD 8
#define BUFFER_KEPT ((Py_ssize_t)1 << 20) /* entries; a larger buffer is freed after use */

static PyThread_type_lock walk_lock; /* held while graph.is_walking */
static unsigned long walking_thread;
static uintptr_t *buffer; /* walk.h draws it */
static Py_ssize_t buffer_size;

/* ---- handing on ---- */

/* child.grad += local * grad, for numbers of either kind. */
static void accumulate(Node *child, Number local, Number grad) {
    node_add_product(child, local, grad);
}

/* Hands on an int gradient, which is rare: the root's 1 on its way to the first float factor. */
NOINLINE static void hand_on_int(Node *n) {
    Number grad = node_grad(n);
    switch (node_kind(n)) {
    case ADD:
        accumulate(node_first(n), an_int(1), grad);
        accumulate(node_second(n), an_int(1), grad);
        break;
    case ADD_CONST:
        accumulate(node_first(n), an_int(1), grad);
        break;
    case BINARY:
        accumulate(node_first(n), node_local(n, 0), grad);
        accumulate(node_second(n), node_local(n, 1), grad);
        break;
    default:
        accumulate(node_first(n), node_local(n, 0), grad);
    }
}

NOINLINE static void hand_on_wide(Node *n) {
    const Wide *w = n->wide;
    Py_ssize_t n_edges = w->n_children < w->n_locals ? w->n_children : w->n_locals;
    Number grad = node_grad(n);
    for (Py_ssize_t i = 0; i < n_edges; i++)
        if (LIKELY(!grad.is_int && !w->local_is_int[i]))
            node_add_float_grad(w->children[i], w->locals[i] * grad.x);
        else
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

/* Hands on along the whole order and unmarks as it goes. 0, or -1 with an exception set; the marks
 * of what is left then stay. */
static int sweep(Walk *walk) {
    while (walk->order_end > walk->order) {
        uintptr_t *end = walk->order_end, *stop = walk->order;
        if (end - stop > NODES_BETWEEN_SIGNAL_CHECKS)
            stop = end - NODES_BETWEEN_SIGNAL_CHECKS;
        while (end > stop) {
            uintptr_t entry = *--end;
            Node *n = untagged(entry);
            unsigned kind = (unsigned)(entry & KIND_BITS);
            assert(!is_pair(entry) && node_kind(n) == kind);
            if (!is_pair(end[-PREFETCH_AHEAD]))
                PREFETCHW(end[-PREFETCH_AHEAD]);
            assert(n->first & MARK || node_is_fused(n));
            n->first &= ~MARK;
            if (UNLIKELY(n->grad != n->grad))
                node_reclaim_grad(n);
            if (UNLIKELY(kind == WIDE) && node_is_fused(n)) {
                uintptr_t piece = *--end;
                assert(is_pair(piece));
                hand_on_fused(n, pair_first(piece), pair_second(piece));
                continue;
            }
            hand_on(n, kind);
            note_seen_constant(n, kind);
        }
        walk->order_end = end;
        gradient_return_loans();
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
    return 0;
}

/* ---- the buffer ---- */

/* After an error: everything left in either end of the buffer is marked. */
static void unmark(const uintptr_t *from, const uintptr_t *to) {
    for (; from < to; from++) {
        Node *n = is_pair(*from) ? NULL : untagged(*from);
        if (n)
            n->first &= ~MARK;
    }
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
    if (reserve_buffer(PREFETCH_AHEAD + arena.n_slots + graph.n_subclass + graph.n_hidden + 1) < 0)
        return -1;
    memset(buffer, 0, PREFETCH_AHEAD * sizeof *buffer);
    Walk walk = {.order = buffer + PREFETCH_AHEAD, .path_end = buffer + buffer_size};
    int status = topological_order(root, &walk);
    if (status == 0) {
        root->grad = 1.0;
        root->second |= GRAD_INT;
        status = sweep(&walk);
    }
    unmark(walk.order, walk.order_end);
    unmark(walk.path, walk.path_end);
    return status;
}

/* ---- one at a time ---- */

int backward_init(void) {
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

int node_backward(Node *root) {
    if (node_kind(root) == LEAF) {
        root->grad = 1.0;
        root->second |= GRAD_INT;
        return 0;
    }
    if (take_turn() < 0)
        return -1;
    graph.is_walking = 1;
    int status = walk_and_sweep(root);
    trim_buffer();
    graph.is_walking = 0;
    PyThread_release_lock(walk_lock);
    return status;
}
