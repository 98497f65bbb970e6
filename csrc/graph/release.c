/* Letting go of nodes, edges, vectors of operands and softmaxes; see the header. */
#include "release.h"

#include "arena.h"
#include "graph.h"

/* What waits to be let go: exact Values without references, and the Wides of instances of
 * subclasses, each with its owner's last reference. */
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
    assert(Py_REFCNT(o) > 0);
    if (UNLIKELY(!Value_CheckExact(o))) {
        drop_subclass(child);
        return;
    }
#if defined(Py_GIL_DISABLED) || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS)
    Py_DECREF(o); /* comes back to release_node, which only adds to the list */
#else
    Py_ssize_t count = Py_REFCNT(o) - 1;
    Py_SET_REFCNT(o, count);
    if (count == 0) {
        child->next_doomed = *list;
        *list = child;
    }
#endif
}

static void drop_operands(Operands *operands, Node **list) {
    assert(operands->n_owners > 0);
    if (--operands->n_owners > 0)
        return;
    assert(operands->loan == 0);
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

static void drop_softmax(Softmax *s, Node **list) {
    assert(s->n_owners > 0);
    if (--s->n_owners > 0)
        return;
    if (s->logits) {
        Py_ssize_t n = s->logits->n;
        graph.n_hidden -= SOFTMAX_ENTRIES(n);
        for (Py_ssize_t i = 0; s->unfolded && i <= n; i++)
            drop(s->unfolded[i], list);
        drop_operands(s->logits, list);
    }
    PyMem_Free(s->unfolded);
    PyMem_Free(s);
}

static void drop_fused(const Node *n, Node **list) {
    if (fused_is_dot(n)) {
        graph.n_hidden -= DOT_ENTRIES((Py_ssize_t)n->terms.n);
        drop_operands(dot_a(n), list);
        drop_operands(dot_b(n), list);
    } else {
        graph.n_hidden -= PROBABILITY_ENTRIES;
        drop_softmax(probability_softmax(n), list);
    }
}

static inline void drop_edges(const Node *n, Node **list) {
    unsigned kind = node_kind(n);
    assert((kind == LEAF) == ((n->first & MARK) != 0));
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
            assert(Value_CheckExact((PyObject *)n) && Py_REFCNT((PyObject *)n) == 0);
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
            Py_DECREF((PyObject *)n); /* Python's deallocator, then release_node from within */
        }
    }
    releasing = 0;
    arena_trim();
}

void release_operands(Operands *operands) {
    drop_operands(operands, &doomed);
    release_rest();
}

void release_softmax(Softmax *softmax) {
    drop_softmax(softmax, &doomed);
    release_rest();
}

void release_edges(const Node *copy) {
    drop_edges(copy, &doomed);
    release_rest();
}

void release_node(Node *n) {
    if (Value_CheckExact((PyObject *)n)) {
        n->next_doomed = doomed;
        doomed = n;
        release_rest();
    } else {
        Node edges = *n;
        n->first = LEAF | MARK;
        release_edges(&edges);
    }
}
