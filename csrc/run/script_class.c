/* The type Value in the place of a script's own class, see script_class.h.
 *
 * The slots of the type are wrapped. Where all goes well the wrapping costs an indirect call.
 * Whatever Value refuses is asked of the script's class once more, by `replay`: so exceptions,
 * their texts and the lines of the script in their tracebacks are the script's own. Where the
 * script's class would go on with a number that Value cannot hold (a complex one, say), the run
 * ends: see script_stop.h.
 */
#include "script_class.h"

#include <string.h>

#include "graph/graph.h"
#include "graph/unary_methods.h"
#include "numerics/compiler.h"
#include "script_members.h"
#include "script_stop.h"

enum { ADD_OP, SUB_OP, MUL_OP, DIV_OP, N_BINARY };

static const char *const binary_names[N_BINARY] = {"add", "sub", "mul", "truediv"};

#define INDEX(name, doc) INDEX_OF_##name,
enum { UNARY_METHODS(INDEX) N_UNARY };
#undef INDEX

/* The state of `isograd run` in C, but for what ends the process and the script's own methods.
 *
 * holds     Value's slots and methods as they were, and what the script's class lacks
 * changes   once, when script_adopt fills it; before, it is empty. Nothing takes it back: Value
 *           stands for the class until the process ends
 * read by   the wrappers below, which are in Value's slots from then on, and script_adopt, which
 *           refuses a second class
 * is the process's because the type is: there is one Value, and a slot is given nothing but its
 *           operands */
static struct {
    PyNumberMethods number;
    vectorcallfunc construct;
    setattrofunc set_attribute;
    PyCFunction unary[N_UNARY], backward;
    int forward_absent[N_BINARY], reflected_absent[N_BINARY]; /* a.__sub__ and a.__rsub__, say */
    int has_dict;                                             /* instances take any attribute */
    PyObject *name;                                           /* as script_adopt got it, owned */
} adopted;

/* ---- what Value cannot do ---- */

static int is_plain_int(PyObject *o) {
    int overflow;
    if (!PyLong_CheckExact(o))
        return 0;
    long long n = PyLong_AsLongLongAndOverflow(o, &overflow);
    return !overflow && n > -(long long)INT_LIMIT && n < (long long)INT_LIMIT;
}

/* A number that Value keeps as it is. */
static inline int is_number(PyObject *o) { return PyFloat_CheckExact(o) || is_plain_int(o); }

/* Whether Value keeps the local gradients in `o`. */
static int are_numbers(PyObject *o) {
    int status = PyTuple_CheckExact(o) || PyList_CheckExact(o);
    for (Py_ssize_t i = 0; status && i < PySequence_Fast_GET_SIZE(o); i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(o, i);
        status = is_number(item) || PyBool_Check(item);
    }
    return status;
}

static inline int is_operand(PyObject *o) {
    return Value_CheckExact(o) || is_number(o) || PyBool_Check(o);
}

/* Raises what the script's class raises. Takes over `args`, or NULL with MemoryError set, and
 * `kwargs`, which may be NULL. Returns NULL. */
static PyObject *replay(const char *name, PyObject *args, PyObject *kwargs) {
    PyObject *error = NULL, *ask = script_members_replay();
    number_lost_int = 0.0; /* the script's class decides */
    if (args && ask) {
        PyErr_Clear();
        error = PyObject_CallFunction(ask, "sOO", name, args, kwargs ? kwargs : Py_None);
    } else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "the script's class is no more");
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return NULL;
}

/* Whether the script may see what a compiled operation returned. If not, its own class must be
 * asked. */
static int is_final(PyObject *result) {
    if (result)
        return result != Py_NotImplemented;
    return !PyErr_ExceptionMatches(PyExc_ArithmeticError) &&
           !PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError);
}

/* ---- operators ---- */

static inline PyObject *binary(int op, binaryfunc compiled, PyObject *a, PyObject *b) {
    int absent = Value_CheckExact(a) ? adopted.forward_absent[op] : adopted.reflected_absent[op];
    if (LIKELY(!absent && is_operand(a) && is_operand(b))) {
        PyObject *result = compiled(a, b);
        if (LIKELY(is_final(result))) {
            script_keep_ints();
            return result;
        }
        Py_XDECREF(result);
    }
    return replay(binary_names[op], PyTuple_Pack(2, a, b), NULL);
}

static PyObject *add(PyObject *a, PyObject *b) {
    return binary(ADD_OP, adopted.number.nb_add, a, b);
}
static PyObject *subtract(PyObject *a, PyObject *b) {
    return binary(SUB_OP, adopted.number.nb_subtract, a, b);
}
static PyObject *multiply(PyObject *a, PyObject *b) {
    return binary(MUL_OP, adopted.number.nb_multiply, a, b);
}
/* An int of any size may divide: what is kept is its inverse, a float. */
static PyObject *divide(PyObject *a, PyObject *b) {
    PyObject *divisor = NULL;
    if (UNLIKELY(PyLong_CheckExact(b) && !is_plain_int(b)) && !adopted.forward_absent[DIV_OP] &&
        (divisor = PyNumber_Float(b)) == NULL)
        PyErr_Clear(); /* the script's class raises it, too */
    PyObject *result = binary(DIV_OP, adopted.number.nb_true_divide, a, divisor ? divisor : b);
    Py_XDECREF(divisor);
    return result;
}

static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus) {
    if (Value_CheckExact(a) && (is_number(b) || PyBool_Check(b)) && modulus == Py_None) {
        PyObject *result = adopted.number.nb_power(a, b, modulus);
        if (LIKELY(is_final(result))) {
            script_keep_ints();
            return result;
        }
        Py_XDECREF(result);
    }
    return replay(
        "pow", modulus == Py_None ? PyTuple_Pack(2, a, b) : PyTuple_Pack(3, a, b, modulus), NULL);
}

/* ---- methods ---- */

static PyObject *unary(int index, PyObject *self);

#define WRAPPER(name, doc)                                                                         \
    static PyObject *name##_of(PyObject *self, PyObject *Py_UNUSED(none)) {                        \
        return unary(INDEX_OF_##name, self);                                                       \
    }
UNARY_METHODS(WRAPPER)
#undef WRAPPER

#define METHOD_DEF(name, doc) {#name, name##_of, METH_NOARGS, NULL},
static PyMethodDef unary_methods[N_UNARY] = {UNARY_METHODS(METHOD_DEF)};
#undef METHOD_DEF

static PyObject *unary(int index, PyObject *self) {
    PyObject *result = adopted.unary[index](self, NULL);
    if (LIKELY(is_final(result))) {
        script_keep_ints();
        return result;
    }
    return replay(unary_methods[index].ml_name, PyTuple_Pack(1, self), NULL);
}

static PyObject *backward(PyObject *self, PyObject *none) {
    PyObject *result = adopted.backward(self, none);
    script_keep_ints();
    return result;
}

static PyMethodDef backward_method = {"backward", backward, METH_NOARGS, NULL};

static PyObject *keywords_as_dict(PyObject *const *values, PyObject *names) {
    PyObject *dict = PyDict_New();
    for (Py_ssize_t i = 0; dict && names && i < PyTuple_GET_SIZE(names); i++)
        if (PyDict_SetItem(dict, PyTuple_GET_ITEM(names, i), values[i]) < 0)
            Py_CLEAR(dict);
    return dict;
}

static PyObject *construct(PyObject *type, PyObject *const *args, size_t nargsf,
                           PyObject *keywords) {
    Py_ssize_t n = PyVectorcall_NARGS(nargsf), n_all = n;
    if (keywords)
        n_all += PyTuple_GET_SIZE(keywords);
    if (LIKELY(n_all >= 1 && is_number(args[0]) && (n < 3 || are_numbers(args[2])))) {
        PyObject *self = adopted.construct(type, args, nargsf, keywords);
        if (LIKELY(is_final(self)))
            return self;
    }
    PyErr_Clear();
    PyObject *dict = keywords_as_dict(args + n, keywords);
    PyObject *positional = dict ? PyTuple_New(n) : NULL;
    for (Py_ssize_t i = 0; positional && i < n; i++) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(positional, i, args[i]);
    }
    return replay("__init__", positional, dict);
}

static int is_called(PyObject *name, const char *text) {
    return PyUnicode_CompareWithASCIIString(name, text) == 0;
}

#if PY_VERSION_HEX >= 0x030d0000
/* From CPython 3.13 on, a class with slots says more than one that has a setter of its own. */
static void add_that_there_is_no_dict(void) {
    PyObject *error = PyErr_GetRaisedException();
    PyObject *text = PyUnicode_FromFormat("%S and no __dict__ for setting new attributes", error);
    PyObject *args = text ? PyTuple_Pack(1, text) : NULL;
    if (args == NULL || PyObject_SetAttrString(error, "args", args) < 0)
        PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(args);
    PyErr_SetRaisedException(error);
}
#endif

static int set_attribute(PyObject *self, PyObject *name, PyObject *value) {
    int is_new = adopted.has_dict && !is_called(name, "grad") && !is_called(name, "data");
    if (UNLIKELY(value && (is_new || !is_number(value))))
        script_stop(value);
    int status = adopted.set_attribute(self, name, value);
    script_keep_ints();
#if PY_VERSION_HEX >= 0x030d0000
    if (status < 0 && value && PyErr_ExceptionMatches(PyExc_AttributeError) &&
        PyDict_Contains(Value_Type.tp_dict, name) == 0)
        add_that_there_is_no_dict();
#endif
    return status;
}

static PyObject *represent(PyObject *self) {
    PyObject *own = script_member("__repr__");
    if (own)
        return PyObject_CallOneArg(own, self);
    return PyUnicode_FromFormat("<__main__.%U object at %p>", adopted.name, self);
}

static PyObject *as_text(PyObject *self) {
    PyObject *own = script_member("__str__");
    return own ? PyObject_CallOneArg(own, self) : PyObject_Repr(self);
}

/* ---- adopting ---- */

static int is_absent(PyObject *absent, const char *name) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(absent); i++)
        if (is_called(PyTuple_GET_ITEM(absent, i), name))
            return 1;
    return 0;
}

/* Puts `wrapper` where the type has the method of its name, which goes to *wrapped. */
static int wrap_method(PyObject *type_dict, PyMethodDef *wrapper, PyCFunction *wrapped,
                       PyObject *absent) {
    PyObject *method = PyDict_GetItemString(type_dict, wrapper->ml_name);
    if (method == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    assert(PyObject_TypeCheck(method, &PyMethodDescr_Type));
    *wrapped = ((PyMethodDescrObject *)method)->d_method->ml_meth;
    if (is_absent(absent, wrapper->ml_name))
        return PyDict_DelItemString(type_dict, wrapper->ml_name);
    PyObject *descriptor = PyDescr_NewMethod(&Value_Type, wrapper);
    int status = descriptor ? PyDict_SetItemString(type_dict, wrapper->ml_name, descriptor) : -1;
    Py_XDECREF(descriptor);
    return status;
}

static int put_stand_ins(PyObject *type_dict, PyObject *methods) {
    PyObject *name, *method;
    Py_ssize_t i = 0;
    int status = 0;
    while (status == 0 && PyDict_Next(methods, &i, &name, &method)) {
        PyObject *stand_in = script_member_stand_in(name);
        status = stand_in ? PyDict_SetItem(type_dict, name, stand_in) : -1;
        Py_XDECREF(stand_in);
    }
    return status;
}

static void wrap_slots(PyObject *absent) {
    PyNumberMethods *number = Value_Type.tp_as_number;
    adopted.number = *number;
    adopted.construct = Value_Type.tp_vectorcall;
    adopted.set_attribute = Value_Type.tp_setattro;
    adopted.has_dict = is_absent(absent, "__slots__");
    adopted.forward_absent[SUB_OP] = is_absent(absent, "__sub__");
    adopted.forward_absent[DIV_OP] = is_absent(absent, "__truediv__");
    adopted.reflected_absent[SUB_OP] = is_absent(absent, "__rsub__");
    adopted.reflected_absent[DIV_OP] = is_absent(absent, "__rtruediv__");
    number->nb_add = add;
    number->nb_subtract = subtract;
    number->nb_multiply = multiply;
    number->nb_true_divide = divide;
    number->nb_power = power;
    Value_Type.tp_vectorcall = construct;
    Value_Type.tp_setattro = set_attribute;
    Value_Type.tp_repr = represent;
    Value_Type.tp_str = as_text;
}

int script_adopt(PyObject *name, PyObject *absent, PyObject *methods, PyObject *replay,
                 PyObject *say) {
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL)
        return -1;
    if (adopted.name) {
        PyErr_SetString(PyExc_RuntimeError, "Value stands for a script's class already");
        return -1;
    }
    Py_INCREF(adopted.name = name);
    script_stop_after(say);
    if (script_members_keep(replay, methods) < 0)
        return -1;
    PyObject *type_dict = Value_Type.tp_dict;
    for (int index = 0; index < N_UNARY; index++)
        if (wrap_method(type_dict, &unary_methods[index], &adopted.unary[index], absent) < 0)
            return -1;
    if (wrap_method(type_dict, &backward_method, &adopted.backward, absent) < 0)
        return -1;
    if (put_stand_ins(type_dict, methods) < 0)
        return -1;
    Value_Type.tp_name = text; /* lives as long as adopted.name */
    wrap_slots(absent);
    PyType_Modified(&Value_Type);
    return 0;
}
