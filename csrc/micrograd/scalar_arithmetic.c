/* The slots behind `a + b` and its like.
 *
 * Where a subclass is involved, the derived operators go through Python's dispatch, as in the
 * reference (`a - b` is `a + (-b)`), so that an overridden method is called where it would call it.
 */
#include "scalar_arithmetic.h"

#include "graph/dispatch.h"
#include "operations.h"

typedef Scalar *(*Operation)(Scalar *, Scalar *);

/* operation(a, a leaf that holds c) */
static PyObject *with_constant(Scalar *a, Number c, Operation operation) {
    Scalar *leaf = scalar_new(LEAF, c, NULL, NULL);
    Scalar *y = leaf ? operation(a, leaf) : NULL;
    Py_XDECREF((PyObject *)leaf);
    return (PyObject *)y;
}

/* The reference's method of `a`, whatever `b` is. */
static PyObject *with_any(Scalar *a, PyObject *b, Operation operation) {
    if (Scalar_Check(b))
        return (PyObject *)operation(a, (Scalar *)b);
    Number c;
    int found = number_from(b, &c);
    if (found == 0)
        Py_RETURN_NOTIMPLEMENTED;
    return found < 0 ? NULL : with_constant(a, c, operation);
}

static PyObject *slot_add(PyObject *a, PyObject *b) {
    if (Scalar_Check(a))
        return with_any((Scalar *)a, b, operation_add);
    return Scalar_CheckExact(b) ? with_any((Scalar *)b, a, operation_add) : PyNumber_Add(b, a);
}

static PyObject *slot_multiply(PyObject *a, PyObject *b) {
    if (Scalar_Check(a))
        return with_any((Scalar *)a, b, operation_mul);
    return Scalar_CheckExact(b) ? with_any((Scalar *)b, a, operation_mul) : PyNumber_Multiply(b, a);
}

static PyObject *slot_negative(PyObject *a) {
    if (Scalar_CheckExact(a))
        return with_constant((Scalar *)a, an_int(-1), operation_mul);
    return dispatched_negative(a);
}

static PyObject *slot_power(PyObject *a, PyObject *exponent, PyObject *modulus) {
    Number n;
    if (!Scalar_Check(a) || modulus != Py_None)
        Py_RETURN_NOTIMPLEMENTED;
    if (!PyFloat_Check(exponent) && !PyLong_Check(exponent)) {
        PyErr_SetString(PyExc_AssertionError, "the exponent of a Value must be an int or a float");
        return NULL;
    }
    return number_from(exponent, &n) < 0 ? NULL : (PyObject *)operation_pow((Scalar *)a, n);
}

static PyObject *slot_subtract(PyObject *a, PyObject *b) {
    if (!Scalar_Check(a) || Scalar_Check(b))
        return combine_new(a, PyNumber_Negative(b), PyNumber_Add);
    Number c;
    int found = number_from(b, &c);
    if (found == 0)
        Py_RETURN_NOTIMPLEMENTED;
    return found < 0 ? NULL : combine_new(a, number_as_object(number_neg(c)), PyNumber_Add);
}

static PyObject *slot_divide(PyObject *a, PyObject *b) {
    if (!Scalar_Check(a) || Scalar_Check(b))
        return combine_new(a, dispatched_reciprocal(b), PyNumber_Multiply);
    Number c, inverse;
    int found = number_from(b, &c);
    if (found == 0)
        Py_RETURN_NOTIMPLEMENTED;
    if (found < 0 || number_pow(c, an_int(-1), &inverse) < 0)
        return NULL;
    return combine_new(a, number_as_object(inverse), PyNumber_Multiply);
}

PyNumberMethods scalar_as_number = {
    .nb_add = slot_add,
    .nb_subtract = slot_subtract,
    .nb_multiply = slot_multiply,
    .nb_power = slot_power,
    .nb_negative = slot_negative,
    .nb_true_divide = slot_divide,
};
