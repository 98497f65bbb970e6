/* What hangs on a node: making edges by hand, showing them, and letting them go.
 *
 * Letting go is a loop over a list of doomed nodes rather than a recursion, so that the end of a
 * chain of millions of nodes needs no stack. An exact Value on that list is linked through the
 * field of its data. An instance of a subclass must stay whole until Python's own deallocator has
 * run its `__del__`, so it is linked through its Wide block; it has one whenever it has children,
 * and without children it ends on the spot. While one loop runs, deallocators called from it only
 * add to the list.
 */
#include "arena.h"
#include "dot.h"
#include "graph.h"
#include "operators.h"
#include "recording.h"
#include "softmax.h"

/* ---- making ---- */

static size_t wide_size(Py_ssize_t n_children, Py_ssize_t n_locals) {
    return sizeof(Wide) + (size_t)n_children * sizeof(Node *) +
           (size_t)n_locals * (sizeof(double) + 1);
}

static Wide *wide_new(Node *owner, Py_ssize_t n_children, Py_ssize_t n_locals) {
    Wide *w = PyMem_Malloc(wide_size(n_children, n_locals));
    if (w == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *w = (Wide){.owner = owner, .n_children = n_children, .n_locals = n_locals};
    w->locals = (double *)(w + 1);
    w->children = (Node **)(w->locals + n_locals);
    w->local_is_int = (unsigned char *)(w->children + n_children);
    return w;
}

/* Fills `out` with borrowed references. */
static int read_children(PyObject *tuple, Node **out) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *item = PyTuple_GET_ITEM(tuple, i);
        if (!Value_Check(item)) {
            PyErr_Format(PyExc_TypeError, "children[%zd] must be a Value, not '%.200s'", i,
                         Py_TYPE(item)->tp_name);
            return -1;
        }
        out[i] = (Node *)item;
    }
    return 0;
}

static int read_locals(PyObject *tuple, double *x, unsigned char *is_int) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        Number local;
        PyObject *item = PyTuple_GET_ITEM(tuple, i);
        int found = number_from(item, &local);
        if (found < 0)
            return -1;
        if (found == 0) {
            PyErr_Format(PyExc_TypeError, "local_grads[%zd] must be a real number, not '%.200s'", i,
                         Py_TYPE(item)->tp_name);
            return -1;
        }
        x[i] = local.x;
        is_int[i] = (unsigned char)local.is_int;
    }
    return 0;
}

/* `children` and `local_grads` as a Wide block that owns nothing yet. */
static Wide *read_edges(Node *owner, PyObject *children, PyObject *local_grads) {
    Wide *w = wide_new(owner, PyTuple_GET_SIZE(children), PyTuple_GET_SIZE(local_grads));
    if (w && (read_children(children, w->children) < 0 ||
              read_locals(local_grads, w->locals, w->local_is_int) < 0)) {
        PyMem_Free(w);
        return NULL;
    }
    return w;
}

static int fits_inline(const Wide *w, Py_ssize_t edges) {
    return Value_CheckExact((PyObject *)w->owner) && w->n_children == edges && w->n_locals == edges;
}

static void let_go_of_edges(Node *n);

/* Replaces the edges of `n` by those in `w`, which it takes over. */
static void adopt_edges(Node *n, Wide *w) {
    for (Py_ssize_t i = 0; i < w->n_children; i++)
        Py_INCREF((PyObject *)w->children[i]);
    Node old = *n;
    if (Value_CheckExact((PyObject *)n) && node_kind(n) == LEAF && Py_REFCNT((PyObject *)n) > 1)
        graph_leaf_was_promoted = 1;
    if (node_kind(n) == LEAF && n->row)
        n->row->home = NULL;
    uintptr_t ints = n->second & (DATA_INT | GRAD_INT);
    if (w->n_children == 0 && w->n_locals == 0) {
        n->first = LEAF | MARK;
        n->second = ints;
        n->row = NULL;
    } else if (fits_inline(w, 1)) {
        n->first = (uintptr_t)w->children[0] | UNARY;
        n->second = ints | (w->local_is_int[0] ? LOCAL0_INT : 0);
        n->local[0] = w->locals[0];
    } else if (fits_inline(w, 2)) {
        n->first = (uintptr_t)w->children[0] | BINARY;
        n->second = (uintptr_t)w->children[1] | ints | (w->local_is_int[0] ? LOCAL0_INT : 0) |
                    (w->local_is_int[1] ? LOCAL1_INT : 0);
        n->local[0] = w->locals[0];
        n->local[1] = w->locals[1];
    } else {
        n->first = WIDE;
        n->second = ints;
        n->wide = w;
        w = NULL;
    }
    PyMem_Free(w);
    let_go_of_edges(&old);
}

/* A copy, as reading a number may run Python code that changes the caller's list. */
static PyObject *as_tuple(PyObject *sequence, const char *message) {
    PyObject *tuple = PySequence_Tuple(sequence);
    if (tuple == NULL && PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_SetString(PyExc_TypeError, message);
    return tuple;
}

/* Asked last, as any Python code may have started a backward() or freed a graph. During a
 * backward() only a node that nobody else knows may get edges; one that waits for its end has its
 * block in a list. */
static int may_change_edges(const Node *n) {
    int known = node_kind(n) != LEAF || Py_REFCNT((PyObject *)n) > 1;
    if (graph_walking && known)
        PyErr_SetString(PyExc_RuntimeError, "a Value's edges cannot change during backward()");
    else if (node_is_custom(n) && n->wide->is_doomed)
        PyErr_SetString(PyExc_RuntimeError, "a Value's edges cannot change while it is freed");
    else
        return 1;
    return 0;
}

int node_set_edges(Node *n, PyObject *children, PyObject *local_grads) {
    PyObject *own_children = as_tuple(children, "children must be a sequence of Values");
    PyObject *own_locals =
        own_children ? as_tuple(local_grads, "local_grads must be a sequence of numbers") : NULL;
    Wide *w = own_locals ? read_edges(n, own_children, own_locals) : NULL;
    int status = w && may_change_edges(n) ? 0 : -1;
    if (status == 0)
        adopt_edges(n, w);
    else
        PyMem_Free(w);
    Py_XDECREF(own_children);
    Py_XDECREF(own_locals);
    return status;
}

/* ---- showing ---- */

static int has_constant(const Node *n, int *is_product) {
    unsigned kind = node_kind(n);
    *is_product = kind == MUL_CONST || (kind == SEEN_CONST && (n->second & IS_PRODUCT));
    return kind == ADD_CONST || kind == MUL_CONST || kind == SEEN_CONST;
}

/* What the sweeps so far have handed to the constant: nothing, or the last one's contribution. */
static Number constant_grad(const Node *n, int is_product) {
    Number zero = {0.0, 1}, one = {1.0, 1};
    if (node_kind(n) != SEEN_CONST)
        return zero;
    Number other = {n->local[1], (n->second & LOCAL1_INT) != 0};
    return number_add(zero, number_mul(is_product ? other : one, node_grad(n)));
}

static int make_constant_leaf(Node *n, int is_product) {
    Number grad = constant_grad(n, is_product);
    Node *leaf = (Node *)value_leaf((Number){n->local[0], (n->second & LOCAL0_INT) != 0});
    if (leaf == NULL)
        return -1;
    node_put_grad(leaf, grad);
    n->first = (n->first & ~KIND_BITS) | (is_product ? BINARY : ADD);
    n->second = (n->second & TAG_BITS) | (uintptr_t)leaf;
    return 0;
}

/* The walk has noted what kind each node is. */
static int unfold_outside_of_a_walk(Node *n) {
    int is_product;
    if (graph_walking && (node_is_fused(n) || has_constant(n, &is_product))) {
        PyErr_SetString(PyExc_RuntimeError, "this cannot be asked of a Value during backward()");
        return -1;
    }
    return node_unfold(n);
}

int node_set_grad(Node *n, Number grad) {
    int implied = node_kind(n) == SEEN_CONST || (node_is_fused(n) && (n->second & SEEN_FUSED));
    if (UNLIKELY(implied) && unfold_outside_of_a_walk(n) < 0)
        return -1;
    node_put_grad(n, grad);
    return 0;
}

static int unfold(Node *n) {
    int is_product;
    if (node_is_fused(n) && (fused_is_dot(n) ? dot_unfold(n) : softmax_unfold(n)) < 0)
        return -1;
    return has_constant(n, &is_product) ? make_constant_leaf(n, is_product) : 0;
}

/* What is unfolded has been recorded, even if nothing is now. */
int node_unfold(Node *n) {
    Py_ssize_t n_off = recording_n_off;
    recording_n_off = 0;
    int status = unfold(n);
    recording_n_off = n_off;
    return status;
}

static Py_ssize_t n_children(const Node *n) {
    switch (node_kind(n)) {
    case LEAF:
        return 0;
    case UNARY:
        return 1;
    case WIDE:
        return n->wide->n_children;
    }
    return 2;
}

static Node *child_at(const Node *n, Py_ssize_t i) {
    if (node_kind(n) == WIDE)
        return n->wide->children[i];
    return i == 0 ? node_first(n) : node_second(n);
}

/* A tuple of as many items as `count` says; allocating it may run Python code that gives the node
 * other edges, so `count` is asked again. */
static PyObject *tuple_for(const Node *n, Py_ssize_t (*count)(const Node *)) {
    for (;;) {
        PyObject *tuple = PyTuple_New(count(n));
        if (tuple == NULL || PyTuple_GET_SIZE(tuple) == count(n))
            return tuple;
        Py_DECREF(tuple);
    }
}

PyObject *node_children(Node *n) {
    if (unfold_outside_of_a_walk(n) < 0)
        return NULL;
    PyObject *tuple = tuple_for(n, n_children);
    for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *child = (PyObject *)child_at(n, i);
        Py_INCREF(child);
        PyTuple_SET_ITEM(tuple, i, child);
    }
    return tuple;
}

static Py_ssize_t n_locals(const Node *n) {
    if (node_is_custom(n))
        return n->wide->n_locals;
    return node_kind(n) == LEAF ? 0 : node_kind(n) == UNARY ? 1 : 2;
}

static Number local_at(const Node *n, Py_ssize_t i) {
    int is_product;
    if (node_is_custom(n))
        return (Number){n->wide->locals[i], n->wide->local_is_int[i]};
    if (node_kind(n) == ADD || (has_constant(n, &is_product) && !is_product))
        return (Number){1.0, 1};
    return (Number){n->local[i], (n->second & (i == 0 ? LOCAL0_INT : LOCAL1_INT)) != 0};
}

PyObject *node_local_grads(Node *n) {
    if (node_is_fused(n) && unfold_outside_of_a_walk(n) < 0)
        return NULL;
    PyObject *tuple = tuple_for(n, n_locals);
    for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *item = number_as_object(local_at(n, i));
        if (item == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, item);
    }
    return tuple;
}

/* ---- letting go ---- */

/* What waits to be let go: exact Values without references, and the Wide blocks of subclass
 * instances whose last reference is held here. */
static Node *doomed;
static Wide *doomed_subclass;
static int releasing;

static void drop_subclass(Node *child) {
    if (Py_REFCNT((PyObject *)child) == 1 && node_kind(child) == WIDE) {
        child->wide->is_doomed = 1;
        child->wide->next_doomed = doomed_subclass;
        doomed_subclass = child->wide;
    } else
        Py_DECREF((PyObject *)child);
}

/* Lets go of one reference; a child without any left goes onto `list`. */
static inline void drop(Node *child, Node **list) {
    PyObject *o = (PyObject *)child;
    if (UNLIKELY(!Value_CheckExact(o))) {
        drop_subclass(child);
        return;
    }
#if defined(Py_GIL_DISABLED) || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS)
    Py_DECREF(o); /* comes back to graph_release, which only adds to the list */
#else
    Py_ssize_t count = Py_REFCNT(o) - 1;
    Py_SET_REFCNT(o, count);
    if (count == 0) {
        child->next_doomed = *list;
        *list = child;
    }
#endif
}

static void operands_drop(Operands *operands, Node **list) {
    if (--operands->n_owners > 0)
        return;
    operands_forget(operands);
    for (Py_ssize_t i = 0; i < operands->n; i++)
        drop(operands->at[i], list);
    PyMem_Free(operands);
}

static void drop_wide(Wide *w, Node **list) {
    for (Py_ssize_t i = 0; i < w->n_children; i++)
        drop(w->children[i], list);
    PyMem_Free(w);
}

static void softmax_drop(Softmax *s, Node **list) {
    if (--s->n_owners > 0)
        return;
    if (s->logits) {
        Py_ssize_t n = s->logits->n;
        arena.n_hidden -= SOFTMAX_ENTRIES(n);
        for (Py_ssize_t i = 0; s->unfolded && i <= n; i++)
            drop(s->unfolded[i], list);
        operands_drop(s->logits, list);
    }
    PyMem_Free(s->unfolded);
    PyMem_Free(s);
}

static void drop_fused(const Node *n, Node **list) {
    if (fused_is_dot(n)) {
        arena.n_hidden -= DOT_ENTRIES((Py_ssize_t)n->terms.n);
        operands_drop(dot_a(n), list);
        operands_drop(dot_b(n), list);
    } else {
        arena.n_hidden -= PROBABILITY_ENTRIES;
        softmax_drop(probability_softmax(n), list);
    }
}

static inline void drop_edges(Node *n, Node **list) {
    unsigned kind = node_kind(n);
    if (kind == WIDE) {
        if (node_is_fused(n))
            drop_fused(n, list);
        else
            drop_wide(n->wide, list);
    } else if (kind != LEAF) {
        drop(node_first(n), list);
        if (kind == ADD || kind == BINARY)
            drop(node_second(n), list);
    }
}

/* Frees the doomed and whatever only they kept alive. The list is local, where it stays in a
 * register; deallocators called from here add to the global one. */
static void free_doomed(void) {
    const Node *lowest = doomed;
    while (doomed) {
        Node *list = doomed;
        doomed = NULL;
        while (list) {
            Node *n = list;
            list = n->next_doomed;
            drop_edges(n, &list);
            arena_push(n);
            if ((uintptr_t)n < (uintptr_t)lowest)
                lowest = n;
        }
    }
    if (lowest)
        arena_rewind(lowest);
}

static void release_rest(void) {
    if (releasing)
        return;
    releasing = 1;
    while (doomed || doomed_subclass) {
        free_doomed();
        if (doomed_subclass) {
            Node *n = doomed_subclass->owner;
            doomed_subclass = doomed_subclass->next_doomed;
            n->wide->is_doomed = 0;
            Py_DECREF((PyObject *)n); /* Python's deallocator, then graph_release from within */
        }
    }
    releasing = 0;
    arena_trim();
}

void operands_release(Operands *operands) {
    operands_drop(operands, &doomed);
    release_rest();
}

void softmax_release(Softmax *softmax) {
    softmax_drop(softmax, &doomed);
    release_rest();
}

static void let_go_of_edges(Node *n) {
    drop_edges(n, &doomed);
    release_rest();
}

void graph_release(Node *n) {
    if (Value_CheckExact((PyObject *)n)) {
        n->next_doomed = doomed;
        doomed = n;
        release_rest();
    } else {
        Node edges = *n;
        n->first = LEAF | MARK;
        let_go_of_edges(&edges);
    }
}
