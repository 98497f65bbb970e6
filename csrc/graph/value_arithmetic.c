/* The slots behind `a + b` and its like.
 *
 * Two exact Values, or one and a number, take the short way into operators.c. As soon as a subclass
 * is involved, the derived operators are spelled out as in the reference (`a - b` is `a + (-b)`)
 * and go through Python's dispatch, so that an overridden method is called where the reference
 * would call it.
 */
#include "value_arithmetic.h"

#include "dispatch.h"
#include "graph.h"
#include "numerics/compiler.h"
#include "operators.h"

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

static PyObject *slot_negative(PyObject *a) {
    if (Value_CheckExact(a))
        return value_mul_const((Node *)a, an_int(-1));
    return dispatched_negative(a);
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
        return value_pow((Node *)a, an_int(-1));
    return dispatched_reciprocal(a);
}

/* 1 and *out filled by `prepare` from the number `b`; 0 if `b` is none; -1 with an exception set.
 */
static int prepared_number(PyObject *b, int (*prepare)(Number, Number *), Number *out) {
    Number c;
    int found = number_from(b, &c);
    return found == 1 && prepare(c, out) < 0 ? -1 : found;
}

static int negated(Number c, Number *out) {
    *out = number_neg(c);
    return 0;
}

static int inverted(Number c, Number *out) { return number_pow(c, an_int(-1), out); }

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

PyNumberMethods value_as_number = {
    .nb_add = slot_add,
    .nb_subtract = slot_subtract,
    .nb_multiply = slot_multiply,
    .nb_power = slot_power,
    .nb_negative = slot_negative,
    .nb_true_divide = slot_divide,
};
