/* exp of many numbers at once, with the bits of this machine's libm. */
#ifndef ISOGRAD_EXP_MANY_H
#define ISOGRAD_EXP_MANY_H

#include <stddef.h>

#include "calls.h"

/* x[i] = exp(x[i]) for n numbers. Overflow gives infinity, and underflow 0 or a subnormal number,
 * as libm does; Python's OverflowError is the caller's to raise. errno is not kept. Which calls are
 * noted, `noted` says; NULL: none. */
void exp_many(double *x, size_t n, const Noted *noted);

/* The same in vectors. The caller knows that the processor has the unit, and that libm is a known
 * one. */
void exp_many_avx2(double *x, size_t n, const Noted *noted);
void exp_many_avx512(double *x, size_t n, const Noted *noted);

#endif
