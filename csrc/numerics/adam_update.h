/* One step of Adam (Kingma and Ba 2015) over flat arrays, with the bits of CPython's arithmetic.
 *
 * For each parameter, in order, exactly what the reference's loop computes in Python floats:
 *     m = beta1 * m + rest1 * g
 *     v = beta2 * v + rest2 * g**2
 *     w = w - lr * (m / correction1) / ((v / correction2)**0.5 + eps)
 * where `**` is libm's pow with CPython's handling of special values and errors.
 *
 * adam_avx512.c has the measurements; adam_paths.h the proofs.
 */
#ifndef ISOGRAD_ADAM_UPDATE_H
#define ISOGRAD_ADAM_UPDATE_H

#include <stddef.h>

typedef struct {
    double lr, beta1, beta2, rest1, rest2; /* rest = 1 - beta */
    double correction1, correction2;       /* 1 - beta**step */
    double eps;
} AdamRates;

/* Updates w, m and v (n each; no two arrays overlap; any alignment, but 64 bytes is fastest) by the
 * gradients g. Returns n, or the index of the first parameter at which Python raises: adam_error
 * says what. Everything before it is updated then, nothing after it, and its own m and v are as
 * Python's loop leaves them. */
size_t adam_update(double *restrict w, const double *restrict g, double *restrict m,
                   double *restrict v, size_t n, const AdamRates *rates);

typedef enum { ADAM_OVERFLOW, ADAM_ZERO_DIVISION, ADAM_COMPLEX } AdamError;

/* Why adam_update stopped at the parameter whose gradient is g and whose second moment is now v:
 * OverflowError of g**2, ZeroDivisionError, or the root of a negative v, a complex number in
 * Python, which cannot arise from moments that were never negative. */
AdamError adam_error(double g, double v, const AdamRates *rates);

#endif
