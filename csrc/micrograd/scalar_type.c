/* Life and methods of micrograd's Value, and the type that brings its parts together. */
#include "scalar_type.h"

#include "graph/dispatch.h"
#include "operations.h"
#include "scalar_arithmetic.h"
#include "scalar_attributes.h"
#include "sweep.h"

/* ---- creation ---- */

static int is_empty_text(PyObject *o) {
    return o == NULL || (PyUnicode_CheckExact(o) && PyUnicode_GET_LENGTH(o) == 0);
}

/* Gives the node what hangs on it, in place of what did. Takes over `prev`, which may be NULL. */
static int hang(Scalar *n, PyObject *prev, PyObject *op, PyObject *label) {
    PyObject *own_op = is_empty_text(op) ? NULL : op;
    PyObject *own_label = is_empty_text(label) ? NULL : label;
    if (prev && PyTuple_GET_SIZE(prev) == 0)
        Py_CLEAR(prev);
    if (n->extra == NULL && !prev && !own_op && !own_label)
        return 0;
    Extra *extra = scalar_extra(n);
    if (extra == NULL) {
        Py_XDECREF(prev);
        return -1;
    }
    Py_XINCREF(own_op);
    Py_XINCREF(own_label);
    Py_XSETREF(extra->prev, prev);
    Py_XSETREF(extra->op, own_op);
    Py_XSETREF(extra->label, own_label);
    Py_CLEAR(extra->backward);
    return 0;
}

static int scalar_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"data", "_children", "_op", "label", NULL};
    PyObject *data, *children = NULL, *op = NULL, *label = NULL, *prev = NULL;
    Scalar *n = (Scalar *)self;
    Number number;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOO:Value", names, &data, &children, &op,
                                     &label) ||
        number_required(data, &number) < 0 || (children && !(prev = scalar_distinct(children))))
        return -1;
    if (hang(n, prev, op, label) < 0)
        return -1;
    scalar_drop_operands(n);
    scalar_put_data(n, number);
    scalar_put_grad(n, an_int(0));
    return 0;
}

/* Value(...) itself; subclasses come through tp_new and their `__init__`. */
static PyObject *scalar_vectorcall(PyObject *Py_UNUSED(type), PyObject *const *args, size_t nargsf,
                                   PyObject *kwnames) {
    Py_ssize_t n_args = PyVectorcall_NARGS(nargsf);
    Number number;
    if (kwnames || n_args != 1)
        return new_by_tuple(&Scalar_Type, args, n_args, kwnames);
    if (number_required(args[0], &number) < 0)
        return NULL;
    return (PyObject *)scalar_new(LEAF, number, NULL, NULL);
}

/* ---- methods ---- */

#define METHOD(name)                                                                               \
    static PyObject *method_##name(PyObject *self, PyObject *Py_UNUSED(none)) {                    \
        return (PyObject *)operation_##name((Scalar *)self);                                       \
    }
METHOD(relu)
METHOD(tanh)
METHOD(exp)
METHOD(log)
METHOD(sigmoid)
#undef METHOD

static PyObject *method_backward(PyObject *self, PyObject *Py_UNUSED(none)) {
    if (sweep_backward((Scalar *)self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *method_reduce(PyObject *self, PyObject *Py_UNUSED(none)) {
    Scalar *n = (Scalar *)self;
    if (!scalar_is_plain(n)) {
        PyErr_SetString(PyExc_TypeError,
                        "only a Value that was not computed from others can be copied");
        return NULL;
    }
    PyObject *data = number_as_object(scalar_data(n)), *grad = number_as_object(scalar_grad(n));
    PyObject *op = scalar_op(n), *label = scalar_label(n), *state = PyDict_New();
    PyObject *own = Scalar_CheckExact(self) && !(n->extra && n->extra->dict)
                        ? PyDict_New()
                        : PyObject_GetAttrString(self, "__dict__");
    PyObject *result = NULL;
    if (data && grad && op && label && state && own &&
        PyDict_SetItemString(state, "grad", grad) == 0 && PyDict_Update(state, own) == 0)
        result = Py_BuildValue("O(O()OO)(OO)", Py_TYPE(self), data, op, label, Py_None, state);
    Py_XDECREF(data);
    Py_XDECREF(grad);
    Py_XDECREF(op);
    Py_XDECREF(label);
    Py_XDECREF(state);
    Py_XDECREF(own);
    return result;
}

static PyObject *method_repr_html(PyObject *self, PyObject *Py_UNUSED(none)) {
    PyObject *drawing = PyImport_ImportModule("isograd.drawing");
    PyObject *html = drawing ? PyObject_CallMethod(drawing, "value_html", "O", self) : NULL;
    Py_XDECREF(drawing);
    return html;
}

static PyObject *scalar_repr(PyObject *self) {
    PyObject *data = number_as_object(scalar_data((Scalar *)self));
    PyObject *grad = number_as_object(scalar_grad((Scalar *)self));
    PyObject *text =
        data && grad ? PyUnicode_FromFormat("Value(data=%S, grad=%S)", data, grad) : NULL;
    Py_XDECREF(data);
    Py_XDECREF(grad);
    return text;
}

PyDoc_STRVAR(
    backward_doc,
    "backward($self, /)\n--\n\n"
    "Add the derivative of this Value with respect to every Value below it to their `grad`.\n\n"
    "Sets `self.grad` to 1 and clears nothing: a second call accumulates on top of the first.\n"
    "Works at any depth.");

#define METHOD_DEF(name, doc)                                                                      \
    {#name, method_##name, METH_NOARGS, PyDoc_STR(#name "($self, /)\n--\n\n" doc)}

static PyMethodDef scalar_methods[] = {
    METHOD_DEF(relu, "The int 0 where `data` is negative, else `data`."),
    METHOD_DEF(tanh, "Hyperbolic tangent."),
    METHOD_DEF(exp, "e to the power of `data`; OverflowError where that is no finite float."),
    METHOD_DEF(log, "Natural logarithm; ValueError unless `data > 0`."),
    METHOD_DEF(sigmoid, "1 / (1 + exp(-data)), for any size of `data`."),
    {"backward", method_backward, METH_NOARGS, backward_doc},
    {"__reduce__", method_reduce, METH_NOARGS, NULL},
    {"_repr_html_", method_repr_html, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
#undef METHOD_DEF

/* ---- the type ---- */

PyDoc_STRVAR(
    scalar_doc,
    "Value(data, _children=(), _op='', label='')\n--\n\n"
    "A number that knows what it was computed from, and how to hand its gradient on to that.\n\n"
    "`_prev` are the Values it was computed from, each once; `_op` says how; `label` is yours.\n"
    "`_backward()` adds to their gradients. Set it to give a Value an operation of your own:\n"
    "`y = Value(f(x.data), (x,), \"f\")`, then `y._backward = ...`.");

PyTypeObject Scalar_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "isograd.micrograd.engine.Value",
    .tp_basicsize = sizeof(Scalar),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = scalar_doc,
    .tp_new = scalar_tp_new,
    .tp_init = scalar_init,
    .tp_vectorcall = scalar_vectorcall,
    .tp_dealloc = scalar_dealloc,
    .tp_free = PyObject_GC_Del,
    .tp_traverse = scalar_traverse,
    .tp_clear = scalar_clear,
    .tp_repr = scalar_repr,
    .tp_getattro = scalar_getattro,
    .tp_setattro = scalar_setattro,
    .tp_as_number = &scalar_as_number,
    .tp_methods = scalar_methods,
    .tp_getset = scalar_attributes,
};

PyObject *scalar_type_ready(void) {
    if (PyType_Ready(&Scalar_Type) < 0)
        return NULL;
    Py_INCREF((PyObject *)&Scalar_Type);
    return (PyObject *)&Scalar_Type;
}
