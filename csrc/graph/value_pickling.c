/* Copying and pickling a Value. */
#include "value_pickling.h"

#include "edges.h"
#include "graph.h"
#include "unfold.h"

static PyObject *newobj, *slotnames; /* of the module copyreg */
static PyObject *name_dict;

enum { N_OWN_SLOTS = 4 };
static const char *const own_slots[N_OWN_SLOTS] = {"data", "grad", "_children", "_local_grads"};
static PyObject *own_slot_names[N_OWN_SLOTS]; /* the same, as str */

/* `self.name`, or a new reference to None where there is no such attribute. */
static PyObject *attribute_or_none(PyObject *self, PyObject *name) {
    PyObject *attribute = PyObject_GetAttr(self, name);
    if (attribute == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    return attribute;
}

/* Puts what a subclass keeps in `__slots__` of its own into the dict `slots`. */
static int save_subclass_slots(PyObject *self, PyObject *slots) {
    PyObject *list = PyObject_CallOneArg(slotnames, (PyObject *)Py_TYPE(self));
    PyObject *names = list ? PySequence_Tuple(list) : NULL;
    Py_XDECREF(list);
    if (names == NULL)
        return -1;
    int status = 0;
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        PyObject *attribute = PyObject_GetAttr(self, name);
        if (attribute)
            status = PyDict_SetItem(slots, name, attribute);
        else if (PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Clear();
        else
            status = -1;
        Py_XDECREF(attribute);
    }
    Py_DECREF(names);
    return status;
}

/* The state that Python itself makes of an object with slots, which the reference reads as well. */
PyObject *value_reduce(PyObject *self, PyObject *Py_UNUSED(none)) {
    Node *n = (Node *)self;
    PyObject *slots = Py_BuildValue("{sNsNsNsN}", "data", number_as_object(node_data(n)), "grad",
                                    number_as_object(node_grad(n)), "_children", node_children(n),
                                    "_local_grads", node_local_grads(n));
    PyObject *attributes = slots ? attribute_or_none(self, name_dict) : NULL;
    if (attributes == NULL || (!Value_CheckExact(self) && save_subclass_slots(self, slots) < 0)) {
        Py_XDECREF(attributes);
        Py_XDECREF(slots);
        return NULL;
    }
    return Py_BuildValue("O(O)(NN)", newobj, Py_TYPE(self), attributes, slots);
}

static int is_own_slot(PyObject *name) {
    for (int i = 0; i < N_OWN_SLOTS; i++)
        if (PyUnicode_CompareWithASCIIString(name, own_slots[i]) == 0)
            return 1;
    return 0;
}

/* An exception that is set already has the better reason. */
static int bad_state(void) {
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "this is not the state of a Value");
    return -1;
}

static int restore_subclass(PyObject *self, PyObject *attributes, PyObject *slots) {
    if (attributes != Py_None) {
        PyObject *own = PyObject_GetAttr(self, name_dict);
        int status = own ? PyDict_Update(own, attributes) : -1;
        Py_XDECREF(own);
        if (status < 0)
            return -1;
    }
    PyObject *name, *attribute;
    for (Py_ssize_t i = 0; PyDict_Next(slots, &i, &name, &attribute);) {
        if (!PyUnicode_Check(name))
            return bad_state();
        if (!is_own_slot(name) && PyObject_SetAttr(self, name, attribute) < 0)
            return -1;
    }
    return 0;
}

/* `slots` is a copy of our own: reading numbers from it may run Python code. */
static int restore(PyObject *self, PyObject *attributes, PyObject *slots) {
    PyObject *own[N_OWN_SLOTS];
    Number grad;
    for (int i = 0; i < N_OWN_SLOTS; i++)
        if ((own[i] = PyDict_GetItemWithError(slots, own_slot_names[i])) == NULL)
            return bad_state();
    if (number_required(own[1], &grad) < 0 ||
        node_initialise((Node *)self, own[0], own[2], own[3]) < 0 ||
        restore_subclass(self, attributes, slots) < 0)
        return -1;
    return node_set_grad((Node *)self, grad);
}

PyObject *value_setstate(PyObject *self, PyObject *state) {
    int status = -1;
    if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) != 2 ||
        !PyDict_Check(PyTuple_GET_ITEM(state, 1)))
        bad_state();
    else {
        PyObject *slots = PyDict_Copy(PyTuple_GET_ITEM(state, 1));
        status = slots ? restore(self, PyTuple_GET_ITEM(state, 0), slots) : -1;
        Py_XDECREF(slots);
    }
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

int value_pickling_init(void) {
    PyObject *copyreg = PyImport_ImportModule("copyreg");
    if (copyreg == NULL)
        return -1;
    Py_XSETREF(newobj, PyObject_GetAttrString(copyreg, "__newobj__"));
    Py_XSETREF(slotnames, PyObject_GetAttrString(copyreg, "_slotnames"));
    Py_XSETREF(name_dict, PyUnicode_InternFromString("__dict__"));
    Py_DECREF(copyreg);
    for (int i = 0; i < N_OWN_SLOTS; i++) {
        Py_XSETREF(own_slot_names[i], PyUnicode_InternFromString(own_slots[i]));
        if (own_slot_names[i] == NULL)
            return -1;
    }
    return newobj && slotnames && name_dict ? 0 : -1;
}
