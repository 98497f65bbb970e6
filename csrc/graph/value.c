/* The Python type `Value`: how Python's operators, attributes and protocols reach the graph.
 *
 * Two exact Values, or one and a number, take the short way into operators.c. As soon as a subclass is
 * involved, the derived operators are spelled out as the reference spells them (`a - b` is
 * `a + (-b)`), through Python's dispatch, so that an overridden method is called where the
 * reference would call it.
 */
#include "value.h"

#include <string.h>

#include "arena.h"
#include "dot.h"
#include "graph.h"
#include "operators.h"
#include "recording.h"

static PyObject *int_zero, *name_data, *name_grad, *name_dict, *copyreg_newobj, *copyreg_slotnames;

Py_ssize_t value_live_count(void) { return arena_live_slots() + arena.n_subclass; }

/* ---- creation and end ---- */

/* 0, or -1 with TypeError set. */
static int number_required(PyObject *o, Number *out) {
    int found = number_from(o, out);
    if (found == 0)
        PyErr_Format(PyExc_TypeError, "a Value holds a real number, not '%.200s'",
                     Py_TYPE(o)->tp_name);
    return found == 1 ? 0 : -1;
}

static void set_data(Node *n, Number data) {
    graph_data_version++;
    n->data = data.x;
    n->second = (n->second & ~DATA_INT) | (data.is_int ? DATA_INT : 0);
}

static PyObject *value_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    Number zero = {0.0, 1};
    if (type == &Value_Type)
        return value_leaf(zero);
    Node *n = (Node *)PyType_GenericAlloc(type, 0);
    if (n) {
        n->first = LEAF | MARK;
        n->second = DATA_INT | GRAD_INT;
        arena.n_subclass++;
    }
    return (PyObject *)n;
}

/* `children` and `local_grads` may be NULL. */
static int initialise(Node *n, PyObject *data, PyObject *children, PyObject *local_grads) {
    Number number;
    if (number_required(data, &number) < 0)
        return -1;
    if (recording_is_off())
        children = local_grads = NULL;
    if (children || local_grads || node_kind(n) != LEAF) {
        PyObject *none = PyTuple_New(0);
        if (none == NULL)
            return -1;
        int status =
            node_set_edges(n, children ? children : none, local_grads ? local_grads : none);
        Py_DECREF(none);
        if (status < 0)
            return -1;
    }
    set_data(n, number);
    return node_set_grad(n, (Number){0.0, 1});
}

static int value_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"data", "children", "local_grads", NULL};
    PyObject *data, *children = NULL, *local_grads = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:Value", names, &data, &children,
                                     &local_grads))
        return -1;
    return initialise((Node *)self, data, children, local_grads);
}

static PyObject *new_from_tuple(PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames) {
    PyObject *tuple = PyTuple_New(n_args), *dict = kwnames ? PyDict_New() : NULL;
    PyObject *self = NULL;
    if (tuple == NULL || (kwnames && dict == NULL))
        goto done;
    for (Py_ssize_t i = 0; i < n_args; i++) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(tuple, i, args[i]);
    }
    for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); i++)
        if (PyDict_SetItem(dict, PyTuple_GET_ITEM(kwnames, i), args[n_args + i]) < 0)
            goto done;
    self = value_new(&Value_Type, tuple, dict);
    if (self && value_init(self, tuple, dict) < 0)
        Py_CLEAR(self);
done:
    Py_XDECREF(tuple);
    Py_XDECREF(dict);
    return self;
}

/* Value(...) itself; subclasses come through value_new and their `__init__`. */
static PyObject *value_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf,
                                  PyObject *kwnames) {
    Py_ssize_t n_args = PyVectorcall_NARGS(nargsf);
    if (kwnames || n_args < 1 || n_args > 3)
        return new_from_tuple(args, n_args, kwnames);
    Node *n = (Node *)value_leaf((Number){0.0, 1});
    if (n && initialise(n, args[0], n_args > 1 ? args[1] : NULL, n_args > 2 ? args[2] : NULL) < 0)
        Py_CLEAR(n);
    return (PyObject *)n;
}

static void value_dealloc(PyObject *self) {
    int exact = Value_CheckExact(self);
    graph_release((Node *)self);
    if (!exact) {
        arena.n_subclass--;
        Py_TYPE(self)->tp_free(self);
    }
}

/* ---- operators ---- */

static inline int both_exact(PyObject *a, PyObject *b) {
    return Value_CheckExact(a) && Value_CheckExact(b);
}

/* The reference's base method `a.__add__(b)` or `a.__mul__(b)`. */
static inline PyObject *with_operand(PyObject *a, PyObject *b, PyObject *(*nodes)(Node *, Node *),
                                     PyObject *(*constant)(Node *, Number)) {
    if (Value_Check(b))
        return nodes((Node *)a, (Node *)b);
    Number c;
    int found = number_from(b, &c);
    if (found == 0)
        Py_RETURN_NOTIMPLEMENTED;
    return found < 0 ? NULL : constant((Node *)a, c);
}

static PyObject *slot_add(PyObject *a, PyObject *b) {
    if (LIKELY(both_exact(a, b)))
        return value_add((Node *)a, (Node *)b);
    if (Value_Check(a))
        return with_operand(a, b, value_add, value_add_const);
    if (Value_CheckExact(b))
        return with_operand(b, a, value_add, value_add_const);
    return PyNumber_Add(b, a);
}

static PyObject *slot_multiply(PyObject *a, PyObject *b) {
    if (LIKELY(both_exact(a, b)))
        return value_mul((Node *)a, (Node *)b);
    if (Value_Check(a))
        return with_operand(a, b, value_mul, value_mul_const);
    if (Value_CheckExact(b))
        return with_operand(b, a, value_mul, value_mul_const);
    return PyNumber_Multiply(b, a);
}

static const Number minus_one = {-1.0, 1};

static PyObject *slot_negative(PyObject *a) {
    if (Value_CheckExact(a))
        return value_mul_const((Node *)a, minus_one);
    PyObject *factor = number_as_object(minus_one);
    PyObject *product = factor ? PyNumber_Multiply(a, factor) : NULL;
    Py_XDECREF(factor);
    return product;
}

static PyObject *slot_power(PyObject *a, PyObject *exponent, PyObject *modulus) {
    Number b;
    if (!Value_Check(a) || Value_Check(exponent) || modulus != Py_None)
        Py_RETURN_NOTIMPLEMENTED;
    int found = number_from(exponent, &b);
    if (found == 0)
        Py_RETURN_NOTIMPLEMENTED;
    return found < 0 ? NULL : value_pow((Node *)a, b);
}

static PyObject *reciprocal(PyObject *a) {
    if (Value_CheckExact(a))
        return value_pow((Node *)a, minus_one);
    PyObject *exponent = number_as_object(minus_one);
    PyObject *power = exponent ? PyNumber_Power(a, exponent, Py_None) : NULL;
    Py_XDECREF(exponent);
    return power;
}

/* `combine(a, b)`, taking over the reference to b, which may be NULL with an exception set. */
static PyObject *combine_new(PyObject *a, PyObject *b, binaryfunc combine) {
    PyObject *result = b ? combine(a, b) : NULL;
    Py_XDECREF(b);
    return result;
}

/* 1 and `out` filled by `prepare` from the number `b`; 0 if it is none; -1 with an exception set. */
static int prepared_number(PyObject *b, int (*prepare)(Number, Number *), Number *out) {
    Number c;
    int found = number_from(b, &c);
    return found == 1 && prepare(c, out) < 0 ? -1 : found;
}

static int negated(Number c, Number *out) {
    *out = c.is_int ? as_int_result(-c.x) : (Number){-c.x, 0};
    return 0;
}

static int inverted(Number c, Number *out) { return number_pow(c, minus_one, out); }

static PyObject *slot_subtract(PyObject *a, PyObject *b) {
    if (!Value_Check(a) || Value_Check(b))
        return combine_new(a, PyNumber_Negative(b), PyNumber_Add);
    Number c;
    int found = prepared_number(b, negated, &c);
    if (found == 0)
        Py_RETURN_NOTIMPLEMENTED;
    if (found < 0 || Value_CheckExact(a))
        return found < 0 ? NULL : value_add_const((Node *)a, c);
    return combine_new(a, number_as_object(c), PyNumber_Add);
}

static PyObject *slot_divide(PyObject *a, PyObject *b) {
    if (!Value_Check(a) || Value_Check(b))
        return combine_new(a, reciprocal(b), PyNumber_Multiply);
    Number c;
    int found = prepared_number(b, inverted, &c);
    if (found == 0)
        Py_RETURN_NOTIMPLEMENTED;
    if (found < 0 || Value_CheckExact(a))
        return found < 0 ? NULL : value_mul_const((Node *)a, c);
    return combine_new(a, number_as_object(c), PyNumber_Multiply);
}

/* ---- methods ---- */

static PyObject *method_log(PyObject *self, PyObject *unused) { return value_log((Node *)self); }
static PyObject *method_exp(PyObject *self, PyObject *unused) { return value_exp((Node *)self); }
static PyObject *method_relu(PyObject *self, PyObject *unused) { return value_relu((Node *)self); }

static PyObject *method_backward(PyObject *self, PyObject *unused) {
    if (graph_backward((Node *)self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static const char *short_name(PyTypeObject *type) {
    const char *dot = strrchr(type->tp_name, '.');
    return dot ? dot + 1 : type->tp_name;
}

static PyObject *value_repr(PyObject *self) {
    PyObject *data = number_as_object(node_data((Node *)self));
    PyObject *grad = number_as_object(node_grad((Node *)self));
    PyObject *text = NULL;
    if (data && grad)
        text = PyUnicode_FromFormat("%s(data=%R, grad=%R)", short_name(Py_TYPE(self)), data, grad);
    Py_XDECREF(data);
    Py_XDECREF(grad);
    return text;
}

static const char *const own_slots[] = {"data", "grad", "_children", "_local_grads"};
enum { N_OWN_SLOTS = 4 };

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
    PyObject *list = PyObject_CallOneArg(copyreg_slotnames, (PyObject *)Py_TYPE(self));
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
static PyObject *method_reduce(PyObject *self, PyObject *unused) {
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
    return Py_BuildValue("O(O)(NN)", copyreg_newobj, Py_TYPE(self), attributes, slots);
}

static int is_own_slot(PyObject *name) {
    for (int i = 0; i < N_OWN_SLOTS; i++)
        if (PyUnicode_CompareWithASCIIString(name, own_slots[i]) == 0)
            return 1;
    return 0;
}

static int bad_state(void) {
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
        if ((own[i] = PyDict_GetItemString(slots, own_slots[i])) == NULL)
            return bad_state();
    if (number_required(own[1], &grad) < 0 ||
        initialise((Node *)self, own[0], own[2], own[3]) < 0 ||
        restore_subclass(self, attributes, slots) < 0)
        return -1;
    return node_set_grad((Node *)self, grad);
}

static PyObject *method_setstate(PyObject *self, PyObject *state) {
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

PyDoc_STRVAR(log_doc, "log($self, /)\n--\n\nNatural logarithm; ValueError unless `data > 0`.");
PyDoc_STRVAR(exp_doc, "exp($self, /)\n--\n\n"
                      "e to the power of `data`; OverflowError where that is no finite float.");
PyDoc_STRVAR(relu_doc, "relu($self, /)\n--\n\n`data` where it is positive, else the int 0.");
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

static PyMethodDef value_methods[] = {
    {"log", method_log, METH_NOARGS, log_doc},
    {"exp", method_exp, METH_NOARGS, exp_doc},
    {"relu", method_relu, METH_NOARGS, relu_doc},
    {"backward", method_backward, METH_NOARGS, backward_doc},
    {"__reduce__", method_reduce, METH_NOARGS, NULL},
    {"__setstate__", method_setstate, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- attributes ---- */

static PyObject *get_data(PyObject *self, void *unused) {
    return number_as_object(node_data((Node *)self));
}

static PyObject *get_grad(PyObject *self, void *unused) {
    return number_as_object(node_grad((Node *)self));
}

static int attribute_number(PyObject *value, const char *name, Number *out) {
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "a Value's %s cannot be deleted", name);
        return -1;
    }
    return number_required(value, out);
}

static int assign_data(PyObject *self, PyObject *value, void *unused) {
    Number number;
    if (attribute_number(value, "data", &number) < 0)
        return -1;
    set_data((Node *)self, number);
    return 0;
}

static int assign_grad(PyObject *self, PyObject *value, void *unused) {
    Number number;
    if (attribute_number(value, "grad", &number) < 0)
        return -1;
    return node_set_grad((Node *)self, number);
}

static PyObject *get_children(PyObject *self, void *unused) { return node_children((Node *)self); }
static PyObject *get_local_grads(PyObject *self, void *unused) {
    return node_local_grads((Node *)self);
}

static PyGetSetDef value_attributes[] = {
    {"data", get_data, assign_data, "The number.", NULL},
    {"grad", get_grad, assign_grad, "The derivative of the last root with respect to it.", NULL},
    {"_children", get_children, NULL, "The Values it was computed from, a tuple.", NULL},
    {"_local_grads", get_local_grads, NULL, "Its derivatives with respect to them, a tuple.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* `data` and `grad` are most of what an optimiser written in Python does, and finding their
 * descriptors in the type costs more than the rest of the access. `p.grad = 0` is half of all
 * assignments; Python's small ints are single objects. */
static PyObject *value_getattro(PyObject *self, PyObject *name) {
    if (LIKELY(Value_CheckExact(self))) {
        if (name == name_data)
            return get_data(self, NULL);
        if (name == name_grad)
            return get_grad(self, NULL);
    }
    return PyObject_GenericGetAttr(self, name);
}

static int value_setattro(PyObject *self, PyObject *name, PyObject *value) {
    if (LIKELY(Value_CheckExact(self))) {
        if (name == name_data)
            return assign_data(self, value, NULL);
        if (name == name_grad) {
            if (value == int_zero)
                return node_set_grad((Node *)self, (Number){0.0, 1});
            return assign_grad(self, value, NULL);
        }
    }
    return PyObject_GenericSetAttr(self, name, value);
}

/* ---- the type ---- */

static PyNumberMethods value_as_number = {
    .nb_add = slot_add,
    .nb_subtract = slot_subtract,
    .nb_multiply = slot_multiply,
    .nb_power = slot_power,
    .nb_negative = slot_negative,
    .nb_true_divide = slot_divide,
};

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

PyTypeObject Value_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "isograd.Value",
    .tp_basicsize = sizeof(Node),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = value_doc,
    .tp_new = value_new,
    .tp_init = value_init,
    .tp_vectorcall = value_vectorcall,
    .tp_dealloc = value_dealloc,
    .tp_repr = value_repr,
    .tp_getattro = value_getattro,
    .tp_setattro = value_setattro,
    .tp_as_number = &value_as_number,
    .tp_methods = value_methods,
    .tp_getset = value_attributes,
};

/* What the module looks up once and keeps; 0, or -1 with an exception set. */
static int look_up_names(void) {
    PyObject *copyreg = PyImport_ImportModule("copyreg");
    if (copyreg == NULL)
        return -1;
    Py_XSETREF(copyreg_newobj, PyObject_GetAttrString(copyreg, "__newobj__"));
    Py_XSETREF(copyreg_slotnames, PyObject_GetAttrString(copyreg, "_slotnames"));
    Py_DECREF(copyreg);
    Py_XSETREF(int_zero, PyLong_FromLong(0));
    Py_XSETREF(name_data, PyUnicode_InternFromString("data"));
    Py_XSETREF(name_grad, PyUnicode_InternFromString("grad"));
    Py_XSETREF(name_dict, PyUnicode_InternFromString("__dict__"));
    int complete = copyreg_newobj && copyreg_slotnames && int_zero && name_data && name_grad;
    return complete && name_dict ? 0 : -1;
}

PyObject *value_type_ready(void) {
    if (look_up_names() < 0 || operators_init() < 0 || graph_init() < 0 || recording_init() < 0 ||
        PyType_Ready(&Value_Type) < 0)
        return NULL;
    Py_INCREF((PyObject *)&Value_Type);
    return (PyObject *)&Value_Type;
}
