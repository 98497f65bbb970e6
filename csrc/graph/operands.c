/* Fetching vectors of nodes and noting them. The idea stands in operands.h. */
#include "operands.h"

#include <string.h>

#include "graph.h"
#include "numerics/compiler.h"
#include "release.h"

/* Keys, values and inputs of the positions of one layer; a clash costs a fetch. */
#define N_PLACES 256
static Operands *places[N_PLACES];

static Operands **place_of(const Node *first) {
    return &places[(uintptr_t)first / sizeof(Node) % N_PLACES];
}

static Operands *operands_allocate(Py_ssize_t n) {
    size_t bytes = sizeof(Operands) + (size_t)n * (sizeof(Node *) + 2 * sizeof(double) + 1);
    Operands *o = PyMem_Malloc(bytes);
    if (o == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    assert(is_taggable(o));
    *o = (Operands){.n_owners = 1, .n = n, .data_version = graph.data_version};
    o->data = (double *)(o + 1);
    o->grad = o->data + n;
    o->at = (Node **)(o->grad + n);
    o->is_int = (unsigned char *)(o->at + n);
    return o;
}

static int is_leaf(const Node *n) {
    return Value_CheckExact((PyObject *)n) && node_kind(n) == LEAF;
}

/* The vector noted for its first node, if it is this one; a new reference, or NULL. */
static Operands *noted(Node *const *at, Py_ssize_t n) {
    Operands *o = is_leaf(at[0]) ? at[0]->row : *place_of(at[0]);
    if (o == NULL || o->n != n || o->data_version != graph.data_version ||
        memcmp(o->at, at, (size_t)n * sizeof *at) != 0)
        return NULL;
    assert(o->n_owners > 0 && (o->home == at[0] || o->place == place_of(at[0])));
    o->n_owners++;
    return o;
}

static void note(Operands *o) {
    Node *first = o->at[0];
    Operands **place = is_leaf(first) ? &first->row : place_of(first);
    if (*place)
        operands_forget(*place);
    *place = o;
    if (is_leaf(first))
        o->home = first;
    else
        o->place = place;
}

Operands *operands_gather(Node *const *at, Py_ssize_t n) {
    assert(n >= 1 && n <= DOT_MAX_TERMS);
    Operands *o = operands_allocate(n);
    int all_leaves = 1;
    uintptr_t ints = 0, lowest = UINTPTR_MAX, highest = 0;
    for (Py_ssize_t i = 0; o && i < n; i++) {
        Node *node = at[i];
        if (UNLIKELY(!Value_CheckExact((PyObject *)node))) {
            o->n = i;
            release_operands(o);
            return NULL;
        }
        Py_INCREF((PyObject *)node);
        o->at[i] = node;
        o->data[i] = node->data;
        o->is_int[i] = (node->second & DATA_INT) != 0;
        all_leaves &= node_kind(node) == LEAF;
        ints |= node->second;
        lowest = (uintptr_t)node < lowest ? (uintptr_t)node : lowest;
        highest = (uintptr_t)node > highest ? (uintptr_t)node : highest;
    }
    if (o) {
        o->all_leaves = all_leaves;
        o->some_ints = (ints & DATA_INT) != 0;
        o->lowest = (const Node *)lowest;
        o->highest = (const Node *)highest;
    }
    return o;
}

Operands *operands_new(Node *const *at, Py_ssize_t n) {
    Operands *o = noted(at, n);
    if (o == NULL && (o = operands_gather(at, n)))
        note(o);
    return o;
}
