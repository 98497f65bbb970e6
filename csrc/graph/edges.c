/* Making a node's edges from the user's own children and local gradients. */
#include "edges.h"

#include "gradient.h"
#include "graph.h"
#include "recording.h"
#include "release.h"

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

/* `children` and `local_grads` as a Wide that owns nothing yet. */
static Wide *read_edges(Node *owner, PyObject *children, PyObject *local_grads) {
    Wide *w = wide_new(owner, PyTuple_GET_SIZE(children), PyTuple_GET_SIZE(local_grads));
    if (w && (read_children(children, w->children) < 0 ||
              read_locals(local_grads, w->locals, w->local_is_int) < 0)) {
        PyMem_Free(w);
        return NULL;
    }
    return w;
}

/* Two edges would fit, too. But only products are BINARY, so that a node knows its operation. */
static int fits_inline(const Wide *w) {
    return Value_CheckExact((PyObject *)w->owner) && w->n_children == 1 && w->n_locals == 1;
}

/* Replaces the edges of `n` by those in `w`, which it takes over. */
static void adopt_edges(Node *n, Wide *w) {
    assert(w->owner == n);
    for (Py_ssize_t i = 0; i < w->n_children; i++) {
        assert(is_taggable(w->children[i]));
        Py_INCREF((PyObject *)w->children[i]);
    }
    Node old = *n;
    if (Value_CheckExact((PyObject *)n) && node_kind(n) == LEAF && Py_REFCNT((PyObject *)n) > 1)
        graph.leaf_was_promoted = 1;
    if (node_kind(n) == LEAF && n->row)
        operands_forget(n->row);
    uintptr_t ints = n->second & (DATA_INT | GRAD_INT);
    if (w->n_children == 0 && w->n_locals == 0) {
        n->first = LEAF | MARK;
        n->second = ints;
        n->row = NULL;
    } else if (fits_inline(w)) {
        n->first = (uintptr_t)w->children[0] | UNARY;
        n->second = ints | flag_if(w->local_is_int[0], LOCAL0_INT);
        n->local[0] = w->locals[0];
    } else {
        n->first = WIDE;
        n->second = ints;
        n->wide = w;
        w = NULL;
    }
    PyMem_Free(w);
    release_edges(&old);
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
 * Wide in a list. */
static int may_change_edges(const Node *n) {
    int known = node_kind(n) != LEAF || Py_REFCNT((PyObject *)n) > 1;
    if (graph.is_walking && known)
        PyErr_SetString(PyExc_RuntimeError, "a Value's edges cannot change during backward()");
    else if (node_is_custom(n) && n->wide->is_doomed)
        PyErr_SetString(PyExc_RuntimeError, "a Value's edges cannot change while it is freed");
    else
        return 1;
    return 0;
}

/* 0, or -1 with an exception set and `n` unchanged. */
static int set_edges(Node *n, PyObject *children, PyObject *local_grads) {
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

int node_initialise(Node *n, PyObject *data, PyObject *children, PyObject *local_grads) {
    Number number;
    if (number_required(data, &number) < 0)
        return -1;
    if (recording_is_off())
        children = local_grads = NULL;
    if (children || local_grads || node_kind(n) != LEAF) {
        PyObject *none = PyTuple_New(0);
        if (none == NULL)
            return -1;
        int status = set_edges(n, children ? children : none, local_grads ? local_grads : none);
        Py_DECREF(none);
        if (status < 0)
            return -1;
    }
    node_set_data(n, number);
    node_put_grad(n, an_int(0));
    return 0;
}
