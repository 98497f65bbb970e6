/* The small negative powers that a GPT's forward and backward passes take, of many numbers at once,
 * with the bits of this machine's libm: x**-0.5, x**-1.5, x**-1 and x**-2. */
#ifndef ISOGRAD_POW_MANY_H
#define ISOGRAD_POW_MANY_H

#include <stddef.h>

typedef enum { POW_MINUS_HALF, POW_MINUS_3_HALVES, POW_MINUS_1, POW_MINUS_2 } Power;

/* power[i] = pow(x[i], p) for n numbers; `power` is `x` or does not overlap it. Takes any x, and
 * gives infinities and NaN where Python does. An infinity from a finite x is where Python raises
 * ZeroDivisionError (x = 0) or OverflowError (else). That is the caller's to raise, and so is what
 * Python makes of a negative x and a p that is no integer. errno is not kept. */
void pow_many(double *power, const double *x, size_t n, Power p);

/* pow(x, p), libm's own. */
double pow_libm(double x, Power p);

/* The same as pow_many in AVX-512. The caller knows that the processor has it, and that libm is a
 * known one. */
void pow_many_avx512(double *power, const double *x, size_t n, Power p);

#endif
