/* What all nodes of the process share: their type and a few counts. All of it is guarded by the
 * GIL.
 */
#ifndef ISOGRAD_GRAPH_H
#define ISOGRAD_GRAPH_H

#include <string.h>

#include "node.h"
#include "numerics/compiler.h"

typedef struct {
    /* Live instances of subclasses of Value, which lie outside the arena. */
    Py_ssize_t n_subclass;
    /* Entries of the walk's buffer that fused nodes may need beyond one for each node. */
    Py_ssize_t n_hidden;
    /* Counts the assignments to any node's data: older vectors of operands are out of date. */
    uint64_t data_version;
    /* A backward() is under way: it has noted marks and kinds, so no edge may change. */
    int is_walking;
    /* Some leaf was given edges by another `__init__`, after others may have noted it as a leaf. */
    int leaf_was_promoted;
} Graph;

extern HIDDEN Graph graph;

/* Made known here, for every node begins with its address; value.c fills in what it can do. */
extern HIDDEN PyTypeObject Value_Type;

static inline int Value_CheckExact(PyObject *o) { return Py_IS_TYPE(o, &Value_Type); }
static inline int Value_Check(PyObject *o) { return PyObject_TypeCheck(o, &Value_Type); }

/* The `__name__` of a class; borrowed. */
static inline const char *class_name(const PyTypeObject *type) {
    const char *dot = strrchr(type->tp_name, '.');
    return dot ? dot + 1 : type->tp_name;
}

/* What assigning to `data` does. */
static inline void node_set_data(Node *n, Number data) {
    graph.data_version++;
    n->data = data.x;
    n->second = (n->second & ~DATA_INT) | flag_if(data.is_int, DATA_INT);
}

#endif
