/* The small negative powers that a GPT's forward and backward passes take, of many numbers at once,
 * with the bits of this machine's libm: x**-0.5, x**-1.5, x**-1 and x**-2. */
#ifndef ISOGRAD_POW_MANY_H
#define ISOGRAD_POW_MANY_H

#include <stddef.h>

typedef enum { POW_MINUS_HALF, POW_MINUS_3_HALVES, POW_MINUS_1, POW_MINUS_2 } Power;

/* power[i] = pow(x[i], p) for all n; `power` may be `x`. Any x: infinities and NaN come out as
 * Python has them; an infinity from a finite x is where Python raises ZeroDivisionError (x = 0),
 * OverflowError (else), which is up to the caller, as are negative x where p is no integer. errno
 * is not kept. */
void pow_many(double *power, const double *x, size_t n, Power p);

/* pow(x, p), libm's own. */
double pow_libm(double x, Power p);

/* The same as pow_many in AVX-512, which the caller has found to be there. */
void pow_many_avx512(double *power, const double *x, size_t n, Power p);

#endif
