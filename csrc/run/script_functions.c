/* Functions and expressions of a script, computed by ours where the arguments are such that nothing
 * can differ; see script_functions.h. Whatever ours refuses is left to the script's own code.
 */
#include "script_functions.h"

#include <stddef.h>
#include <string.h>

#include "graph/dot.h"
#include "graph/graph.h"
#include "graph/vector.h"
#include "graph/vector_linear.h"
#include "numerics/compiler.h"
#include "script_kernel.h"
#include "script_loop.h"
#include "script_stop.h"
#include "script_traits.h"

/* ---- functions ---- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *original;
    PyObject *(*compiled)(PyObject *const *args); /* NULL or NotImplemented where it cannot */
    Py_ssize_t n_args;
} Function;

/* What ours made, a node or a list of them, as the script's class would have it. */
static PyObject *touched_up(PyObject *made) {
    if (script_is_special && made && Value_CheckExact(made))
        script_touch_up((Node *)made);
    else if (script_is_special && made && PyList_CheckExact(made))
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(made); i++)
            script_touch_up((Node *)PyList_GET_ITEM(made, i));
    return made;
}

/* Neither reading it nor reading it again changes anything. */
static inline int is_vector(PyObject *o) { return PyList_CheckExact(o) || PyTuple_CheckExact(o); }

static int is_matrix(PyObject *o) {
    if (!is_vector(o))
        return 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); i++)
        if (!is_vector(PySequence_Fast_GET_ITEM(o, i)))
            return 0;
    return 1;
}

static PyObject *linear(PyObject *x, PyObject *w) {
    return is_vector(x) && is_matrix(w) ? vector_linear(x, w) : NULL;
}

static PyObject *call_linear(PyObject *const *args) { return linear(args[0], args[1]); }
static PyObject *call_linear_swapped(PyObject *const *args) { return linear(args[1], args[0]); }
static PyObject *call_softmax(PyObject *const *args) {
    return is_vector(args[0]) ? vector_softmax(args[0]) : NULL;
}
static PyObject *call_rmsnorm(PyObject *const *args) {
    return is_vector(args[0]) ? vector_rmsnorm(args[0]) : NULL;
}

static PyObject *function_call(PyObject *self, PyObject *const *args, size_t nargsf,
                               PyObject *keywords) {
    Function *f = (Function *)self;
    if (keywords == NULL && PyVectorcall_NARGS(nargsf) == f->n_args) {
        PyObject *result = f->compiled(args);
        if (LIKELY(result && result != Py_NotImplemented)) {
            script_keep_ints();
            return touched_up(result);
        }
        Py_XDECREF(result);
        number_lost_int = 0.0;
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
            return NULL;
        PyErr_Clear();
    }
    return PyObject_Vectorcall(f->original, args, nargsf, keywords);
}

static PyObject *function_attribute(PyObject *self, PyObject *name) {
    return PyObject_GetAttr(((Function *)self)->original, name);
}

/* As a method of the object that it is asked of, where a script's class has it among its own. */
static PyObject *function_bind(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type)) {
    if (object)
        return PyMethod_New(self, object);
    Py_INCREF(self);
    return self;
}

static PyObject *function_repr(PyObject *self) {
    return PyObject_Repr(((Function *)self)->original);
}

static int function_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(((Function *)self)->original);
    return 0;
}

static void function_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    Py_DECREF(((Function *)self)->original);
    PyObject_GC_Del(self);
}

static PyTypeObject Function_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "function",
    .tp_basicsize = sizeof(Function),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = function_traverse,
    .tp_vectorcall_offset = offsetof(Function, call),
    .tp_call = PyVectorcall_Call,
    .tp_getattro = function_attribute,
    .tp_descr_get = function_bind,
    .tp_repr = function_repr,
    .tp_dealloc = function_dealloc,
};

PyObject *script_function(PyObject *original, const char *kind) {
    if (strcmp(kind, "kernel") == 0)
        return script_kernel(original);
    if (strcmp(kind, "loop") == 0)
        return script_loop(original);
    static const struct {
        const char *kind;
        PyObject *(*compiled)(PyObject *const *);
        Py_ssize_t n_args;
    } kinds[] = {
        {"linear", call_linear, 2},
        {"linear_swapped", call_linear_swapped, 2},
        {"softmax", call_softmax, 1},
        {"rmsnorm", call_rmsnorm, 1},
    };
    size_t i = 0;
    while (i < sizeof kinds / sizeof *kinds && strcmp(kinds[i].kind, kind) != 0)
        i++;
    if (i == sizeof kinds / sizeof *kinds) {
        PyErr_Format(PyExc_ValueError, "no compiled function is called %s", kind);
        return NULL;
    }
    if (PyType_Ready(&Function_Type) < 0)
        return NULL;
    Function *f = PyObject_GC_New(Function, &Function_Type);
    if (f == NULL)
        return NULL;
    Py_INCREF(original);
    f->original = original;
    f->call = function_call;
    f->compiled = kinds[i].compiled;
    f->n_args = kinds[i].n_args;
    PyObject_GC_Track((PyObject *)f);
    return (PyObject *)f;
}

/* ---- expressions ---- */

static PyObject *result_or_none(PyObject *result) {
    if (result && result != Py_NotImplemented) {
        script_keep_ints();
        return touched_up(result);
    }
    Py_XDECREF(result);
    number_lost_int = 0.0;
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyErr_Clear();
    Py_RETURN_NONE;
}

PyObject *script_add(PyObject *a, PyObject *b) {
    return result_or_none(is_vector(a) && is_vector(b) ? vector_add(a, b) : NULL);
}

PyObject *script_relu(PyObject *a) { return result_or_none(is_vector(a) ? vector_relu(a) : NULL); }

/* -1 unless `o` is an int from 0 to `limit`. */
static Py_ssize_t index_up_to(PyObject *o, Py_ssize_t limit) {
    if (!PyLong_CheckExact(o))
        return -1;
    Py_ssize_t i = PyLong_AsSsize_t(o);
    if (i == -1)
        PyErr_Clear();
    return i <= limit ? i : -1;
}

/* Fills `at` with borrowed references; 0 if there is no such column. */
static int read_column(PyObject *rows, PyObject *column, Py_ssize_t n, Node **at) {
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *row = PySequence_Fast_GET_ITEM(rows, i);
        if (!is_vector(row))
            return 0;
        Py_ssize_t j = index_up_to(column, PySequence_Fast_GET_SIZE(row) - 1);
        if (j < 0)
            return 0;
        at[i] = (Node *)PySequence_Fast_GET_ITEM(row, j);
    }
    return 1;
}

enum { MAX_COLUMN = 256 };

/* Sums of ints are left to the script's own class, which knows no limit of 2**53. */
static int are_all_ints(Node *const *at, Py_ssize_t n) {
    while (n > 0 && Value_CheckExact((PyObject *)at[n - 1]) && at[n - 1]->second & DATA_INT)
        n--;
    return n == 0;
}

static PyObject *dot_or_none(Node *const *a, Node *const *b, Py_ssize_t n) {
    if (n > DOT_MAX_TERMS || (are_all_ints(a, n) && are_all_ints(b, n)))
        Py_RETURN_NONE;
    return result_or_none(vector_dot(a, b, n));
}

PyObject *script_dot(PyObject *a, PyObject *b, PyObject *n, PyObject *column) {
    if (!is_vector(a) || !is_vector(b))
        Py_RETURN_NONE;
    Py_ssize_t shorter = PySequence_Fast_GET_SIZE(a);
    if (PySequence_Fast_GET_SIZE(b) < shorter)
        shorter = PySequence_Fast_GET_SIZE(b);
    Py_ssize_t length = n == Py_None ? shorter : index_up_to(n, shorter);
    if (length < 1)
        Py_RETURN_NONE;
    Node *const *left = (Node *const *)PySequence_Fast_ITEMS(a);
    if (column == Py_None)
        return dot_or_none(left, (Node *const *)PySequence_Fast_ITEMS(b), length);
    Node *right[MAX_COLUMN];
    if (length > MAX_COLUMN || !read_column(b, column, length, right))
        Py_RETURN_NONE;
    return dot_or_none(left, right, length);
}
