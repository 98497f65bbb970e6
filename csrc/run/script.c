/* The type Value in the place of a script's own class, see script.h.
 *
 * The slots of the type are wrapped. Where all goes well they cost an indirect call. Whatever Value
 * refuses is asked of the script's class once more, by `replay`: so exceptions, their texts and the
 * lines of the script in their tracebacks are the script's own. Where the script's class would go on
 * with a number that Value cannot hold (a complex one, say), the script is stopped: no output at all
 * rather than another one.
 */
#include "script.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "graph/dot.h"
#include "graph/node.h"
#include "graph/operators.h"
#include "graph/vector.h"

enum { ADD_OP, SUB_OP, MUL_OP, DIV_OP, N_BINARY };

static const char *const binary_names[N_BINARY] = {"add", "sub", "mul", "truediv"};

enum { LOG, EXP, RELU, N_UNARY };

static const char *const unary_names[N_UNARY] = {"log", "exp", "relu"};

/* The type as it was, and what came with the script. */
static struct {
    PyNumberMethods number;
    vectorcallfunc construct;
    setattrofunc set_attribute;
    PyCFunction unary[N_UNARY];
    int forward_absent[N_BINARY], reflected_absent[N_BINARY];
    int has_dict; /* instances take any attribute */
    PyObject *name, *replay, *stop, *repr, *str;
} own;

/* ---- what Value cannot do ---- */

/* `held` is what the script's class would hold. */
static void stop(PyObject *held) {
    PyObject *args = PyTuple_Pack(1, held);
    if (args)
        PyErr_SetObject(own.stop, args);
    Py_XDECREF(args);
}

static int is_plain_int(PyObject *o) {
    int overflow;
    if (!PyLong_CheckExact(o))
        return 0;
    long long n = PyLong_AsLongLongAndOverflow(o, &overflow);
    return !overflow && n > -(long long)INT_LIMIT && n < (long long)INT_LIMIT;
}

/* A number that Value keeps as it is. */
static inline int is_number(PyObject *o) { return PyFloat_CheckExact(o) || is_plain_int(o); }

static inline int is_operand(PyObject *o) {
    return Value_CheckExact(o) || is_number(o) || PyBool_Check(o);
}

static int is_int_operand(PyObject *o) {
    return Value_CheckExact(o) ? (((Node *)o)->second & DATA_INT) != 0 : PyLong_Check(o);
}

/* Raises what the script's class raises; takes over `args`, or NULL with MemoryError set, and
 * `kwargs`, which may be NULL. */
static PyObject *replay(const char *name, PyObject *args, PyObject *kwargs) {
    PyObject *error = NULL;
    if (args) {
        PyErr_Clear();
        error = PyObject_CallFunction(own.replay, "sOO", name, args, kwargs ? kwargs : Py_None);
    }
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return NULL;
}

/* Whether the script may see what a compiled operation returned; else its own class must be asked. */
static int is_final(PyObject *result) {
    if (result)
        return result != Py_NotImplemented;
    return !PyErr_ExceptionMatches(PyExc_ArithmeticError) &&
           !PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError);
}

/* ---- operators ---- */

/* Ends the run over the node `result`, which it takes over. */
static PyObject *stop_at(PyObject *result) {
    PyObject *number = number_as_object(node_data((Node *)result));
    Py_DECREF(result);
    if (number)
        stop(number);
    Py_XDECREF(number);
    return NULL;
}

static inline PyObject *binary(int op, binaryfunc compiled, PyObject *a, PyObject *b) {
    int absent = Value_CheckExact(a) ? own.forward_absent[op] : own.reflected_absent[op];
    if (LIKELY(!absent && is_operand(a) && is_operand(b))) {
        PyObject *result = compiled(a, b);
        if (LIKELY(result && Value_CheckExact(result))) {
            if (op != DIV_OP && UNLIKELY(is_int_operand(a) && is_int_operand(b)) &&
                !is_int_operand(result))
                return stop_at(result);
            return result;
        }
        if (is_final(result))
            return result;
        Py_XDECREF(result);
    }
    return replay(binary_names[op], PyTuple_Pack(2, a, b), NULL);
}

static PyObject *add(PyObject *a, PyObject *b) { return binary(ADD_OP, own.number.nb_add, a, b); }
static PyObject *subtract(PyObject *a, PyObject *b) {
    return binary(SUB_OP, own.number.nb_subtract, a, b);
}
static PyObject *multiply(PyObject *a, PyObject *b) {
    return binary(MUL_OP, own.number.nb_multiply, a, b);
}
static PyObject *divide(PyObject *a, PyObject *b) {
    return binary(DIV_OP, own.number.nb_true_divide, a, b);
}

/* Whether a power of ints, or its derivative, would be a larger int than Value keeps. */
static int is_too_large(PyObject *a, PyObject *exponent, PyObject *power) {
    uintptr_t ints = ((Node *)power)->second;
    if (!is_int_operand(a) || !is_int_operand(exponent))
        return 0;
    double b = PyLong_AsDouble(exponent);
    return (b >= 0.0 && !(ints & DATA_INT)) || (b >= 1.0 && !(ints & LOCAL0_INT));
}

static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus) {
    if (Value_CheckExact(a) && (is_number(b) || PyBool_Check(b)) && modulus == Py_None) {
        PyObject *result = own.number.nb_power(a, b, modulus);
        if (result && Value_CheckExact(result) && UNLIKELY(is_too_large(a, b, result)))
            return stop_at(result);
        if (is_final(result))
            return result;
        Py_XDECREF(result);
    }
    return replay(
        "pow", modulus == Py_None ? PyTuple_Pack(2, a, b) : PyTuple_Pack(3, a, b, modulus), NULL);
}

/* ---- methods ---- */

static PyObject *unary(int op, PyObject *self, PyObject *unused) {
    PyObject *result = own.unary[op](self, unused);
    if (LIKELY(is_final(result)))
        return result;
    return replay(unary_names[op], PyTuple_Pack(1, self), NULL);
}

static PyObject *log_of(PyObject *self, PyObject *unused) { return unary(LOG, self, unused); }
static PyObject *exp_of(PyObject *self, PyObject *unused) { return unary(EXP, self, unused); }
static PyObject *relu_of(PyObject *self, PyObject *unused) { return unary(RELU, self, unused); }

static PyMethodDef unary_methods[N_UNARY] = {
    {"log", log_of, METH_NOARGS, NULL},
    {"exp", exp_of, METH_NOARGS, NULL},
    {"relu", relu_of, METH_NOARGS, NULL},
};

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
    if (LIKELY(n_all >= 1 && is_number(args[0]))) {
        PyObject *self = own.construct(type, args, nargsf, keywords);
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
/* From CPython 3.13 on a class with slots says more than one with a setter of its own. */
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
    int is_new = own.has_dict && !is_called(name, "grad") && !is_called(name, "data");
    if (UNLIKELY(value && (is_new || !is_number(value)))) {
        stop(value);
        return -1;
    }
    int status = own.set_attribute(self, name, value);
#if PY_VERSION_HEX >= 0x030d0000
    if (status < 0 && value && PyErr_ExceptionMatches(PyExc_AttributeError) &&
        PyDict_Contains(Value_Type.tp_dict, name) == 0)
        add_that_there_is_no_dict();
#endif
    return status;
}

static PyObject *represent(PyObject *self) {
    if (own.repr)
        return PyObject_CallOneArg(own.repr, self);
    return PyUnicode_FromFormat("<__main__.%U object at %p>", own.name, self);
}

static PyObject *as_text(PyObject *self) {
    return own.str ? PyObject_CallOneArg(own.str, self) : PyObject_Repr(self);
}

/* ---- adopting ---- */

static int is_absent(PyObject *absent, const char *name) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(absent); i++)
        if (is_called(PyTuple_GET_ITEM(absent, i), name))
            return 1;
    return 0;
}

static int wrap_method(PyObject *type_dict, int op, int absent) {
    PyObject *method = PyDict_GetItemString(type_dict, unary_names[op]);
    if (method == NULL || !PyObject_TypeCheck(method, &PyMethodDescr_Type)) {
        PyErr_SetString(PyExc_RuntimeError, "Value stands for a script's class already");
        return -1;
    }
    own.unary[op] = ((PyMethodDescrObject *)method)->d_method->ml_meth;
    if (absent)
        return PyDict_DelItemString(type_dict, unary_names[op]);
    PyObject *wrapped = PyDescr_NewMethod(&Value_Type, &unary_methods[op]);
    int status = wrapped ? PyDict_SetItemString(type_dict, unary_names[op], wrapped) : -1;
    Py_XDECREF(wrapped);
    return status;
}

static void wrap_slots(PyObject *absent) {
    PyNumberMethods *number = Value_Type.tp_as_number;
    own.number = *number;
    own.construct = Value_Type.tp_vectorcall;
    own.set_attribute = Value_Type.tp_setattro;
    own.has_dict = is_absent(absent, "__slots__");
    own.forward_absent[SUB_OP] = is_absent(absent, "__sub__");
    own.forward_absent[DIV_OP] = is_absent(absent, "__truediv__");
    own.reflected_absent[SUB_OP] = is_absent(absent, "__rsub__");
    own.reflected_absent[DIV_OP] = is_absent(absent, "__rtruediv__");
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
                 PyObject *stop) {
    PyObject *type_dict = Value_Type.tp_dict;
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL)
        return -1;
    for (int op = 0; op < N_UNARY; op++)
        if (wrap_method(type_dict, op, is_absent(absent, unary_names[op])) < 0)
            return -1;
    if (PyDict_Update(type_dict, methods) < 0)
        return -1;
    Py_INCREF(own.name = name);
    Py_INCREF(own.replay = replay);
    Py_INCREF(own.stop = stop);
    Py_XINCREF(own.repr = PyDict_GetItemString(methods, "__repr__"));
    Py_XINCREF(own.str = PyDict_GetItemString(methods, "__str__"));
    Value_Type.tp_name = text; /* lives as long as own.name */
    wrap_slots(absent);
    PyType_Modified(&Value_Type);
    return 0;
}

/* ---- functions ---- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *original;
    PyObject *(*compiled)(PyObject *const *args); /* NULL or NotImplemented where it cannot */
    Py_ssize_t n_args;
} Function;

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
        if (LIKELY(result && result != Py_NotImplemented))
            return result;
        Py_XDECREF(result);
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
static PyObject *function_bind(PyObject *self, PyObject *object, PyObject *type) {
    if (object)
        return PyMethod_New(self, object);
    Py_INCREF(self);
    return self;
}

static PyObject *function_repr(PyObject *self) {
    return PyObject_Repr(((Function *)self)->original);
}

static void function_dealloc(PyObject *self) {
    Py_XDECREF(((Function *)self)->original);
    PyObject_Free(self);
}

static PyTypeObject Function_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "function",
    .tp_basicsize = sizeof(Function),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Function, call),
    .tp_call = PyVectorcall_Call,
    .tp_getattro = function_attribute,
    .tp_descr_get = function_bind,
    .tp_repr = function_repr,
    .tp_dealloc = function_dealloc,
};

PyObject *script_function(PyObject *original, const char *kind) {
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
    Function *f = PyObject_New(Function, &Function_Type);
    if (f == NULL)
        return NULL;
    Py_INCREF(original);
    f->original = original;
    f->call = function_call;
    f->compiled = kinds[i].compiled;
    f->n_args = kinds[i].n_args;
    return (PyObject *)f;
}

/* ---- expressions ---- */

static PyObject *result_or_none(PyObject *result) {
    if (result && result != Py_NotImplemented)
        return result;
    Py_XDECREF(result);
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

/* ---- Adam ---- */

/* Squares, roots and quotients raise for none of these; a NaN ends the count. */
Py_ssize_t script_adam_count(PyObject *const *params, const double *v, Py_ssize_t n) {
    Py_ssize_t i = 0;
    while (i < n && fabs(((Node *)params[i])->grad) <= 1e150 && v[i] >= 0.0)
        i++;
    return i;
}
