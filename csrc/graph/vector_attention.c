/* Causal attention of one position's query to the positions so far, head by head: fused sums for
 * its logits, softmax, fused sums again for its outputs.
 */
#include "vector_attention.h"

#include "dot.h"
#include "operands.h"
#include "operators.h"
#include "release.h"
#include "vector.h"
#include "vector_linear.h"
#include "vector_pieces.h"

/* ---- arguments ---- */

typedef struct {
    Py_ssize_t n_positions, n_embd, n_head;
    Operands *q, **keys; /* (n_embd) and (n_positions, n_embd) */
    Vector *values;      /* (n_positions, n_embd) */
    Operands *columns;   /* the values again, (n_embd, n_positions) */
    Number root;         /* of head_dim */
} Attention;

static void attention_clear(Attention *a) {
    if (a->q)
        release_operands(a->q);
    if (a->columns)
        release_operands(a->columns);
    for (Py_ssize_t t = 0; t < a->n_positions; t++) {
        if (a->keys && a->keys[t])
            release_operands(a->keys[t]);
        if (a->values)
            vector_clear(&a->values[t]);
    }
    PyMem_Free(a->keys);
    PyMem_Free(a->values);
}

static int read_query(PyObject *q, Attention *a) {
    Vector v;
    int status = vector_read(q, "q", &v);
    a->n_embd = v.n;
    if (status != FAILED && (a->n_head < 1 || v.n % a->n_head)) {
        PyErr_Format(PyExc_ValueError, "q has %zd entries, which %zd heads cannot share", v.n,
                     a->n_head);
        status = FAILED;
    }
    if (status == READ && (a->q = operands_new(v.at, v.n)) == NULL)
        status = FAILED;
    vector_clear(&v);
    return status;
}

/* The items of a sequence of n; a new reference, or NULL with an exception set. */
static PyObject *read_positions(PyObject *sequence, const char *name, Py_ssize_t n) {
    PyObject *tuple = PySequence_Tuple(sequence);
    if (tuple && PyTuple_GET_SIZE(tuple) != n) {
        PyErr_Format(PyExc_ValueError, "%s has %zd entries where %zd are expected", name,
                     PyTuple_GET_SIZE(tuple), n);
        Py_CLEAR(tuple);
    }
    return tuple;
}

static int allocate_positions(PyObject *keys, Attention *a) {
    Py_ssize_t n = PyObject_Size(keys);
    if (n < 0)
        return FAILED;
    if (n == 0) {
        PyErr_SetString(PyExc_ValueError, "keys is empty");
        return FAILED;
    }
    a->keys = PyMem_Calloc((size_t)n, sizeof *a->keys);
    a->values = PyMem_Calloc((size_t)n, sizeof *a->values);
    if (!a->keys || !a->values) {
        PyErr_NoMemory();
        return FAILED;
    }
    a->n_positions = n;
    return READ;
}

static int read_keys(PyObject *keys, Attention *a) {
    PyObject *tuple = read_positions(keys, "keys", a->n_positions);
    int status = tuple ? READ : FAILED;
    for (Py_ssize_t t = 0; status != FAILED && t < a->n_positions; t++) {
        int status_t =
            vector_read_operands(PyTuple_GET_ITEM(tuple, t), "a key", a->n_embd, &a->keys[t]);
        status = status_t == READ ? status : status_t;
    }
    Py_XDECREF(tuple);
    return status;
}

static int read_values(PyObject *values, Attention *a) {
    PyObject *tuple = read_positions(values, "values", a->n_positions);
    int status = tuple ? READ : FAILED;
    for (Py_ssize_t t = 0; status != FAILED && t < a->n_positions; t++) {
        int status_t =
            vector_read_row(PyTuple_GET_ITEM(tuple, t), "a value", a->n_embd, &a->values[t]);
        status = status_t == READ ? status : status_t;
    }
    Py_XDECREF(tuple);
    return status;
}

static int make_columns(Attention *a) {
    Py_ssize_t n = a->n_positions;
    if (n > DOT_MAX_TERMS / a->n_embd)
        return REFUSED;
    Node **at = PyMem_Calloc((size_t)(n * a->n_embd), sizeof *at);
    if (at == NULL) {
        PyErr_NoMemory();
        return FAILED;
    }
    for (Py_ssize_t t = 0; t < n; t++)
        for (Py_ssize_t j = 0; j < a->n_embd; j++)
            at[j * n + t] = a->values[t].at[j];
    a->columns = operands_gather(at, n * a->n_embd);
    PyMem_Free(at);
    return a->columns ? READ : FAILED;
}

/* Fills *a, which the caller clears in any case. */
static int read_attention(PyObject *q, PyObject *keys, PyObject *values, Attention *a) {
    int status_q = read_query(q, a);
    if (status_q == FAILED || allocate_positions(keys, a) == FAILED)
        return FAILED;
    int status_k = read_keys(keys, a);
    int status_v = status_k == FAILED ? FAILED : read_values(values, a);
    if (status_v == FAILED)
        return FAILED;
    if (status_q != READ || status_k != READ || status_v != READ)
        return REFUSED;
    if (number_pow(an_int((double)(a->n_embd / a->n_head)), a_float(0.5), &a->root) < 0)
        return FAILED;
    return make_columns(a);
}

/* ---- heads ---- */

typedef struct {
    const Attention *a;
    Py_ssize_t start, head_dim; /* its features */
    Operands *weights;
} Head;

static PyObject *attention_logit(const void *context, Py_ssize_t t) {
    const Head *h = context;
    PyObject *product = dot_new(h->a->q, h->start, h->a->keys[t], h->start, h->head_dim);
    return then_with(product, value_div_const, h->a->root);
}

static PyObject *attention_output(const void *context, Py_ssize_t j) {
    const Head *h = context;
    Py_ssize_t n = h->a->n_positions;
    return dot_new(h->weights, 0, h->a->columns, (h->start + j) * n, n);
}

static Node *const *list_items(PyObject *list) { return (Node *const *)&PyList_GET_ITEM(list, 0); }

/* The head's outputs, a list. */
static PyObject *attend(Head *h) {
    Py_ssize_t n = h->a->n_positions;
    PyObject *logits = list_filled(PyList_New(n), attention_logit, h);
    PyObject *weights = logits ? vector_softmax_into(PyList_New(n), list_items(logits)) : NULL;
    PyObject *out = NULL;
    if (weights && (h->weights = operands_gather(list_items(weights), n))) {
        out = list_filled(PyList_New(h->head_dim), attention_output, h);
        release_operands(h->weights);
    }
    Py_XDECREF(logits);
    Py_XDECREF(weights);
    return out;
}

static PyObject *attend_with_all_heads(const Attention *a) {
    Head h = {a, 0, a->n_embd / a->n_head, NULL};
    PyObject *out = PyList_New(0);
    for (; out && h.start < a->n_embd; h.start += h.head_dim) {
        PyObject *head = attend(&h);
        if (head == NULL || PyList_SetSlice(out, h.start, h.start, head) < 0)
            Py_CLEAR(out);
        Py_XDECREF(head);
    }
    return out;
}

PyObject *vector_attention(PyObject *q, PyObject *keys, PyObject *values, Py_ssize_t n_head) {
    Attention a = {.n_head = n_head};
    int status = read_attention(q, keys, values, &a);
    PyObject *out = status == READ ? attend_with_all_heads(&a) : vector_refusal(status);
    attention_clear(&a);
    return out;
}
