/* Reading and assigning a Value's attributes. */
#include "value_attributes.h"

#include "graph.h"
#include "numerics/compiler.h"
#include "unfold.h"

static PyObject *int_zero, *name_data, *name_grad;

static PyObject *get_data(PyObject *self, void *Py_UNUSED(closure)) {
    return number_as_object(node_data((Node *)self));
}

static PyObject *get_grad(PyObject *self, void *Py_UNUSED(closure)) {
    return number_as_object(node_grad((Node *)self));
}

static int attribute_number(PyObject *value, const char *name, Number *out) {
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "a Value's %s cannot be deleted", name);
        return -1;
    }
    return number_required(value, out);
}

static int assign_data(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Number number;
    if (attribute_number(value, "data", &number) < 0)
        return -1;
    node_set_data((Node *)self, number);
    return 0;
}

static int assign_grad(PyObject *self, PyObject *value, void *Py_UNUSED(closure)) {
    Number number;
    if (attribute_number(value, "grad", &number) < 0)
        return -1;
    return node_set_grad((Node *)self, number);
}

static PyObject *get_children(PyObject *self, void *Py_UNUSED(closure)) {
    return node_children((Node *)self);
}
static PyObject *get_local_grads(PyObject *self, void *Py_UNUSED(closure)) {
    return node_local_grads((Node *)self);
}

PyGetSetDef value_attributes[] = {
    {"data", get_data, assign_data, "The number.", NULL},
    {"grad", get_grad, assign_grad, "The derivative of the last root with respect to it.", NULL},
    {"_children", get_children, NULL, "The Values it was computed from, a tuple.", NULL},
    {"_local_grads", get_local_grads, NULL, "Its derivatives with respect to them, a tuple.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* `data` and `grad` are most of what an optimiser written in Python does, and finding their
 * descriptors in the type costs more than the rest of the access. `p.grad = 0` is half of all
 * assignments; Python's small ints are single objects. */
PyObject *value_getattro(PyObject *self, PyObject *name) {
    if (LIKELY(Value_CheckExact(self))) {
        if (name == name_data)
            return get_data(self, NULL);
        if (name == name_grad)
            return get_grad(self, NULL);
    }
    return PyObject_GenericGetAttr(self, name);
}

int value_setattro(PyObject *self, PyObject *name, PyObject *value) {
    if (LIKELY(Value_CheckExact(self))) {
        if (name == name_data)
            return assign_data(self, value, NULL);
        if (name == name_grad) {
            if (value == int_zero)
                return node_set_grad((Node *)self, an_int(0));
            return assign_grad(self, value, NULL);
        }
    }
    return PyObject_GenericSetAttr(self, name, value);
}

int value_attributes_init(void) {
    Py_XSETREF(int_zero, PyLong_FromLong(0));
    Py_XSETREF(name_data, PyUnicode_InternFromString("data"));
    Py_XSETREF(name_grad, PyUnicode_InternFromString("grad"));
    return int_zero && name_data && name_grad ? 0 : -1;
}
