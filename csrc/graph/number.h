/* A number as the reference sees it, a double that Python may call an int, and Python's arithmetic
 * on such numbers. Nothing here knows of nodes.
 *
 * The reference's `Value(2).data` is an int, a fresh grad is the int 0, and so is relu's zero. Int
 * arithmetic has no negative zero. A result at or beyond 2**53 stops being an int and goes on as a
 * float: that is the one documented difference from the reference.
 */
#ifndef ISOGRAD_NUMBER_H
#define ISOGRAD_NUMBER_H

#define PY_SSIZE_T_CLEAN
#include <assert.h>
#include <Python.h>

#include "numerics/compiler.h"

typedef struct {
    double x;
    int is_int;
} Number;

#define INT_LIMIT 9007199254740992.0 /* 2**53 */

/* The last int that went on as a float, 0.0 if none has: `isograd run`, which may print nothing that
 * differs from the script's own class, clears it and asks. */
extern HIDDEN double number_lost_int;

static inline Number a_float(double x) { return (Number){x, 0}; }

/* For small constants; what is computed goes through as_int_result. */
static inline Number an_int(double x) {
    assert(x > -INT_LIMIT && x < INT_LIMIT && (double)(long long)x == x);
    return (Number){x, 1};
}

/* What Python's int arithmetic makes of `x`: exact below 2**53, and zero has no sign. */
static inline Number as_int_result(double x) {
    int fits = x > -INT_LIMIT && x < INT_LIMIT;
    if (UNLIKELY(!fits))
        number_lost_int = x;
    return (Number){x + 0.0, fits};
}
static inline Number number_add(Number a, Number b) {
    return a.is_int & b.is_int ? as_int_result(a.x + b.x) : a_float(a.x + b.x);
}
static inline Number number_mul(Number a, Number b) {
    return a.is_int & b.is_int ? as_int_result(a.x * b.x) : a_float(a.x * b.x);
}
static inline Number number_neg(Number a) { return a.is_int ? as_int_result(-a.x) : a_float(-a.x); }

/* The following return 0, or -1 with the exception set that Python's own arithmetic raises. */

/* a ** b; ValueError where the result is complex. */
int number_pow(Number a, Number b, Number *out);
/* math.log and math.exp. */
int number_log(Number a, Number *out);
int number_exp(Number a, Number *out);
/* Any function of the module math, by its name: slow, and right for every argument. */
int number_from_math(const char *function, Number a, Number *out);

/* number_from for whatever is not exactly a float. */
int number_from_other(PyObject *o, Number *out);

/* 1 and *out filled if `o` is a real number; 0 if it is none; -1 with an exception set. */
static inline int number_from(PyObject *o, Number *out) {
    if (PyFloat_CheckExact(o)) {
        *out = a_float(PyFloat_AS_DOUBLE(o));
        return 1;
    }
    return number_from_other(o, out);
}

/* The same where a number is the only choice: 0, or -1 with TypeError or the object's own exception
 * set. */
int number_required(PyObject *o, Number *out);

/* The number as a new Python int or float; NULL with MemoryError set. */
PyObject *number_as_object(Number a);

/* Once, before anything else here. 0, or -1 with an exception set. */
int number_init(void);

#endif
