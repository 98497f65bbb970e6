/* The small powers that a GPT's forward and backward passes take, of many numbers at once, with the
 * bits of this machine's libm: x**-0.5, x**-1.5, x**-1, x**-2 and x**2. */
#ifndef ISOGRAD_POW_MANY_H
#define ISOGRAD_POW_MANY_H

#include <stddef.h>

#include "calls.h"

typedef enum { POW_MINUS_HALF, POW_MINUS_3_HALVES, POW_MINUS_1, POW_MINUS_2, POW_2 } Power;

/* power[i] = pow(x[i], p) for n numbers; `power` is `x` or does not overlap it. Takes any x, and
 * gives infinities and NaN where Python does. An infinity from a finite x is where Python raises
 * ZeroDivisionError (x = 0) or OverflowError (else). That is the caller's to raise, and so is what
 * Python makes of a negative x and a p that is no integer. errno is not kept. Which calls are noted,
 * `noted` says; NULL: none. */
void pow_many(double *power, const double *x, size_t n, Power p, const Noted *noted);

/* pow(x, p), libm's own. */
double pow_libm(double x, Power p);

/* Notes that power number i of some, of x, is `power`, if that is to be noted. */
void pow_note(const Noted *noted, size_t i, double x, Power p, double power);

/* The same as pow_many in AVX-512, of negative powers. The caller knows that the processor has it,
 * and that libm is a known one. */
void pow_many_avx512(double *power, const double *x, size_t n, Power p, const Noted *noted);

#endif
