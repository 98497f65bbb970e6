/* Vector functions as sequences of scalar operations. See vector.h for the contract.
 *
 * Allocating a list may run the garbage collector and with it Python code, which could change an
 * argument under our hands. So arguments are copied into tuples first, or, where they are lists and
 * the number of results is theirs, the list of results is made first: nodes come from elsewhere.
 */
#include "vector.h"

#include "dot.h"
#include "numerics/sums_of_products.h"
#include "operators.h"
#include "softmax.h"

static const Number int_zero = {0.0, 1}, minus_one = {-1.0, 1};

/* ---- arguments ---- */

typedef struct {
    PyObject *tuple; /* owned */
    Node **at;       /* its items */
    Py_ssize_t n;
} Vector;

static void vector_clear(Vector *v) { Py_CLEAR(v->tuple); }

enum { READ = 0, REFUSED = 1, FAILED = -1 };

static int not_a_value(const char *name, Py_ssize_t i, PyObject *item) {
    PyErr_Format(PyExc_TypeError, "%s[%zd] must be a Value, not '%.200s'", name, i,
                 Py_TYPE(item)->tp_name);
    return FAILED;
}

static int check_vector(const Vector *v, const char *name) {
    if (v->n == 0) {
        PyErr_Format(PyExc_ValueError, "%s is empty", name);
        return FAILED;
    }
    int status = v->n <= DOT_MAX_TERMS ? READ : REFUSED;
    for (Py_ssize_t i = 0; i < v->n; i++) {
        PyObject *item = (PyObject *)v->at[i];
        if (UNLIKELY(!Value_CheckExact(item))) {
            if (!Value_Check(item))
                return not_a_value(name, i, item);
            status = REFUSED;
        }
    }
    return status;
}

/* Fills *v, which the caller clears in any case. REFUSED if some item is not exactly a Value but an
 * instance of a subclass, whose operators may be its own, or if there are more than fused nodes hold. */
static int read_vector(PyObject *sequence, const char *name, Vector *v) {
    *v = (Vector){PySequence_Tuple(sequence), NULL, 0};
    if (v->tuple == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s must be a sequence of Values, not '%.200s'", name,
                         Py_TYPE(sequence)->tp_name);
        return FAILED;
    }
    v->n = PyTuple_GET_SIZE(v->tuple);
    v->at = (Node **)&PyTuple_GET_ITEM(v->tuple, 0);
    return check_vector(v, name);
}

/* The same, and a list for as many results in *out, NULL unless READ. A list is read in place, so
 * that it may not be used any more once Python code has run. */
static int read_and_prepare(PyObject *sequence, const char *name, Vector *v, PyObject **out) {
    int status = READ, is_list = PyList_CheckExact(sequence);
    *v = (Vector){NULL, NULL, 0};
    *out = NULL;
    if (!is_list)
        status = read_vector(sequence, name, v);
    if (status == READ) {
        *out = PyList_New(is_list ? PyList_GET_SIZE(sequence) : v->n);
        status = *out ? READ : FAILED;
    }
    if (status == READ && is_list) {
        *v =
            (Vector){NULL, (Node **)((PyListObject *)sequence)->ob_item, PyList_GET_SIZE(sequence)};
        status = check_vector(v, name);
        if (status == READ && v->n != PyList_GET_SIZE(*out)) {
            PyErr_Format(PyExc_RuntimeError, "%s changed while it was read", name);
            status = FAILED;
        }
    }
    if (status != READ)
        Py_CLEAR(*out);
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

/* The new list, whose reference it takes over, filled with Values made by `make(context, i)`. */
typedef PyObject *(*Maker)(const void *context, Py_ssize_t i);

static PyObject *filled(PyObject *list, Maker make, const void *context) {
    for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list); i++) {
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
        next = sum ? value_add((Node *)sum, (Node *)term) : value_add_const((Node *)term, int_zero);
    Py_XDECREF(sum);
    Py_XDECREF(term);
    return next;
}

/* The same sum as scalar operations. */
static PyObject *dot_of_scalars(Node *const *a, Node *const *b, Py_ssize_t n) {
    PyObject *sum = NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        sum = add_term(sum, value_mul(a[i], b[i]));
        if (sum == NULL)
            return NULL;
    }
    return sum;
}

/* Sums of int products are ints, which only the scalar operations keep track of. */
static int has_int_sum(const Operands *a, Py_ssize_t a_start, const Operands *b, Py_ssize_t b_start,
                       Py_ssize_t n) {
    if (!a->some_ints || !b->some_ints)
        return 0;
    while (n > 0 && a->is_int[a_start + n - 1] && b->is_int[b_start + n - 1])
        n--;
    return n == 0;
}

/* The sum of products of n operands of a and of b from a_start and b_start on. */
static PyObject *dot(Operands *a, Py_ssize_t a_start, Operands *b, Py_ssize_t b_start,
                     Py_ssize_t n) {
    if (has_int_sum(a, a_start, b, b_start, n))
        return dot_of_scalars(a->at + a_start, b->at + b_start, n);
    return dot_new(a, a_start, b, b_start, n);
}

PyObject *vector_dot(Node *const *a, Node *const *b, Py_ssize_t n) {
    Operands *left = operands_new(a, n), *right = left ? operands_new(b, n) : NULL;
    PyObject *sum = right ? dot(left, 0, right, 0, n) : NULL;
    if (left)
        operands_release(left);
    if (right)
        operands_release(right);
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

/* Like read_row, straight into operands: the larger part of a forward pass is to fetch the weights.
 * To read a list of n items runs no Python code, even where it is refused. */
static int read_operands(PyObject *sequence, const char *name, Py_ssize_t n, Operands **out) {
    if (PyList_CheckExact(sequence) && PyList_GET_SIZE(sequence) == n && n <= DOT_MAX_TERMS) {
        Node **at = (Node **)((PyListObject *)sequence)->ob_item;
        *out = operands_new(at, n);
        if (*out || PyErr_Occurred())
            return *out ? READ : FAILED;
        return check_vector(&(Vector){NULL, at, n}, name);
    }
    Vector v;
    int status = read_row(sequence, name, n, &v);
    if (status == READ)
        *out = operands_new(v.at, n);
    vector_clear(&v);
    return status == READ && *out == NULL ? FAILED : status;
}

/* The sums of up to N_ROWS rows, as items i.. of `out`. */
static int linear_few(Operands *x, Operands *const *rows, Py_ssize_t n_rows, PyObject *out,
                      Py_ssize_t i) {
    double sums[N_ROWS];
    int one_by_one = n_rows < N_ROWS;
    for (Py_ssize_t j = 0; j < n_rows; j++)
        one_by_one |= has_int_sum(rows[j], 0, x, 0, x->n);
    if (!one_by_one) {
        const double *data[] = {rows[0]->data, rows[1]->data, rows[2]->data, rows[3]->data};
        sums_of_products(data, x->data, (size_t)x->n, sums);
    }
    for (Py_ssize_t j = 0; j < n_rows; j++) {
        PyObject *y =
            one_by_one ? dot(rows[j], 0, x, 0, x->n) : dot_of_sum(sums[j], rows[j], 0, x, 0, x->n);
        if (y == NULL)
            return FAILED;
        PyList_SET_ITEM(out, i + j, y);
    }
    return READ;
}

static int linear_rows(Operands *x, PyObject *const *rows, PyObject *out) {
    Py_ssize_t n_rows = PyList_GET_SIZE(out);
    int status = READ;
    for (Py_ssize_t i = 0; i < n_rows && status == READ; i += N_ROWS) {
        Operands *few[N_ROWS];
        Py_ssize_t n = 0;
        while (n < N_ROWS && i + n < n_rows && status == READ) {
            status = read_operands(rows[i + n], "a row of w", x->n, &few[n]);
            n += status == READ;
        }
        if (status == READ)
            status = linear_few(x, few, n, out, i);
        while (n > 0)
            operands_release(few[--n]);
    }
    return status;
}

/* Whether to read it can run no Python code. */
static int is_list_of_lists(PyObject *w, Py_ssize_t n) {
    if (!PyList_CheckExact(w))
        return 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(w); i++) {
        PyObject *row = PyList_GET_ITEM(w, i);
        if (!PyList_CheckExact(row) || PyList_GET_SIZE(row) != n)
            return 0;
    }
    return 1;
}

/* `out`, if it is not NULL, has an entry for each row. */
static int linear(const Vector *x, PyObject *const *rows, PyObject *out) {
    Operands *operands = out ? operands_new(x->at, x->n) : NULL;
    if (operands == NULL)
        return FAILED;
    int status = linear_rows(operands, rows, out);
    operands_release(operands);
    return status;
}

static int linear_in_place(PyObject *x, PyObject *w, PyObject *out) {
    Vector v = {NULL, (Node **)((PyListObject *)x)->ob_item, PyList_GET_SIZE(x)};
    int status = check_vector(&v, "x");
    return status == READ ? linear(&v, ((PyListObject *)w)->ob_item, out) : status;
}

static int linear_of_copies(PyObject *x, PyObject *w, PyObject **out) {
    Vector v;
    int status = read_vector(x, "x", &v);
    PyObject *rows = status == READ ? PySequence_Tuple(w) : NULL;
    if (rows) {
        *out = PyList_New(PyTuple_GET_SIZE(rows));
        status = linear(&v, &PyTuple_GET_ITEM(rows, 0), *out);
    } else if (status == READ)
        status = FAILED;
    vector_clear(&v);
    Py_XDECREF(rows);
    return status;
}

PyObject *vector_linear(PyObject *x, PyObject *w) {
    PyObject *out = PyList_CheckExact(w) ? PyList_New(PyList_GET_SIZE(w)) : NULL;
    int status;
    if (out && PyList_CheckExact(x) && is_list_of_lists(w, PyList_GET_SIZE(x)) &&
        PyList_GET_SIZE(w) == PyList_GET_SIZE(out))
        status = linear_in_place(x, w, out);
    else {
        Py_CLEAR(out);
        status = PyErr_Occurred() ? FAILED : linear_of_copies(x, w, &out);
    }
    if (status == READ)
        return out;
    Py_XDECREF(out);
    return refusal(status);
}

/* ---- softmax ---- */

static PyObject *probability(const void *context, Py_ssize_t i) {
    return softmax_probability(*(Softmax *const *)context, i);
}

/* Fills the list `out`, whose reference it takes over. */
static PyObject *softmax(Node *const *logits, PyObject *out) {
    Softmax *s = out ? softmax_new(logits, PyList_GET_SIZE(out)) : NULL;
    if (s == NULL) {
        Py_XDECREF(out);
        return NULL;
    }
    out = filled(out, probability, &s);
    softmax_release(s);
    return out;
}

PyObject *vector_softmax(PyObject *logits) {
    Vector v;
    PyObject *out;
    int status = read_and_prepare(logits, "logits", &v, &out);
    out = status == READ ? softmax(v.at, out) : refusal(status);
    vector_clear(&v);
    return out;
}

static PyObject *cross_entropy(Node *const *logits, Py_ssize_t n, Py_ssize_t target) {
    Softmax *s = softmax_new(logits, n);
    if (s == NULL)
        return NULL;
    PyObject *p = softmax_probability(s, target);
    softmax_release(s);
    return then_with(then(p, value_log), value_mul_const, minus_one);
}

PyObject *vector_cross_entropy(PyObject *logits, Py_ssize_t target) {
    Vector v;
    PyObject *out = NULL;
    int status = read_vector(logits, "logits", &v);
    if (status == READ && (target < 0 || target >= v.n))
        PyErr_Format(PyExc_ValueError, "target must be from 0 to %zd, not %zd", v.n - 1, target);
    else
        out = status == READ ? cross_entropy(v.at, v.n, target) : refusal(status);
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
    if (a == NULL || number_pow(divisor, minus_one, &inverse) < 0) {
        Py_XDECREF(a);
        return NULL;
    }
    return then_with(a, value_mul_const, inverse);
}

PyObject *vector_rmsnorm(PyObject *x) {
    static const Number tiny = {1e-5, 0}, minus_half = {-0.5, 0};
    Vector v;
    PyObject *out;
    int status = read_and_prepare(x, "x", &v, &out);
    if (status != READ)
        out = refusal(status);
    else {
        PyObject *mean_square = divide(vector_dot(v.at, v.at, v.n), (Number){(double)v.n, 1});
        PyObject *scale =
            then_with(then_with(mean_square, value_add_const, tiny), value_pow, minus_half);
        Scaled context = {v.at, (Node *)scale};
        if (scale)
            out = filled(out, scaled, &context);
        else
            Py_CLEAR(out);
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
    PyObject *out = status == READ ? filled(PyList_New(va.n), sum_of_pair, &pair) : refusal(status);
    vector_clear(&va);
    vector_clear(&vb);
    return out;
}

static PyObject *relu_of(const void *context, Py_ssize_t i) {
    return value_relu(((Node *const *)context)[i]);
}

PyObject *vector_relu(PyObject *x) {
    Vector v;
    PyObject *out;
    int status = read_and_prepare(x, "x", &v, &out);
    out = status == READ ? filled(out, relu_of, v.at) : refusal(status);
    vector_clear(&v);
    return out;
}

/* ---- attention ---- */

typedef struct {
    Py_ssize_t n_positions, n_embd, n_head;
    Operands *q, **keys; /* n_embd each; of keys n_positions */
    Vector *values;      /* the same */
    Operands *columns;   /* values again, position by position for each feature in turn */
    Number root;         /* of head_dim */
} Attention;

static void attention_clear(Attention *a) {
    if (a->q)
        operands_release(a->q);
    if (a->columns)
        operands_release(a->columns);
    for (Py_ssize_t t = 0; t < a->n_positions; t++) {
        if (a->keys && a->keys[t])
            operands_release(a->keys[t]);
        if (a->values)
            vector_clear(&a->values[t]);
    }
    PyMem_Free(a->keys);
    PyMem_Free(a->values);
}

static int read_query(PyObject *q, Attention *a) {
    Vector v;
    int status = read_vector(q, "q", &v);
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
        int status_t = read_operands(PyTuple_GET_ITEM(tuple, t), "a key", a->n_embd, &a->keys[t]);
        status = status_t == READ ? status : status_t;
    }
    Py_XDECREF(tuple);
    return status;
}

static int read_values(PyObject *values, Attention *a) {
    PyObject *tuple = read_positions(values, "values", a->n_positions);
    int status = tuple ? READ : FAILED;
    for (Py_ssize_t t = 0; status != FAILED && t < a->n_positions; t++) {
        int status_t = read_row(PyTuple_GET_ITEM(tuple, t), "a value", a->n_embd, &a->values[t]);
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
    static const Number half = {0.5, 0};
    int status_q = read_query(q, a);
    if (status_q == FAILED || allocate_positions(keys, a) == FAILED)
        return FAILED;
    int status_k = read_keys(keys, a);
    int status_v = status_k == FAILED ? FAILED : read_values(values, a);
    if (status_v == FAILED)
        return FAILED;
    if (status_q != READ || status_k != READ || status_v != READ)
        return REFUSED;
    if (number_pow((Number){(double)(a->n_embd / a->n_head), 1}, half, &a->root) < 0)
        return FAILED;
    return make_columns(a);
}

typedef struct {
    const Attention *a;
    Py_ssize_t start, head_dim; /* its features */
    Operands *weights;
} Head;

static PyObject *attention_logit(const void *context, Py_ssize_t t) {
    const Head *h = context;
    return divide(dot(h->a->q, h->start, h->a->keys[t], h->start, h->head_dim), h->a->root);
}

static PyObject *attention_output(const void *context, Py_ssize_t j) {
    const Head *h = context;
    Py_ssize_t n = h->a->n_positions;
    return dot(h->weights, 0, h->a->columns, (h->start + j) * n, n);
}

static Node *const *list_items(PyObject *list) { return (Node *const *)&PyList_GET_ITEM(list, 0); }

/* The head's outputs, a list. */
static PyObject *attend(Head *h) {
    Py_ssize_t n = h->a->n_positions;
    PyObject *logits = filled(PyList_New(n), attention_logit, h);
    PyObject *weights = logits ? softmax(list_items(logits), PyList_New(n)) : NULL;
    PyObject *out = NULL;
    if (weights && (h->weights = operands_gather(list_items(weights), n))) {
        out = filled(PyList_New(h->head_dim), attention_output, h);
        operands_release(h->weights);
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
    PyObject *out = status == READ ? attend_with_all_heads(&a) : refusal(status);
    attention_clear(&a);
    return out;
}
