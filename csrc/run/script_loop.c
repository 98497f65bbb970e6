/* Loops computed by programs; see the header. */
#include "script_loop.h"

#include <stddef.h>

#include "graph/gradient.h"
#include "graph/graph.h"
#include "graph/unfold.h"
#include "script_program.h"
#include "script_stop.h"
#include "script_traits.h"

enum { DATA, GRAD, INDEX, FIRST_VECTOR, MAX_VECTORS = 16 };

typedef struct {
    PyObject_HEAD
    PyObject *code, *constants; /* owned */
    Program program;
    int n_vectors, n_carried, n_invariants;
    int store[MAX_REGISTERS]; /* DATA and GRAD, then as FIRST_VECTOR and on, less one */
} Loop;

/* One vector of numbers beside the parameters. */
typedef struct {
    PyObject *list; /* borrowed; NULL for an array */
    double *doubles;
    Py_ssize_t n;
    Py_buffer view;
} Vector;

static int read_float(PyObject *o, Number *out) {
    if (PyFloat_CheckExact(o)) {
        *out = a_float(PyFloat_AS_DOUBLE(o));
        return 1;
    }
    if (!PyLong_CheckExact(o) || number_from(o, out) != 1) {
        PyErr_Clear();
        return 0;
    }
    int fits = out->is_int;
    number_lost_int = 0.0;
    return fits;
}

static int open_vector(PyObject *o, Vector *v) {
    *v = (Vector){NULL, NULL, 0, {0}};
    if (PyList_CheckExact(o)) {
        v->list = o;
        return 1;
    }
    if (strcmp(Py_TYPE(o)->tp_name, "array.array") != 0 ||
        PyObject_GetBuffer(o, &v->view, PyBUF_WRITABLE | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return 0;
    }
    v->doubles = v->view.buf;
    v->n = v->view.len / (Py_ssize_t)sizeof(double);
    if (v->view.format && strcmp(v->view.format, "d") == 0)
        return 1;
    PyBuffer_Release(&v->view);
    return 0;
}

static void close_vectors(Vector *v, int n) {
    for (int i = 0; i < n; i++)
        if (v[i].doubles)
            PyBuffer_Release(&v[i].view);
}

/* How many were opened: n, or fewer where one is no vector or is there twice. */
static int open_vectors(PyObject *const *at, int n, Vector *v) {
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++)
            if (at[i] == at[j])
                return i;
        if (!open_vector(at[i], &v[i]))
            return i;
    }
    return n;
}

static int load(const Loop *l, Node *p, Vector *v, Py_ssize_t i, Number *r) {
    r[DATA] = node_data(p);
    r[GRAD] = node_grad(p);
    r[INDEX] = an_int((double)i);
    for (int k = 0; k < l->n_vectors; k++) {
        if (i >= (v[k].list ? PyList_GET_SIZE(v[k].list) : v[k].n))
            return 0;
        if (v[k].doubles)
            r[FIRST_VECTOR + k] = a_float(v[k].doubles[i]);
        else if (!read_float(PyList_GET_ITEM(v[k].list, i), &r[FIRST_VECTOR + k]))
            return 0;
    }
    return 1;
}

/* The new elements of lists, made before anything is stored; 0 where there is no memory, or an
 * array would have to hold an int. */
static int make_elements(const Loop *l, const Vector *v, const Number *r, PyObject **made) {
    int ok = 1;
    for (int k = 0; k < l->n_vectors; k++) {
        int from = l->store[2 + k];
        made[k] = NULL;
        if (from < 0 || !ok)
            continue;
        if (v[k].list)
            ok = (made[k] = number_as_object(r[from])) != NULL;
        else
            ok = !r[from].is_int;
    }
    for (int k = 0; !ok && k < l->n_vectors; k++)
        Py_CLEAR(made[k]);
    PyErr_Clear();
    return ok;
}

static int store(const Loop *l, Node *p, Vector *v, Py_ssize_t i, const Number *r) {
    PyObject *made[MAX_VECTORS];
    if (!make_elements(l, v, r, made))
        return 0;
    if (l->store[GRAD] >= 0 && node_set_grad(p, r[l->store[GRAD]]) < 0) {
        for (int k = 0; k < l->n_vectors; k++)
            Py_XDECREF(made[k]);
        PyErr_Clear();
        return 0;
    }
    for (int k = 0; k < l->n_vectors; k++) {
        int from = l->store[2 + k];
        if (from < 0)
            continue;
        if (made[k])
            PyList_SetItem(v[k].list, i, made[k]);
        else
            v[k].doubles[i] = r[from].x;
    }
    if (l->store[DATA] >= 0)
        node_set_data(p, r[l->store[DATA]]);
    return 1;
}

/* Whether its data may change: under closures a result's that backward() reads may not. */
static int is_simple(const Node *p) {
    unsigned kind = node_kind(p);
    return kind != WIDE && !(kind == UNARY && script_traits.closures);
}

/* From turn `i` on; the first turn that is left to Python. */
static Py_ssize_t turns(const Loop *l, PyObject *params, Vector *v, Py_ssize_t i, Py_ssize_t keep,
                        Number *r) {
    int carried = FIRST_VECTOR + l->n_vectors;
    for (; i < PySequence_Fast_GET_SIZE(params) - keep; i++) {
        PyObject *p = PySequence_Fast_GET_ITEM(params, i);
        Number before[MAX_REGISTERS];
        if (!Value_CheckExact(p) || !is_simple((Node *)p) || !load(l, (Node *)p, v, i, r))
            break;
        memcpy(before, r + carried, (size_t)l->n_carried * sizeof *before);
        Py_INCREF(p); /* asking math may run the script's destructors */
        int done = program_run(&l->program, r) == 1 && store(l, (Node *)p, v, i, r);
        Py_DECREF(p);
        Number after[MAX_REGISTERS];
        for (int k = 0; k < l->n_carried; k++)
            after[k] = r[l->store[2 + l->n_vectors + k]];
        memcpy(r + carried, done ? after : before, (size_t)l->n_carried * sizeof *after);
        if (!done)
            break;
    }
    return i;
}

/* Registers from `at` on from a list or tuple of n numbers; 0 if it is anything else. */
static int read_registers(PyObject *numbers, int n, Number *at) {
    if (!PyTuple_CheckExact(numbers) || PyTuple_GET_SIZE(numbers) != n)
        return 0;
    for (int i = 0; i < n; i++)
        if (!read_float(PyTuple_GET_ITEM(numbers, i), &at[i]))
            return 0;
    return 1;
}

static PyObject *result(const Loop *l, Py_ssize_t done, const Number *r) {
    PyObject *carried = PyTuple_New(l->n_carried);
    for (int k = 0; carried && k < l->n_carried; k++) {
        PyObject *x = number_as_object(r[FIRST_VECTOR + l->n_vectors + k]);
        if (x == NULL)
            Py_CLEAR(carried);
        else
            PyTuple_SET_ITEM(carried, k, x);
    }
    return carried ? Py_BuildValue("nN", done, carried) : NULL;
}

static PyObject *loop_call(PyObject *self, PyObject *args, PyObject *Py_UNUSED(keywords)) {
    Loop *l = (Loop *)self;
    PyObject *params, *vectors, *carried, *invariants;
    Py_ssize_t first, keep;
    if (!PyArg_ParseTuple(args, "OO!OOnn", &params, &PyTuple_Type, &vectors, &carried, &invariants,
                          &first, &keep))
        return NULL;
    Number r[MAX_REGISTERS];
    Vector v[MAX_VECTORS];
    program_begin(&l->program, r);
    int from = FIRST_VECTOR + l->n_vectors;
    if (!(PyList_CheckExact(params) || PyTuple_CheckExact(params)) || first < 0 ||
        PyTuple_GET_SIZE(vectors) != l->n_vectors ||
        !read_registers(carried, l->n_carried, r + from) ||
        !read_registers(invariants, l->n_invariants, r + from + l->n_carried))
        return Py_BuildValue("nO", first, carried);
    int opened = open_vectors(PySequence_Fast_ITEMS(vectors), l->n_vectors, v);
    Py_ssize_t done = opened == l->n_vectors ? turns(l, params, v, first, keep, r) : first;
    close_vectors(v, opened);
    return result(l, done, r);
}

static void loop_dealloc(PyObject *self) {
    Py_XDECREF(((Loop *)self)->code);
    Py_XDECREF(((Loop *)self)->constants);
    PyObject_Free(self);
}

static PyTypeObject Loop_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "isograd.loop",
    .tp_basicsize = sizeof(Loop),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_call = loop_call,
    .tp_dealloc = loop_dealloc,
};

static int read_stores(Loop *l, PyObject *stores) {
    Py_ssize_t n = 2 + l->n_vectors + l->n_carried;
    int sound = PyTuple_Check(stores) && PyTuple_GET_SIZE(stores) == n && n <= MAX_REGISTERS;
    for (Py_ssize_t i = 0; sound && i < n; i++) {
        l->store[i] = (int)PyLong_AsLong(PyTuple_GET_ITEM(stores, i));
        sound = l->store[i] >= (i < n - l->n_carried ? -1 : 0) && l->store[i] < MAX_REGISTERS;
    }
    if (!sound)
        PyErr_SetString(PyExc_ValueError, "a loop's stores do not fit");
    return sound ? 0 : -1;
}

PyObject *script_loop(PyObject *parts) {
    PyObject *code, *constants, *stores;
    int n_vectors, n_carried, n_invariants;
    if (!PyTuple_Check(parts)) {
        PyErr_SetString(PyExc_ValueError, "a loop is made of a tuple");
        return NULL;
    }
    if (!PyArg_ParseTuple(parts, "OO(iii)O", &code, &constants, &n_vectors, &n_carried,
                          &n_invariants, &stores) ||
        PyType_Ready(&Loop_Type) < 0)
        return NULL;
    if (n_vectors < 0 || n_vectors > MAX_VECTORS || n_carried < 0 || n_invariants < 0) {
        PyErr_SetString(PyExc_ValueError, "a loop has too many vectors");
        return NULL;
    }
    Loop *l = PyObject_New(Loop, &Loop_Type);
    if (l == NULL)
        return NULL;
    Py_INCREF(l->code = code);
    Py_INCREF(l->constants = constants);
    l->n_vectors = n_vectors;
    l->n_carried = n_carried;
    l->n_invariants = n_invariants;
    int n_inputs = FIRST_VECTOR + n_vectors + n_carried + n_invariants;
    if (program_read(&l->program, code, constants, n_inputs) < 0 || read_stores(l, stores) < 0)
        Py_CLEAR(l);
    return (PyObject *)l;
}
