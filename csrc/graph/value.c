/* Value's life and methods, and the type that brings its parts together. */
#include "value.h"

#include "arena.h"
#include "backward.h"
#include "dispatch.h"
#include "edges.h"
#include "graph.h"
#include "operation.h"
#include "operators.h"
#include "recording.h"
#include "release.h"
#include "value_arithmetic.h"
#include "value_attributes.h"
#include "value_pickling.h"

/* ---- creation and end ---- */

static PyObject *value_new(PyTypeObject *type, PyObject *Py_UNUSED(args),
                           PyObject *Py_UNUSED(kwargs)) {
    if (type == &Value_Type)
        return value_leaf(an_int(0));
    Node *n = (Node *)PyType_GenericAlloc(type, 0);
    if (n) {
        assert(is_taggable(n));
        n->first = LEAF | MARK;
        n->second = DATA_INT | GRAD_INT;
        graph.n_subclass++;
    }
    return (PyObject *)n;
}

static int value_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"data", "children", "local_grads", NULL};
    PyObject *data, *children = NULL, *local_grads = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:Value", names, &data, &children,
                                     &local_grads))
        return -1;
    return node_initialise((Node *)self, data, children, local_grads);
}

/* Value(...) itself; subclasses come through value_new and their `__init__`. */
static PyObject *value_vectorcall(PyObject *Py_UNUSED(type), PyObject *const *args, size_t nargsf,
                                  PyObject *kwnames) {
    Py_ssize_t n_args = PyVectorcall_NARGS(nargsf);
    if (kwnames || n_args < 1 || n_args > 3)
        return new_by_tuple(&Value_Type, args, n_args, kwnames);
    Node *n = (Node *)value_leaf(an_int(0));
    if (n &&
        node_initialise(n, args[0], n_args > 1 ? args[1] : NULL, n_args > 2 ? args[2] : NULL) < 0)
        Py_CLEAR(n);
    return (PyObject *)n;
}

static void value_dealloc(PyObject *self) {
    int exact = Value_CheckExact(self);
    release_node((Node *)self);
    if (!exact) {
        graph.n_subclass--;
        Py_TYPE(self)->tp_free(self);
    }
}

Py_ssize_t value_live_count(void) { return arena_live_slots() + graph.n_subclass; }

/* ---- methods ---- */

#define METHOD(name, doc)                                                                          \
    static PyObject *method_##name(PyObject *self, PyObject *Py_UNUSED(none)) {                    \
        return value_##name((Node *)self);                                                         \
    }
UNARY_METHODS(METHOD)
#undef METHOD

static PyObject *method_backward(PyObject *self, PyObject *Py_UNUSED(none)) {
    if (node_backward((Node *)self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *value_operation(PyObject *o) {
    if (!Value_Check(o))
        Py_RETURN_NOTIMPLEMENTED;
    return operation_of((Node *)o);
}

static PyObject *method_repr_html(PyObject *self, PyObject *Py_UNUSED(none)) {
    PyObject *drawing = PyImport_ImportModule("isograd.drawing");
    PyObject *html = drawing ? PyObject_CallMethod(drawing, "value_html", "O", self) : NULL;
    Py_XDECREF(drawing);
    return html;
}

static PyObject *value_repr(PyObject *self) {
    PyObject *data = number_as_object(node_data((Node *)self));
    PyObject *grad = number_as_object(node_grad((Node *)self));
    PyObject *text = NULL;
    if (data && grad)
        text = PyUnicode_FromFormat("%s(data=%R, grad=%R)", class_name(Py_TYPE(self)), data, grad);
    Py_XDECREF(data);
    Py_XDECREF(grad);
    return text;
}

PyDoc_STRVAR(
    backward_doc,
    "backward($self, /)\n--\n\n"
    "Add the derivative of this Value with respect to every Value below it to their `grad`.\n\n"
    "Sets `self.grad` to 1 and clears nothing: a second call accumulates on top of the first,\n"
    "through the intermediate Values too. Reset `grad` yourself between calls.\n\n"
    "Works at any depth. Ctrl-C, or any signal handler that raises, ends it early with the\n"
    "gradients undefined. Raises MemoryError before touching any gradient, and RuntimeError\n"
    "if called from a signal handler that interrupts another backward(). Of several\n"
    "threads one runs at a time, the others wait.");

#define METHOD_DEF(name, doc)                                                                      \
    {#name, method_##name, METH_NOARGS, PyDoc_STR(#name "($self, /)\n--\n\n" doc)},

static PyMethodDef value_methods[] = {
    UNARY_METHODS(METHOD_DEF) /* and */
    {"backward", method_backward, METH_NOARGS, backward_doc},
    {"__reduce__", value_reduce, METH_NOARGS, NULL},
    {"__setstate__", value_setstate, METH_O, NULL},
    {"_repr_html_", method_repr_html, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
#undef METHOD_DEF

PyObject *value_unary_methods(void) {
#define NAME(name, doc) #name,
    static const char *const names[] = {UNARY_METHODS(NAME)};
#undef NAME
    Py_ssize_t n = sizeof names / sizeof *names;
    PyObject *tuple = PyTuple_New(n);
    for (Py_ssize_t i = 0; tuple && i < n; i++) {
        PyObject *name = PyUnicode_InternFromString(names[i]);
        if (name == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, name);
    }
    return tuple;
}

/* ---- the type ---- */

PyDoc_STRVAR(
    value_doc,
    "Value(data, children=(), local_grads=())\n--\n\n"
    "A number that remembers how it was computed.\n\n"
    "`data` is the number, `grad` the derivative of the last `backward()` root with respect to\n"
    "it. `children` are the Values it was computed from and `local_grads` its derivatives with\n"
    "respect to each of them, so `Value(f(a.data), (a,), (df(a.data),))` adds an operation of\n"
    "your own.\n\n"
    "Operands are Values and real numbers: int, float, and whatever has `__index__` or\n"
    "`__float__`. Raises what Python's floats raise: ZeroDivisionError, OverflowError,\n"
    "ValueError.\n\n"
    "Separate graphs may be built in separate threads. Threads that share parameters may\n"
    "build graphs on them at once, but each backward() adds into the same `grad`, in the order\n"
    "in which the calls happen to come.");

static void fill_in(PyTypeObject *type) {
    type->tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
    type->tp_doc = value_doc;
    type->tp_new = value_new;
    type->tp_init = value_init;
    type->tp_vectorcall = value_vectorcall;
    type->tp_dealloc = value_dealloc;
    type->tp_repr = value_repr;
    type->tp_getattro = value_getattro;
    type->tp_setattro = value_setattro;
    type->tp_as_number = &value_as_number;
    type->tp_methods = value_methods;
    type->tp_getset = value_attributes;
}

PyObject *value_type_ready(void) {
    if (number_init() < 0 || recording_init() < 0 || backward_init() < 0 ||
        value_attributes_init() < 0 || value_pickling_init() < 0)
        return NULL;
    /* Once, as `isograd run` may have changed it since. */
    if (!PyType_HasFeature(&Value_Type, Py_TPFLAGS_READY))
        fill_in(&Value_Type);
    if (PyType_Ready(&Value_Type) < 0)
        return NULL;
    Py_INCREF((PyObject *)&Value_Type);
    return (PyObject *)&Value_Type;
}
