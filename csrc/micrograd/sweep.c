/* The walk that finds the topological order, and the sweep; see the header.
 *
 * The order is the post-order of a depth-first walk through `_prev`, each node once. Leaves hand
 * nothing on and stay out of it, unless somebody has given them a `_backward`. No Python code runs
 * during the walk, so it needs no references. During the sweep closures of the user's run, which may
 * do anything, even call backward(): so the order is this call's own and owns its nodes.
 *
 * A call of a network stands in the order in pieces: network.h says which.
 */
#include "sweep.h"

#include "network.h"
#include "operations.h"

#define NODES_BETWEEN_SIGNAL_CHECKS ((Py_ssize_t)1 << 16)

typedef struct {
    Scalar *node;
    Py_ssize_t from, to; /* of a FUSED node: which piece; equal for any other */
} Entry;

/* On the way down to a node: which child is next, and of a FUSED one how many terms are in the
 * order. */
typedef struct {
    Scalar *node;
    Py_ssize_t cursor, passed;
} Step;

typedef struct {
    Entry *order;
    Step *path;
    Py_ssize_t n_order, order_size, n_path, path_size;
} Walk;

static uint64_t walk_number;
static int n_running;

int sweep_is_running(void) { return n_running > 0; }

/* ---- the two lists ---- */

/* Room for one more of `item_size` bytes. 0, or -1 with MemoryError set. */
static int grow(void **items, Py_ssize_t n, Py_ssize_t *size, size_t item_size) {
    if (LIKELY(n < *size))
        return 0;
    Py_ssize_t larger = *size ? 2 * *size : 256;
    void *moved = PyMem_RawRealloc(*items, (size_t)larger * item_size);
    if (moved == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *items = moved;
    *size = larger;
    return 0;
}

static int put(Walk *w, Scalar *n, Py_ssize_t from, Py_ssize_t to) {
    if (grow((void **)&w->order, w->n_order, &w->order_size, sizeof *w->order) < 0)
        return -1;
    Py_INCREF((PyObject *)n);
    w->order[w->n_order++] = (Entry){n, from, to};
    return 0;
}

/* Goes down to `n`, if the walk has not been there. */
static int enter(Walk *w, Scalar *n) {
    if (scalar_is_plain(n) || n->word >> WALK_SHIFT == walk_number)
        return 0;
    if (scalar_kind(n) == FUSED && call_prepare(n) < 0)
        return -1;
    n->word = (n->word & (((uint64_t)1 << WALK_SHIFT) - 1)) | walk_number << WALK_SHIFT;
    if (grow((void **)&w->path, w->n_path, &w->path_size, sizeof *w->path) < 0)
        return -1;
    w->path[w->n_path++] = (Step){.node = n};
    return 0;
}

/* ---- the walk ---- */

/* The child that the step looks at next; NULL when there is none left. */
static Scalar *next_child(Step *step) {
    Scalar *n = step->node;
    Py_ssize_t i = step->cursor++;
    if (UNLIKELY(n->extra != NULL && n->extra->prev != NULL))
        return i < PyTuple_GET_SIZE(n->extra->prev) ? (Scalar *)PyTuple_GET_ITEM(n->extra->prev, i)
                                                    : NULL;
    enum Kind kind = scalar_kind(n);
    if (i == 0)
        return kind == LEAF ? NULL : n->a;
    return i == 1 && scalar_has_two(kind) ? n->b : NULL;
}

/* Goes on in a FUSED node: puts pieces into the order until it has gone down to an input. */
static int walk_fused(Walk *w) {
    Step *step = &w->path[w->n_path - 1];
    Scalar *n = step->node;
    Py_ssize_t end = call_inputs(n, walk_number);
    while (step->cursor < end) {
        Py_ssize_t i = step->cursor++;
        Scalar *x = call_input(n, i);
        if (x == NULL || scalar_is_plain(x) || x->word >> WALK_SHIFT == walk_number)
            continue;
        if (step->passed < i && put(w, n, step->passed, i) < 0)
            return -1;
        step->passed = i;
        return enter(w, x);
    }
    if ((step->passed < end && put(w, n, step->passed, end) < 0) ||
        (end > 0 && call_has_rest(n) && put(w, n, PIECE_REST, 0) < 0) ||
        (call_has_rest(n) && put(w, n, PIECE_OUTPUT, 0) < 0))
        return -1;
    w->n_path--;
    return 0;
}

static int topological_order(Walk *w, Scalar *root) {
    walk_number++;
    if (enter(w, root) < 0)
        return -1;
    while (w->n_path > 0) {
        Step *step = &w->path[w->n_path - 1];
        if (scalar_kind(step->node) == FUSED) {
            if (walk_fused(w) < 0)
                return -1;
            continue;
        }
        Scalar *child = next_child(step);
        if (child == NULL) {
            w->n_path--;
            if (put(w, step->node, 0, 0) < 0)
                return -1;
        } else if (enter(w, child) < 0)
            return -1;
    }
    return 0;
}

/* ---- the sweep ---- */

static int hand_on(const Entry *e) {
    Scalar *n = e->node;
    if (UNLIKELY(n->extra != NULL && n->extra->backward != NULL)) {
        PyObject *own = n->extra->backward;
        Py_INCREF(own);
        PyObject *result = PyObject_CallNoArgs(own);
        Py_DECREF(own);
        Py_XDECREF(result);
        return result ? 0 : -1;
    }
    if (e->from != e->to)
        return call_hand_on(n, e->from, e->to);
    return operation_hand_on(n);
}

/* 0, or -1 with an exception set and what is left still in the order. */
static int sweep(Walk *w) {
    while (w->n_order > 0) {
        const Entry *e = &w->order[w->n_order - 1];
        if (hand_on(e) < 0)
            return -1;
        w->n_order--;
        Py_DECREF((PyObject *)e->node);
        if (UNLIKELY(w->n_order % NODES_BETWEEN_SIGNAL_CHECKS == 0) && PyErr_CheckSignals() < 0)
            return -1;
    }
    return 0;
}

/* Lets go of what is left after an error, which is kept. A call of which only a part has been
 * handed on is unfolded: its arrays cannot say which. */
static void drop_order(Walk *w) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    while (w->n_order > 0) {
        const Entry *e = &w->order[--w->n_order];
        if (e->from >= 0 && e->from != e->to && !sweep_is_running() &&
            call_stop(e->node, e->to) < 0)
            PyErr_Clear();
        Py_DECREF((PyObject *)e->node);
    }
    PyErr_Restore(type, value, traceback);
}

int sweep_backward(Scalar *root) {
    Walk walk = {.order = NULL};
    int status = topological_order(&walk, root);
    if (status == 0) {
        scalar_put_grad(root, an_int(1));
        n_running++;
        status = sweep(&walk);
        n_running--;
    }
    drop_order(&walk);
    PyMem_RawFree(walk.order);
    PyMem_RawFree(walk.path);
    return status;
}
