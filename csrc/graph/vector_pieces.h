/* What the vector functions are put together from: arguments that are read, lists that are filled,
 * operators in a chain. The functions themselves are in vector.h and its neighbours.
 *
 * Allocating a list may run the garbage collector and with it Python code, which could change an
 * argument under our hands. So arguments are copied into tuples first, or, where they are lists and
 * the number of results is theirs, the list of results is made first: nodes come from elsewhere.
 */
#ifndef ISOGRAD_VECTOR_PIECES_H
#define ISOGRAD_VECTOR_PIECES_H

#include "node.h"

/* n Values of an argument. */
typedef struct {
    PyObject *tuple; /* owned; NULL where `at` is borrowed from a list */
    Node **at;
    Py_ssize_t n;
} Vector;

static inline void vector_clear(Vector *v) { Py_CLEAR(v->tuple); }

/* How reading ends.
 *
 * REFUSED   some item is an instance of a subclass, whose operators may be its own, or there are
 *           more items than fused nodes hold
 * FAILED    with an exception set: TypeError for what is no sequence of Values, ValueError for what
 *           is empty or of another length, or what reading raises */
enum { READ = 0, REFUSED = 1, FAILED = -1 };

/* All read the argument that is called `name` and return how that ended. */

/* Fills *v, which the caller clears in any case. */
int vector_read(PyObject *sequence, const char *name, Vector *v);
/* The same, and a list for as many results in *out, NULL unless READ. A list is read in place, so
 * *v may not be used any more once Python code has run. */
int vector_read_and_prepare(PyObject *sequence, const char *name, Vector *v, PyObject **out);
/* vector_read for one row of a matrix, which must have n entries. */
int vector_read_row(PyObject *sequence, const char *name, Py_ssize_t n, Vector *v);
/* The verdict on what is in a vector. */
int vector_check(const Vector *v, const char *name);

/* What a vector function returns then: NotImplemented for REFUSED, NULL for FAILED. */
PyObject *vector_refusal(int status);

typedef PyObject *(*Maker)(const void *context, Py_ssize_t i);

/* The new list, whose reference it takes over, filled with Values made by `make(context, i)`. NULL
 * with an exception set; `list` may be that already. Inline, so that `make` is called directly. */
static inline PyObject *list_filled(PyObject *list, Maker make, const void *context) {
    for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list); i++) {
        PyObject *item = make(context, i);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* `operation` on a node that they take over, which may be NULL with an exception set. */
static inline PyObject *then(PyObject *a, PyObject *(*operation)(Node *)) {
    PyObject *result = a ? operation((Node *)a) : NULL;
    Py_XDECREF(a);
    return result;
}
static inline PyObject *then_with(PyObject *a, PyObject *(*operation)(Node *, Number), Number c) {
    PyObject *result = a ? operation((Node *)a, c) : NULL;
    Py_XDECREF(a);
    return result;
}

#endif
