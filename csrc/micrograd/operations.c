/* Forward and derivative of each operation, side by side; see the header. */
#include "operations.h"

#include <math.h>

/* x.grad += local * y.grad, where y is the node and x its first operand. */
static int to_first(Scalar *y, Number local) {
    scalar_add_product(y->a, local, scalar_grad(y));
    return 0;
}

/* 1 - x */
static Number rest_of(Number x) { return number_add(an_int(1), number_neg(x)); }

/* ---- of two operands ---- */

Scalar *operation_add(Scalar *a, Scalar *b) {
    return scalar_of(ADD, number_add(scalar_data(a), scalar_data(b)), a, b);
}

static int hand_on_add(Scalar *y) {
    scalar_add_product(y->a, an_int(1), scalar_grad(y));
    scalar_add_product(y->b, an_int(1), scalar_grad(y));
    return 0;
}

Scalar *operation_mul(Scalar *a, Scalar *b) {
    return scalar_of(MUL, number_mul(scalar_data(a), scalar_data(b)), a, b);
}

static int hand_on_mul(Scalar *y) {
    scalar_add_product(y->a, scalar_data(y->b), scalar_grad(y));
    scalar_add_product(y->b, scalar_data(y->a), scalar_grad(y));
    return 0;
}

/* ---- of one operand ---- */

Scalar *operation_pow(Scalar *a, Number exponent) {
    Number power;
    if (number_pow(scalar_data(a), exponent, &power) < 0)
        return NULL;
    Scalar *y = scalar_of(POW, power, a, NULL);
    if (y) {
        y->exponent = exponent.x;
        y->word |= scalar_flag(exponent.is_int, EXPONENT_INT);
    }
    return y;
}

static int hand_on_pow(Scalar *y) {
    Number lower, n = scalar_exponent(y);
    if (number_pow(scalar_data(y->a), number_add(n, an_int(-1)), &lower) < 0)
        return -1;
    return to_first(y, number_mul(n, lower));
}

Scalar *operation_relu(Scalar *a) {
    return scalar_of(RELU, a->data < 0.0 ? an_int(0) : scalar_data(a), a, NULL);
}

static int hand_on_relu(Scalar *y) { return to_first(y, an_int(y->data > 0.0)); }

Scalar *operation_tanh(Scalar *a) { return scalar_of(TANH, a_float(tanh(a->data)), a, NULL); }

static int hand_on_tanh(Scalar *y) {
    Number square;
    if (number_pow(scalar_data(y), an_int(2), &square) < 0)
        return -1;
    return to_first(y, rest_of(square));
}

Scalar *operation_exp(Scalar *a) {
    Number power;
    if (number_exp(scalar_data(a), &power) < 0)
        return NULL;
    return scalar_of(EXP, power, a, NULL);
}

static int hand_on_exp(Scalar *y) { return to_first(y, scalar_data(y)); }

Scalar *operation_log(Scalar *a) {
    Number data;
    if (number_log(scalar_data(a), &data) < 0)
        return NULL;
    return scalar_of(LOG, data, a, NULL);
}

static int hand_on_log(Scalar *y) {
    if (y->a->data == 0.0) {
        PyErr_SetString(PyExc_ZeroDivisionError, "float division by zero");
        return -1;
    }
    return to_first(y, a_float(1.0 / y->a->data));
}

/* No exp here overflows. */
static double logistic(double x) {
    double e = exp(x >= 0.0 ? -x : x);
    return x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

Scalar *operation_sigmoid(Scalar *a) {
    return scalar_of(SIGMOID, a_float(logistic(a->data)), a, NULL);
}

static int hand_on_sigmoid(Scalar *y) {
    return to_first(y, number_mul(scalar_data(y), rest_of(scalar_data(y))));
}

/* ---- all ---- */

int operation_hand_on(Scalar *n) {
    switch (scalar_kind(n)) {
    case LEAF:
    case FUSED:
        break;
    case ADD:
        return hand_on_add(n);
    case MUL:
        return hand_on_mul(n);
    case POW:
        return hand_on_pow(n);
    case RELU:
        return hand_on_relu(n);
    case TANH:
        return hand_on_tanh(n);
    case EXP:
        return hand_on_exp(n);
    case LOG:
        return hand_on_log(n);
    case SIGMOID:
        return hand_on_sigmoid(n);
    }
    return 0;
}

PyObject *operation_name(const Scalar *n) {
    static const char *const names[] = {
        [LEAF] = "",     [ADD] = "+",   [MUL] = "*",   [RELU] = "ReLU",
        [TANH] = "tanh", [EXP] = "exp", [LOG] = "log", [SIGMOID] = "sigmoid",
    };
    if (scalar_kind(n) != POW)
        return PyUnicode_InternFromString(names[scalar_kind(n)]);
    PyObject *exponent = number_as_object(scalar_exponent(n));
    PyObject *name = exponent ? PyUnicode_FromFormat("**%S", exponent) : NULL;
    Py_XDECREF(exponent);
    return name;
}
