/* Vector functions as sequences of scalar operations. See vector.h for the contract.
 *
 * Arguments are copied into tuples first: allocating may run the garbage collector and with it
 * Python code, which could otherwise change a list under our hands.
 */
#include "vector.h"

#include "dot.h"
#include "ops.h"

static const Number int_zero = {0.0, 1}, minus_one = {-1.0, 1};

/* ---- arguments ---- */

typedef struct {
    PyObject *tuple; /* owned */
    Node **at;       /* its items */
    Py_ssize_t n;
} Vector;

static void vector_clear(Vector *v) { Py_CLEAR(v->tuple); }

enum { READ = 0, SUBCLASS = 1, FAILED = -1 };

static int not_a_value(const char *name, Py_ssize_t i, PyObject *item) {
    PyErr_Format(PyExc_TypeError, "%s[%zd] must be a Value, not '%.200s'", name, i,
                 Py_TYPE(item)->tp_name);
    return FAILED;
}

/* Fills *v, which the caller clears in any case. SUBCLASS if some item is not exactly a Value but an
 * instance of a subclass, whose operators may be its own. */
static int read_vector(PyObject *sequence, const char *name, Vector *v) {
    v->tuple = PySequence_Tuple(sequence);
    if (v->tuple == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s must be a sequence of Values, not '%.200s'", name,
                         Py_TYPE(sequence)->tp_name);
        return FAILED;
    }
    v->n = PyTuple_GET_SIZE(v->tuple);
    v->at = (Node **)&PyTuple_GET_ITEM(v->tuple, 0);
    if (v->n == 0) {
        PyErr_Format(PyExc_ValueError, "%s is empty", name);
        return FAILED;
    }
    int status = READ;
    for (Py_ssize_t i = 0; i < v->n; i++) {
        PyObject *item = (PyObject *)v->at[i];
        if (UNLIKELY(!Value_CheckExact(item))) {
            if (!Value_Check(item))
                return not_a_value(name, i, item);
            status = SUBCLASS;
        }
    }
    return status;
}

/* The same for one row of a matrix, which must have n entries. */
static int read_row(PyObject *sequence, const char *name, Py_ssize_t n, Vector *v) {
    int status = read_vector(sequence, name, v);
    if (status != FAILED && v->n != n) {
        PyErr_Format(PyExc_ValueError, "%s has %zd entries where %zd are expected", name, v->n, n);
        return FAILED;
    }
    return status;
}

/* What a function returns for a status other than READ. */
static PyObject *refusal(int status) {
    if (status == FAILED)
        return NULL;
    Py_RETURN_NOTIMPLEMENTED;
}

/* ---- pieces ---- */

/* A list of n new Values, each made by `make(context, i)`. */
typedef PyObject *(*Maker)(const void *context, Py_ssize_t i);

static PyObject *list_of(Py_ssize_t n, Maker make, const void *context) {
    PyObject *list = PyList_New(n);
    for (Py_ssize_t i = 0; list && i < n; i++) {
        PyObject *item = make(context, i);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* sum + term, where a sum of NULL is Python's int 0; takes over both references. */
static PyObject *add_term(PyObject *sum, PyObject *term) {
    PyObject *next = NULL;
    if (term)
        next = sum ? value_add((Node *)sum, (Node *)term)
                   : value_add_const((Node *)term, int_zero);
    Py_XDECREF(sum);
    Py_XDECREF(term);
    return next;
}

/* Sums of int products are ints, which only the scalar operations keep track of. */
static PyObject *dot_of_ints(Node *const *a, Node *const *b, Py_ssize_t n) {
    PyObject *sum = NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        sum = add_term(sum, value_mul(a[i], b[i]));
        if (sum == NULL)
            return NULL;
    }
    return sum;
}

/* The sum of products of two vectors of the same length; takes over the reference to `a`, which may
 * be NULL with an exception set. */
static PyObject *dot_and_release(Operands *a, Operands *b) {
    if (a == NULL)
        return NULL;
    PyObject *sum = a->all_ints && b->all_ints ? dot_of_ints(a->at, b->at, b->n) : dot_new(a, b);
    operands_release(a);
    return sum;
}

/* The same for n exact Values a and b. */
static PyObject *dot(Node *const *a, Node *const *b, Py_ssize_t n) {
    Py_ssize_t odd;
    Operands *b_operands = operands_new(b, n, &odd);
    if (b_operands == NULL)
        return NULL;
    PyObject *sum = dot_and_release(operands_new(a, n, &odd), b_operands);
    operands_release(b_operands);
    return sum;
}

/* `operation` on a node that it takes over, which may be NULL with an exception set. */
static PyObject *then(PyObject *a, PyObject *(*operation)(Node *)) {
    PyObject *result = a ? operation((Node *)a) : NULL;
    Py_XDECREF(a);
    return result;
}

static PyObject *then_with(PyObject *a, PyObject *(*operation)(Node *, Number), Number c) {
    PyObject *result = a ? operation((Node *)a, c) : NULL;
    Py_XDECREF(a);
    return result;
}

/* ---- linear ---- */

/* Like read_row, straight into operands: the larger part of a forward pass is to fetch the weights,
 * and nothing between the first and the last item can run Python code. */
static int read_operands(PyObject *sequence, const char *name, Py_ssize_t n, Operands **out) {
    Py_ssize_t odd;
    if (PyList_CheckExact(sequence) && PyList_GET_SIZE(sequence) == n) {
        *out = operands_new((Node *const *)&PyList_GET_ITEM(sequence, 0), n, &odd);
        if (*out || PyErr_Occurred())
            return *out ? READ : FAILED;
    }
    Vector v;
    int status = read_row(sequence, name, n, &v);
    if (status == READ)
        *out = operands_new(v.at, n, &odd);
    vector_clear(&v);
    return status == READ && *out == NULL ? FAILED : status;
}

static int linear_rows(Operands *x, PyObject *rows, PyObject *out) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rows); i++) {
        Operands *row;
        int status = read_operands(PyTuple_GET_ITEM(rows, i), "a row of w", x->n, &row);
        if (status != READ)
            return status;
        PyObject *y = dot_and_release(row, x);
        if (y == NULL)
            return FAILED;
        PyList_SET_ITEM(out, i, y);
    }
    return READ;
}

PyObject *vector_linear(PyObject *x, PyObject *w) {
    Vector input;
    Operands *operands = NULL;
    Py_ssize_t odd;
    int status = read_vector(x, "x", &input);
    PyObject *rows = status == READ ? PySequence_Tuple(w) : NULL;
    PyObject *out = rows ? PyList_New(PyTuple_GET_SIZE(rows)) : NULL;
    if (out && (operands = operands_new(input.at, input.n, &odd)))
        status = linear_rows(operands, rows, out);
    else if (status == READ)
        status = FAILED;
    vector_clear(&input);
    if (operands)
        operands_release(operands);
    Py_XDECREF(rows);
    if (status == READ)
        return out;
    Py_XDECREF(out);
    return refusal(status);
}

/* ---- softmax ---- */

typedef struct {
    PyObject *exps; /* a list */
    PyObject *total;
} Softmax;

static void softmax_clear(Softmax *s) {
    Py_CLEAR(s->exps);
    Py_CLEAR(s->total);
}

typedef struct {
    Node *const *logits;
    Number minus_max;
} Shifted;

static PyObject *exp_of_shifted(const void *context, Py_ssize_t i) {
    const Shifted *s = context;
    return then(value_add_const(s->logits[i], s->minus_max), value_exp);
}

/* Python's max(): the first of those that no later one exceeds. */
static Number max_data(Node *const *x, Py_ssize_t n) {
    Number max = node_data(x[0]);
    for (Py_ssize_t i = 1; i < n; i++)
        if (x[i]->data > max.x)
            max = node_data(x[i]);
    return max;
}

/* 0, or -1 with an exception set; the caller clears *s in any case. */
static int softmax_begin(Node *const *logits, Py_ssize_t n, Softmax *s) {
    Number max = max_data(logits, n);
    Shifted shifted = {logits, max.is_int ? as_int_result(-max.x) : (Number){-max.x, 0}};
    s->exps = list_of(n, exp_of_shifted, &shifted);
    s->total = NULL;
    for (Py_ssize_t i = 0; s->exps && i < n; i++) {
        PyObject *e = PyList_GET_ITEM(s->exps, i);
        Py_INCREF(e);
        s->total = add_term(s->total, e);
        if (s->total == NULL)
            return -1;
    }
    return s->exps ? 0 : -1;
}

static PyObject *probability(const void *context, Py_ssize_t i) {
    const Softmax *s = context;
    PyObject *inverse = value_pow((Node *)s->total, minus_one);
    PyObject *p = NULL;
    if (inverse)
        p = value_mul((Node *)PyList_GET_ITEM(s->exps, i), (Node *)inverse);
    Py_XDECREF(inverse);
    return p;
}

static PyObject *softmax(Node *const *logits, Py_ssize_t n) {
    Softmax s = {NULL, NULL};
    PyObject *out = softmax_begin(logits, n, &s) == 0 ? list_of(n, probability, &s) : NULL;
    softmax_clear(&s);
    return out;
}

PyObject *vector_softmax(PyObject *logits) {
    Vector v;
    int status = read_vector(logits, "logits", &v);
    PyObject *out = status == READ ? softmax(v.at, v.n) : refusal(status);
    vector_clear(&v);
    return out;
}

PyObject *vector_cross_entropy(PyObject *logits, Py_ssize_t target) {
    Vector v;
    Softmax s = {NULL, NULL};
    PyObject *out = NULL;
    int status = read_vector(logits, "logits", &v);
    if (status != READ)
        out = refusal(status);
    else if (target < 0 || target >= v.n)
        PyErr_Format(PyExc_ValueError, "target must be from 0 to %zd, not %zd", v.n - 1, target);
    else if (softmax_begin(v.at, v.n, &s) == 0)
        out = then_with(then(probability(&s, target), value_log), value_mul_const, minus_one);
    softmax_clear(&s);
    vector_clear(&v);
    return out;
}

/* ---- rmsnorm ---- */

typedef struct {
    Node *const *x;
    Node *scale;
} Scaled;

static PyObject *scaled(const void *context, Py_ssize_t i) {
    const Scaled *s = context;
    return value_mul(s->x[i], s->scale);
}

static PyObject *divide(PyObject *a, Number divisor) {
    Number inverse;
    if (a && number_pow(divisor, minus_one, &inverse) < 0)
        Py_CLEAR(a);
    return then_with(a, value_mul_const, inverse);
}

PyObject *vector_rmsnorm(PyObject *x) {
    static const Number tiny = {1e-5, 0}, minus_half = {-0.5, 0};
    Vector v;
    int status = read_vector(x, "x", &v);
    PyObject *out = NULL;
    if (status != READ)
        out = refusal(status);
    else {
        PyObject *mean_square = divide(dot(v.at, v.at, v.n), (Number){(double)v.n, 1});
        PyObject *scale = then_with(then_with(mean_square, value_add_const, tiny), value_pow,
                                    minus_half);
        Scaled context = {v.at, (Node *)scale};
        out = scale ? list_of(v.n, scaled, &context) : NULL;
        Py_XDECREF(scale);
    }
    vector_clear(&v);
    return out;
}

/* ---- entry by entry ---- */

typedef struct {
    Node *const *a, *const *b;
} Pair;

static PyObject *sum_of_pair(const void *context, Py_ssize_t i) {
    const Pair *pair = context;
    return value_add(pair->a[i], pair->b[i]);
}

PyObject *vector_add(PyObject *a, PyObject *b) {
    Vector va = {NULL, NULL, 0}, vb = {NULL, NULL, 0};
    int status = read_vector(a, "a", &va);
    int status_b = status == FAILED ? FAILED : read_row(b, "b", va.n, &vb);
    status = status_b == READ ? status : status_b;
    Pair pair = {va.at, vb.at};
    PyObject *out = status == READ ? list_of(va.n, sum_of_pair, &pair) : refusal(status);
    vector_clear(&va);
    vector_clear(&vb);
    return out;
}

static PyObject *relu_of(const void *context, Py_ssize_t i) {
    return value_relu(((Node *const *)context)[i]);
}

PyObject *vector_relu(PyObject *x) {
    Vector v;
    int status = read_vector(x, "x", &v);
    PyObject *out = status == READ ? list_of(v.n, relu_of, v.at) : refusal(status);
    vector_clear(&v);
    return out;
}

/* ---- attention ---- */

typedef struct {
    Vector q;
    Vector *keys, *values; /* n_positions each */
    Py_ssize_t n_positions, n_head;
    Node **column; /* scratch: one entry of every position's value */
} Attention;

static void attention_clear(Attention *a) {
    vector_clear(&a->q);
    for (Py_ssize_t t = 0; t < a->n_positions; t++) {
        if (a->keys)
            vector_clear(&a->keys[t]);
        if (a->values)
            vector_clear(&a->values[t]);
    }
    PyMem_Free(a->keys);
    PyMem_Free(a->values);
    PyMem_Free(a->column);
}

/* Reads n vectors of `width` entries. */
static int read_positions(PyObject *sequence, const char *name, const char *one, Vector *vectors,
                          Py_ssize_t n, Py_ssize_t width) {
    PyObject *tuple = PySequence_Tuple(sequence);
    int status = tuple ? READ : FAILED;
    if (tuple && PyTuple_GET_SIZE(tuple) != n) {
        PyErr_Format(PyExc_ValueError, "%s has %zd entries where %zd are expected", name,
                     PyTuple_GET_SIZE(tuple), n);
        status = FAILED;
    }
    for (Py_ssize_t t = 0; status != FAILED && t < n; t++) {
        int status_t = read_row(PyTuple_GET_ITEM(tuple, t), one, width, &vectors[t]);
        status = status_t == READ ? status : status_t;
    }
    Py_XDECREF(tuple);
    return status;
}

static int read_attention(PyObject *q, PyObject *keys, PyObject *values, Attention *a) {
    int status = read_vector(q, "q", &a->q);
    if (status == FAILED)
        return FAILED;
    if (a->n_head < 1 || a->q.n % a->n_head) {
        PyErr_Format(PyExc_ValueError, "q has %zd entries, which %zd heads cannot share", a->q.n,
                     a->n_head);
        return FAILED;
    }
    Py_ssize_t n = PyObject_Size(keys);
    if (n < 0)
        return FAILED;
    if (n == 0) {
        PyErr_SetString(PyExc_ValueError, "keys is empty");
        return FAILED;
    }
    a->keys = PyMem_Calloc((size_t)n, sizeof *a->keys);
    a->values = PyMem_Calloc((size_t)n, sizeof *a->values);
    a->column = PyMem_Calloc((size_t)n, sizeof *a->column);
    if (!a->keys || !a->values || !a->column) {
        PyErr_NoMemory();
        return FAILED;
    }
    a->n_positions = n;
    int status_k = read_positions(keys, "keys", "a key", a->keys, n, a->q.n);
    if (status_k == FAILED)
        return FAILED;
    int status_v = read_positions(values, "values", "a value", a->values, n, a->q.n);
    if (status_v == FAILED)
        return FAILED;
    return status == READ && status_k == READ ? status_v : SUBCLASS;
}

typedef struct {
    const Attention *a;
    Py_ssize_t start, head_dim;
    Number root; /* of head_dim */
    Node *const *weights;
} Head;

static PyObject *attention_logit(const void *context, Py_ssize_t t) {
    const Head *h = context;
    return divide(dot(h->a->q.at + h->start, h->a->keys[t].at + h->start, h->head_dim), h->root);
}

static PyObject *attention_output(const void *context, Py_ssize_t j) {
    const Head *h = context;
    for (Py_ssize_t t = 0; t < h->a->n_positions; t++)
        h->a->column[t] = h->a->values[t].at[h->start + j];
    return dot(h->weights, h->a->column, h->a->n_positions);
}

static Node *const *list_items(PyObject *list) { return (Node *const *)&PyList_GET_ITEM(list, 0); }

/* The head's outputs, a list. */
static PyObject *attend(Head *h) {
    Py_ssize_t n = h->a->n_positions;
    PyObject *logits = list_of(n, attention_logit, h);
    PyObject *weights = logits ? softmax(list_items(logits), n) : NULL;
    PyObject *out = NULL;
    if (weights) {
        h->weights = list_items(weights);
        out = list_of(h->head_dim, attention_output, h);
    }
    Py_XDECREF(logits);
    Py_XDECREF(weights);
    return out;
}

static PyObject *attend_with_all_heads(const Attention *a) {
    static const Number half = {0.5, 0};
    Head h = {a, 0, a->q.n / a->n_head, {0.0, 0}, NULL};
    PyObject *out = PyList_New(0);
    if (out && number_pow((Number){(double)h.head_dim, 1}, half, &h.root) < 0)
        Py_CLEAR(out);
    for (; out && h.start < a->q.n; h.start += h.head_dim) {
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
    PyObject *out = status == READ ? attend_with_all_heads(&a) : refusal(status);
    attention_clear(&a);
    return out;
}
