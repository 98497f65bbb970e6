/* How nodes come and go; see the header.
 *
 * Freeing is a loop over a list rather than a recursion, so that a chain of millions of nodes needs
 * no stack. Memory of freed nodes is kept for new ones, up to a limit.
 */
#include "scalar.h"

#include "network.h"

uint64_t scalar_version;

static Py_ssize_t n_live;

#define MOST_SPARE 16384 /* 1.3 MB: the graph of a few points on a small network */
static Scalar *spare;
static Py_ssize_t n_spare;

/* ---- coming ---- */

static Scalar *allocate(void) {
    Scalar *n = spare;
    if (LIKELY(n != NULL)) {
        spare = n->next_doomed;
        n_spare--;
        PyObject_Init((PyObject *)n, &Scalar_Type);
    } else
        n = PyObject_GC_New(Scalar, &Scalar_Type);
    n_live += n != NULL;
    return n;
}

void scalar_track(Scalar *n) {
    if (!(n->word & TRACKED)) {
        n->word |= TRACKED;
        PyObject_GC_Track(n);
    }
}

Scalar *scalar_new(enum Kind kind, Number data, Scalar *a, Scalar *b) {
    Scalar *n = allocate();
    if (UNLIKELY(n == NULL)) {
        Py_XDECREF((PyObject *)a);
        Py_XDECREF((PyObject *)b);
        return NULL;
    }
    n->data = data.x;
    n->grad = 0.0;
    n->word = (uint64_t)kind | GRAD_INT | scalar_flag(data.is_int, DATA_INT);
    n->a = a;
    n->b = b;
    n->extra = NULL;
    if (UNLIKELY(((a ? a->word : 0) | (b ? b->word : 0)) & TRACKED))
        scalar_track(n);
    return n;
}

PyObject *scalar_tp_new(PyTypeObject *type, PyObject *Py_UNUSED(args),
                        PyObject *Py_UNUSED(kwargs)) {
    if (type == &Scalar_Type)
        return (PyObject *)scalar_new(LEAF, an_int(0), NULL, NULL);
    Scalar *n = (Scalar *)type->tp_alloc(type, 0);
    if (n) {
        n->word = LEAF | DATA_INT | GRAD_INT | TRACKED;
        n_live++;
    }
    return (PyObject *)n;
}

Extra *scalar_extra(Scalar *n) {
    if (n->extra == NULL) {
        n->extra = PyMem_Calloc(1, sizeof *n->extra);
        if (n->extra == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        scalar_track(n);
    }
    return n->extra;
}

/* ---- going ---- */

static Scalar *doomed; /* linked, their references gone */
static int releasing;

static void drop_extra(Scalar *n) {
    Extra *extra = n->extra;
    n->extra = NULL;
    if (extra == NULL)
        return;
    Py_XDECREF(extra->op);
    Py_XDECREF(extra->label);
    Py_XDECREF(extra->backward);
    Py_XDECREF(extra->prev);
    Py_XDECREF(extra->dict);
    PyMem_Free(extra);
}

void scalar_drop_operands(Scalar *n) {
    enum Kind kind = scalar_kind(n);
    Scalar *a = n->a, *b = scalar_has_two(kind) ? n->b : NULL;
    if (kind == LEAF)
        return;
    n->word = (n->word & ~(KIND_BITS | SEEN)) | LEAF;
    n->a = n->b = NULL;
    if (kind == FUSED)
        call_release((Call *)a);
    else
        Py_DECREF((PyObject *)a);
    Py_XDECREF((PyObject *)b);
}

static void give_back(Scalar *n) {
    if (n_spare < MOST_SPARE) {
        n->next_doomed = spare;
        spare = n;
        n_spare++;
    } else
        PyObject_GC_Del(n);
}

/* Deallocators called from here only add to the list. */
static void free_doomed(void) {
    releasing = 1;
    while (doomed) {
        Scalar *n = doomed;
        doomed = n->next_doomed;
        drop_extra(n);
        scalar_drop_operands(n);
        give_back(n);
    }
    releasing = 0;
}

void scalar_dealloc(PyObject *self) {
    Scalar *n = (Scalar *)self;
    n_live--;
    if (n->word & TRACKED)
        PyObject_GC_UnTrack(self);
    if (Scalar_CheckExact(self)) {
        n->next_doomed = doomed;
        doomed = n;
        if (!releasing)
            free_doomed();
    } else {
        drop_extra(n);
        scalar_drop_operands(n);
        Py_TYPE(self)->tp_free(self);
    }
}

int scalar_traverse(PyObject *self, visitproc visit, void *arg) {
    Scalar *n = (Scalar *)self;
    enum Kind kind = scalar_kind(n);
    if (kind == FUSED) {
        int status = call_traverse(n->call, visit, arg);
        if (status)
            return status;
    } else if (kind != LEAF)
        Py_VISIT((PyObject *)n->a);
    if (scalar_has_two(kind))
        Py_VISIT((PyObject *)n->b);
    if (n->extra) {
        Py_VISIT(n->extra->op);
        Py_VISIT(n->extra->label);
        Py_VISIT(n->extra->backward);
        Py_VISIT(n->extra->prev);
        Py_VISIT(n->extra->dict);
    }
    return 0;
}

/* Operands never close a cycle by themselves: they are older than the node. */
int scalar_clear(PyObject *self) {
    Extra *extra = ((Scalar *)self)->extra;
    if (extra) {
        Py_CLEAR(extra->op);
        Py_CLEAR(extra->label);
        Py_CLEAR(extra->backward);
        Py_CLEAR(extra->prev);
        Py_CLEAR(extra->dict);
    }
    return 0;
}

Py_ssize_t scalar_live_count(void) { return n_live; }
