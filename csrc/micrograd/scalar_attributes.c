/* Reading and assigning attributes; see the header. */
#include "scalar_attributes.h"

#include "network.h"
#include "operations.h"

static PyObject *name_data, *name_grad, *own_names; /* own_names: a set of those with a setter */

/* ---- data and grad ---- */

static PyObject *get_data(PyObject *self, void *Py_UNUSED(closure)) {
    return number_as_object(scalar_data((Scalar *)self));
}

static PyObject *get_grad(PyObject *self, void *Py_UNUSED(closure)) {
    return number_as_object(scalar_grad((Scalar *)self));
}

static int cannot_delete(const char *name) {
    PyErr_Format(PyExc_AttributeError, "a Value's %s cannot be deleted", name);
    return -1;
}

static int set_data(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Number number;
    if (value == NULL)
        return cannot_delete("data");
    if (number_required(value, &number) < 0)
        return -1;
    scalar_put_data((Scalar *)self, number);
    return 0;
}

static int set_grad(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Number number;
    if (value == NULL)
        return cannot_delete("grad");
    if (number_required(value, &number) < 0 || call_before_new_grad((Scalar *)self) < 0)
        return -1;
    scalar_put_grad((Scalar *)self, number);
    return 0;
}

/* ---- _prev ---- */

PyObject *scalar_distinct(PyObject *children) {
    PyObject *all = PySequence_Tuple(children);
    PyObject *seen = all ? PyDict_New() : NULL;
    int status = seen ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(all); i++) {
        PyObject *child = PyTuple_GET_ITEM(all, i);
        if (!Scalar_Check(child)) {
            PyErr_Format(PyExc_TypeError, "a child of a Value must be a Value, not '%.200s'",
                         Py_TYPE(child)->tp_name);
            status = -1;
        } else
            status = PyDict_SetItem(seen, child, Py_None);
    }
    PyObject *keys = status == 0 ? PyDict_Keys(seen) : NULL;
    PyObject *distinct = keys ? PyList_AsTuple(keys) : NULL;
    Py_XDECREF(keys);
    Py_XDECREF(seen);
    Py_XDECREF(all);
    return distinct;
}

static PyObject *get_prev(PyObject *self, void *Py_UNUSED(closure)) {
    Scalar *n = (Scalar *)self;
    if (n->extra && n->extra->prev) {
        Py_INCREF(n->extra->prev);
        return n->extra->prev;
    }
    if (call_unfold(n) < 0)
        return NULL;
    enum Kind kind = scalar_kind(n);
    if (kind == LEAF)
        return PyTuple_New(0);
    if (scalar_has_two(kind) && n->a != n->b)
        return PyTuple_Pack(2, (PyObject *)n->a, (PyObject *)n->b);
    return PyTuple_Pack(1, (PyObject *)n->a);
}

static int set_prev(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Scalar *n = (Scalar *)self;
    if (value == NULL)
        return cannot_delete("_prev");
    PyObject *distinct = scalar_distinct(value);
    Extra *extra = distinct && call_unfold(n) == 0 ? scalar_extra(n) : NULL;
    if (extra == NULL) {
        Py_XDECREF(distinct);
        return -1;
    }
    scalar_version++;
    Py_XSETREF(extra->prev, distinct);
    return 0;
}

/* ---- _op and label ---- */

static PyObject *or_empty(PyObject *text) {
    if (text == NULL)
        return PyUnicode_InternFromString("");
    Py_INCREF(text);
    return text;
}

PyObject *scalar_op(Scalar *n) {
    if (n->extra && n->extra->op)
        return or_empty(n->extra->op);
    if (scalar_kind(n) == FUSED)
        return PyUnicode_InternFromString(call_output_is_relu(n) ? "ReLU" : "+");
    return operation_name(n);
}

PyObject *scalar_label(Scalar *n) { return or_empty(n->extra ? n->extra->label : NULL); }

static PyObject *get_op(PyObject *self, void *Py_UNUSED(closure)) {
    return scalar_op((Scalar *)self);
}

static PyObject *get_label(PyObject *self, void *Py_UNUSED(closure)) {
    return scalar_label((Scalar *)self);
}

static int set_op(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Extra *extra = value ? scalar_extra((Scalar *)self) : NULL;
    if (extra == NULL)
        return value ? -1 : cannot_delete("_op");
    Py_INCREF(value);
    Py_XSETREF(extra->op, value);
    return 0;
}

static int set_label(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Extra *extra = value ? scalar_extra((Scalar *)self) : NULL;
    if (extra == NULL)
        return value ? -1 : cannot_delete("label");
    Py_INCREF(value);
    Py_XSETREF(extra->label, value);
    return 0;
}

/* ---- _backward ---- */

static PyObject *own_backward(PyObject *self, PyObject *Py_UNUSED(none)) {
    Scalar *n = (Scalar *)self;
    if (call_unfold(n) < 0)
        return NULL;
    enum Kind kind = scalar_kind(n);
    if ((kind != LEAF && call_before_new_grad(n->a) < 0) ||
        (scalar_has_two(kind) && call_before_new_grad(n->b) < 0) || operation_hand_on(n) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef own_backward_def = {
    "_backward", own_backward, METH_NOARGS,
    PyDoc_STR("_backward()\n--\n\nAdd to the gradients of the Values it was computed from.")};

static PyObject *get_backward(PyObject *self, void *Py_UNUSED(closure)) {
    Extra *extra = ((Scalar *)self)->extra;
    if (extra && extra->backward)
        return or_empty(extra->backward);
    return PyCFunction_New(&own_backward_def, self);
}

static int set_backward(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Scalar *n = (Scalar *)self;
    if (value == NULL)
        return cannot_delete("_backward");
    Extra *extra = call_unfold(n) == 0 ? scalar_extra(n) : NULL;
    if (extra == NULL)
        return -1;
    scalar_version++;
    Py_INCREF(value);
    Py_XSETREF(extra->backward, value);
    return 0;
}

/* ---- any other ----
 *
 * An instance of a subclass has a dictionary of Python's making, a plain Value only once it is
 * used. */

PyObject *scalar_dict(Scalar *n) {
    Extra *extra = scalar_extra(n);
    if (extra && extra->dict == NULL)
        extra->dict = PyDict_New();
    if (extra == NULL || extra->dict == NULL)
        return NULL;
    Py_INCREF(extra->dict);
    return extra->dict;
}

static PyObject *get_dict(PyObject *self, void *Py_UNUSED(closure)) {
    return scalar_dict((Scalar *)self);
}

PyGetSetDef scalar_attributes[] = {
    {"data", get_data, set_data, "The number.", NULL},
    {"grad", get_grad, set_grad, "The derivative of the last root with respect to it.", NULL},
    {"_prev", get_prev, set_prev, "The Values it was computed from, each once: a tuple.", NULL},
    {"_op", get_op, set_op, "How it was computed.", NULL},
    {"label", get_label, set_label, "A name of yours.", NULL},
    {"_backward", get_backward, set_backward, "Adds to the gradients of `_prev`.", NULL},
    {"__dict__", get_dict, NULL, "Attributes of your own.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyObject *scalar_getattro(PyObject *self, PyObject *name) {
    if (LIKELY(Scalar_CheckExact(self))) {
        if (name == name_data)
            return get_data(self, NULL);
        if (name == name_grad)
            return get_grad(self, NULL);
        Extra *extra = ((Scalar *)self)->extra;
        if (UNLIKELY(extra && extra->dict)) {
            PyObject *own = PyDict_GetItemWithError(extra->dict, name);
            Py_XINCREF(own);
            if (own || PyErr_Occurred())
                return own;
        }
    }
    return PyObject_GenericGetAttr(self, name);
}

int scalar_setattro(PyObject *self, PyObject *name, PyObject *value) {
    if (!Scalar_CheckExact(self))
        return PyObject_GenericSetAttr(self, name, value);
    if (name == name_data)
        return set_data(self, value, NULL);
    if (name == name_grad)
        return set_grad(self, value, NULL);
    int is_own = PySet_Contains(own_names, name);
    if (is_own != 0)
        return is_own < 0 ? -1 : PyObject_GenericSetAttr(self, name, value);
    PyObject *dict = scalar_dict((Scalar *)self);
    if (dict == NULL)
        return -1;
    int status = value ? PyDict_SetItem(dict, name, value) : PyDict_DelItem(dict, name);
    if (status < 0 && !value && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_SetObject(PyExc_AttributeError, name);
    Py_DECREF(dict);
    return status;
}

int scalar_attributes_init(void) {
    Py_XSETREF(name_data, PyUnicode_InternFromString("data"));
    Py_XSETREF(name_grad, PyUnicode_InternFromString("grad"));
    Py_XSETREF(own_names, PySet_New(NULL));
    if (name_data == NULL || name_grad == NULL || own_names == NULL)
        return -1;
    for (const PyGetSetDef *def = scalar_attributes; def->name; def++) {
        PyObject *name = PyUnicode_InternFromString(def->name);
        int status = name ? PySet_Add(own_names, name) : -1;
        Py_XDECREF(name);
        if (status < 0)
            return -1;
    }
    PyObject *name = PyUnicode_InternFromString("__class__");
    int status = name ? PySet_Add(own_names, name) : -1;
    Py_XDECREF(name);
    return status;
}
