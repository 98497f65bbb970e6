/* Forward operators on nodes, and Python's arithmetic on the numbers in them.
 *
 * log, exp and pow call the libm that CPython itself calls, so their bits agree by construction.
 * Anything out of the ordinary (an infinity, a NaN, a zero base, a libm that reports an error) is
 * handed to Python's own float object or math module, which then decides the result or exception.
 */
#include "operators.h"

#include <errno.h>
#include <math.h>

#include "arena.h"
#include "recording.h"

static PyObject *math_log, *math_exp;

int operators_init(void) {
    PyObject *math = PyImport_ImportModule("math");
    if (math == NULL)
        return -1;
    Py_XSETREF(math_log, PyObject_GetAttrString(math, "log"));
    Py_XSETREF(math_exp, PyObject_GetAttrString(math, "exp"));
    Py_DECREF(math);
    return math_log && math_exp ? 0 : -1;
}

/* ---- numbers ---- */

static int number_from_int(PyObject *o, Number *out) {
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (n == -1 && !overflow && PyErr_Occurred())
        return -1;
    double x = (double)n;
    if (!overflow && x > -INT_LIMIT && x < INT_LIMIT) {
        *out = (Number){x, 1};
        return 1;
    }
    x = PyLong_AsDouble(o);
    if (x == -1.0 && PyErr_Occurred())
        return -1;
    *out = (Number){x, 0};
    return 1;
}

/* Turns the TypeError of an `__index__` or `__float__` that cannot into "not a number". */
static int no_number(void) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError))
        return -1;
    PyErr_Clear();
    return 0;
}

static int number_from_protocol(PyObject *o, Number *out) {
    PyNumberMethods *methods = Py_TYPE(o)->tp_as_number;
    if (methods && methods->nb_index) {
        PyObject *as_int = PyNumber_Index(o);
        if (as_int) {
            int found = number_from_int(as_int, out);
            Py_DECREF(as_int);
            return found;
        }
        if (no_number() < 0)
            return -1;
    }
    if (methods && methods->nb_float) {
        double x = PyFloat_AsDouble(o);
        if (x == -1.0 && PyErr_Occurred())
            return no_number();
        *out = (Number){x, 0};
        return 1;
    }
    return 0;
}

int number_from_other(PyObject *o, Number *out) {
    if (PyFloat_Check(o)) {
        *out = (Number){PyFloat_AS_DOUBLE(o), 0};
        return 1;
    }
    if (PyLong_Check(o))
        return number_from_int(o, out);
    return number_from_protocol(o, out);
}

PyObject *number_as_object(Number a) {
    return a.is_int ? PyLong_FromLongLong((long long)a.x) : PyFloat_FromDouble(a.x);
}

static int number_from_result(PyObject *result, Number *out) {
    if (result == NULL)
        return -1;
    int found = number_from(result, out);
    Py_DECREF(result);
    if (found == 0)
        PyErr_SetString(PyExc_ValueError,
                        "a negative Value to a fractional power is not a real number");
    return found == 1 ? 0 : -1;
}

static int python_pow(Number a, Number b, Number *out) {
    PyObject *base = number_as_object(a), *exponent = number_as_object(b);
    PyObject *result = base && exponent ? PyNumber_Power(base, exponent, Py_None) : NULL;
    Py_XDECREF(base);
    Py_XDECREF(exponent);
    return number_from_result(result, out);
}

static int python_call(PyObject *function, Number a, Number *out) {
    PyObject *argument = number_as_object(a);
    PyObject *result = argument ? PyObject_CallOneArg(function, argument) : NULL;
    Py_XDECREF(argument);
    return number_from_result(result, out);
}

/* An int too large for any float, found without computing its millions of digits. */
static int int_pow_overflows(Number a, Number b) {
    return fabs(a.x) >= 2.0 && b.x * log2(fabs(a.x)) > 1100.0;
}

int number_pow(Number a, Number b, Number *out) {
    if (a.is_int && b.is_int && b.x >= 0.0) {
        if (int_pow_overflows(a, b)) {
            PyErr_SetString(PyExc_OverflowError, "int too large to convert to float");
            return -1;
        }
        return python_pow(a, b, out);
    }
    int whole = b.x == floor(b.x);
    if (isfinite(a.x) && isfinite(b.x) && (a.x > 0.0 || (a.x < 0.0 && whole))) {
        errno = 0;
        double power = pow(fabs(a.x), b.x);
        if (LIKELY(errno == 0 && isfinite(power) && power != 0.0)) {
            int odd = a.x < 0.0 && fmod(fabs(b.x), 2.0) == 1.0;
            *out = (Number){odd ? -power : power, 0};
            return 0;
        }
    }
    return python_pow(a, b, out);
}

static int number_log(Number a, Number *out) {
    if (LIKELY(isfinite(a.x) && a.x > 0.0)) {
        *out = (Number){log(a.x), 0};
        return 0;
    }
    return python_call(math_log, a, out);
}

int number_exp(Number a, Number *out) {
    double power = exp(a.x);
    if (LIKELY(isfinite(power))) {
        *out = (Number){power, 0};
        return 0;
    }
    return python_call(math_exp, a, out);
}

/* ---- nodes ---- */

static inline uintptr_t flag_if(int is_int, uintptr_t flag) { return is_int ? flag : 0; }

static inline uintptr_t child(Node *n) {
    Py_INCREF((PyObject *)n);
    return (uintptr_t)n;
}

/* The same where nothing is recorded: the operands are let go, the result is a leaf. */
NOINLINE static PyObject *unrecorded(Number data, uintptr_t first, uintptr_t second) {
    Py_XDECREF((PyObject *)(first & ~TAG_BITS));
    Py_XDECREF((PyObject *)(second & ~TAG_BITS));
    return value_leaf(data);
}

/* Steals the references in `first` and `second`; lets go of them when out of memory. */
static inline PyObject *new_node(Number data, uintptr_t first, uintptr_t second, double local0,
                                 double local1) {
    if (recording_is_off() && first != (LEAF | MARK))
        return unrecorded(data, first, second);
    Node *n = arena_pop();
    if (UNLIKELY(n == NULL)) {
        Py_XDECREF((PyObject *)(first & ~TAG_BITS));
        Py_XDECREF((PyObject *)(second & ~TAG_BITS));
        return NULL;
    }
    n->data = data.x;
    n->grad = 0.0;
    n->first = first;
    n->second = second | GRAD_INT | flag_if(data.is_int, DATA_INT);
    n->local[0] = local0;
    n->local[1] = local1;
    return (PyObject *)n;
}

PyObject *value_leaf(Number data) {
    PyObject *leaf = new_node(data, LEAF | MARK, 0, 0.0, 0.0);
    if (leaf)
        ((Node *)leaf)->row = NULL;
    return leaf;
}

PyObject *value_add(Node *a, Node *b) {
    Number sum = number_add(node_data(a), node_data(b));
    return new_node(sum, child(a) | ADD, child(b), 1.0, 1.0);
}

PyObject *value_mul(Node *a, Node *b) {
    Number product = number_mul(node_data(a), node_data(b));
    uintptr_t ints = (b->second & DATA_INT) * LOCAL0_INT | (a->second & DATA_INT) * LOCAL1_INT;
    return new_node(product, child(a) | BINARY, child(b) | ints, b->data, a->data);
}

PyObject *value_add_const(Node *a, Number c) {
    Number sum = number_add(node_data(a), c);
    return new_node(sum, child(a) | ADD_CONST, flag_if(c.is_int, LOCAL0_INT), c.x, 1.0);
}

PyObject *value_mul_const(Node *a, Number c) {
    Number product = number_mul(node_data(a), c);
    uintptr_t ints = flag_if(c.is_int, LOCAL0_INT) | (a->second & DATA_INT) * LOCAL1_INT;
    return new_node(product, child(a) | MUL_CONST, ints, c.x, a->data);
}

static PyObject *unary(Node *a, Number data, Number local) {
    return new_node(data, child(a) | UNARY, flag_if(local.is_int, LOCAL0_INT), local.x, 0.0);
}

PyObject *value_pow(Node *a, Number exponent) {
    Number power, lower;
    if (number_pow(node_data(a), exponent, &power) < 0)
        return NULL;
    Number exponent_less_1 = number_add(exponent, (Number){-1.0, 1});
    if (number_pow(node_data(a), exponent_less_1, &lower) < 0)
        return NULL;
    return unary(a, power, number_mul(exponent, lower));
}

PyObject *value_log(Node *a) {
    Number data;
    if (number_log(node_data(a), &data) < 0)
        return NULL;
    return unary(a, data, (Number){1.0 / a->data, 0});
}

PyObject *value_exp(Node *a) {
    Number power;
    if (number_exp(node_data(a), &power) < 0)
        return NULL;
    return unary(a, power, power);
}

PyObject *value_relu(Node *a) {
    int positive = a->data > 0.0;
    Number data = positive ? node_data(a) : (Number){0.0, 1};
    return unary(a, data, (Number){positive, 0});
}
