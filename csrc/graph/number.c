/* Python's arithmetic on numbers, and numbers from and to Python's objects.
 *
 * log, exp and pow call the libm that CPython itself calls, so their bits agree by construction.
 * Whatever is out of the ordinary (an infinity, a NaN, a zero base, an error that libm reports) is
 * handed to Python's own float object or math module, which then decides the result or exception.
 */
#include "number.h"

#include <errno.h>
#include <math.h>

#include "numerics/compiler.h"

double number_lost_int;

static PyObject *math;

int number_init(void) {
    Py_XSETREF(math, PyImport_ImportModule("math"));
    return math ? 0 : -1;
}

/* ---- from and to objects ---- */

static int number_from_int(PyObject *o, Number *out) {
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (n == -1 && !overflow && PyErr_Occurred())
        return -1;
    double x = (double)n;
    if (!overflow && x > -INT_LIMIT && x < INT_LIMIT) {
        *out = an_int(x);
        return 1;
    }
    x = PyLong_AsDouble(o);
    if (x == -1.0 && PyErr_Occurred())
        return -1;
    number_lost_int = x;
    *out = a_float(x);
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
        *out = a_float(x);
        return 1;
    }
    return 0;
}

int number_from_other(PyObject *o, Number *out) {
    if (PyFloat_Check(o)) {
        *out = a_float(PyFloat_AS_DOUBLE(o));
        return 1;
    }
    if (PyLong_Check(o))
        return number_from_int(o, out);
    return number_from_protocol(o, out);
}

int number_required(PyObject *o, Number *out) {
    int found = number_from(o, out);
    if (found == 0)
        PyErr_Format(PyExc_TypeError, "a Value holds a real number, not '%.200s'",
                     Py_TYPE(o)->tp_name);
    return found == 1 ? 0 : -1;
}

PyObject *number_as_object(Number a) {
    assert(!a.is_int || (fabs(a.x) < INT_LIMIT && a.x == floor(a.x)));
    return a.is_int ? PyLong_FromLongLong((long long)a.x) : PyFloat_FromDouble(a.x);
}

/* ---- arithmetic ---- */

/* Takes over `result`, which may be NULL with an exception set. */
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

/* Finds an int too large for any float without computing its millions of digits. */
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
            *out = a_float(odd ? -power : power);
            return 0;
        }
    }
    return python_pow(a, b, out);
}

int number_from_math(const char *function, Number a, Number *out) {
    PyObject *argument = number_as_object(a);
    PyObject *result = argument ? PyObject_CallMethod(math, function, "O", argument) : NULL;
    Py_XDECREF(argument);
    return number_from_result(result, out);
}

int number_log(Number a, Number *out) {
    if (UNLIKELY(!(isfinite(a.x) && a.x > 0.0)))
        return number_from_math("log", a, out);
    *out = a_float(log(a.x));
    return 0;
}

int number_exp(Number a, Number *out) {
    double power = exp(a.x);
    if (UNLIKELY(!isfinite(power)))
        return number_from_math("exp", a, out);
    *out = a_float(power);
    return 0;
}
