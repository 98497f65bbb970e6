/* One step of Adam (Kingma and Ba 2015) over flat arrays, with the bits of CPython's arithmetic.
 *
 * For each parameter, in order, exactly what the reference's loop computes in Python floats:
 *     m = beta1 * m + rest1 * g
 *     v = beta2 * v + rest2 * g**2
 *     w = w - lr * (m / correction1) / ((v / correction2)**0.5 + eps)
 * where `**` is libm's pow with CPython's handling of special values and errors.
 *
 * adam-inl.h has the vector units' method, its proofs and measurements.
 */
#ifndef ISOGRAD_ADAM_UPDATE_H
#define ISOGRAD_ADAM_UPDATE_H

#include <stddef.h>

#include "calls.h"

typedef struct {
    double lr, beta1, beta2, rest1, rest2; /* rest = 1 - beta */
    double correction1, correction2;       /* 1 - beta**step */
    double eps;
} AdamRates;

_Static_assert(sizeof(AdamRates) == 8 * sizeof(double), "the tests lay it out like that");

/* Updates w, m and v (n each) by the gradients g (n). No two arrays overlap. Any alignment will do,
 * but 64 bytes is fastest. Returns n, or the index of the first parameter at which Python raises;
 * adam_error says what. Then all before it is updated and nothing after it, and its own m and v are
 * as Python's loop leaves them. The calls that matter (adam_notes.h) are noted in `calls`; NULL:
 * none are. */
size_t adam_update(double *restrict w, const double *restrict g, double *restrict m,
                   double *restrict v, size_t n, const AdamRates *rates, Calls *calls);

/* A first moment below 2**FAINT_M moves no weight from adam_least_weight() on, whatever v is: the
 * step is less than 2**-60 of the weight. For ordinary rates; else the least weight is infinite. */
#define FAINT_M (-500)
double adam_least_weight(const AdamRates *rates);

/* Its paths. Those of the vector units are only for a known libm and ordinary rates: such that the
 * proofs in adam-inl.h hold. */
int adam_rates_are_ordinary(const AdamRates *rates);
size_t adam_update_plain(double *restrict w, const double *restrict g, double *restrict m,
                         double *restrict v, size_t n, const AdamRates *rates, Calls *calls);
size_t adam_update_avx2(double *restrict w, const double *restrict g, double *restrict m,
                        double *restrict v, size_t n, const AdamRates *rates, Calls *calls);
size_t adam_update_avx512(double *restrict w, const double *restrict g, double *restrict m,
                          double *restrict v, size_t n, const AdamRates *rates, Calls *calls);

typedef enum { ADAM_OVERFLOW, ADAM_ZERO_DIVISION, ADAM_COMPLEX } AdamError;

/* Why adam_update stopped at the parameter whose gradient is g and whose second moment is now v:
 * g**2 raises OverflowError, a division raises ZeroDivisionError, or the root of a negative v is
 * complex in Python. The last cannot happen if no moment has ever been negative. */
AdamError adam_error(double g, double v, const AdamRates *rates);

#endif
