/* x**2, x**0.5, x**-1 and x**-2 with the bits of libm's pow, mostly without calling it. One number
 * at a time, for any processor; pow_many.h has the same and more for many numbers.
 *
 * Each function computes the double r nearest to the exact value, and the exact distance e from r
 * to it. If e is clear of pow's margin (libm_margins.h), pow returns r. Otherwise, and where r is a
 * power of two, pow itself is asked.
 *
 * Method: Dekker's exact product (1971). It needs no fused multiply-add and no flag but the absence
 * of contraction. Outside of the ranges below, the distance could overflow or lose bits; callers
 * must not come here with such numbers.
 *
 * In ns a call against libm's 20.4: x**-1 14, x**-2 17. In the same manner x**-0.5 and x**-1.5 took
 * 20.7 and 24.7; they are left to libm.
 */
#ifndef ISOGRAD_POWERS_H
#define ISOGRAD_POWERS_H

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "libm_margins.h"
#include "pair.h"

#define SQUARE_MIN 0x1p-400 /* for x**2 and x**0.5 */
#define SQUARE_MAX 0x1p+400
#define RECIPROCAL_MIN 0x1p-128 /* for the negative powers, here and in pow_avx512.c */
#define RECIPROCAL_MAX 0x1p+128
_Static_assert(400 / 2 <= NEAR_EXPONENT && 128 * 2 <= NEAR_EXPONENT,
               "pow's margin is the near one");

/* CPython's float ** of a positive finite base, or of any base but 0 to the power -1. Returns 0, or
 * -1 where CPython raises OverflowError. */
static inline int checked_pow(double base, double exponent, double *power) {
    errno = 0;
    *power = pow(base, exponent);
    return isinf(*power) || (errno != 0 && *power != 0.0) ? -1 : 0;
}

/* The spacing of doubles at the normal number r, or NaN where r is a power of two. */
static inline double spacing_at(double r) {
    uint64_t bits, exponent;
    double spacing;
    memcpy(&bits, &r, sizeof bits);
    exponent = bits & 0x7ff0000000000000u;
    if ((bits & 0x000fffffffffffffu) == 0)
        return NAN;
    bits = exponent - ((uint64_t)52 << 52);
    memcpy(&spacing, &bits, sizeof spacing);
    return spacing;
}

/* x * x - square exactly, for square = x * x rounded. */
static inline double square_residue(double x, double square) {
    double scaled = 134217729.0 * x; /* 2**27 + 1 splits 53 bits into 26 and 26 */
    double high = scaled - (scaled - x), low = x - high;
    return ((high * high - square) + 2.0 * high * low) + low * low;
}

/* pow(x, 2.0) for SQUARE_MIN <= |x| <= SQUARE_MAX. */
static inline double pow_2(double x) {
    assert(fabs(x) >= SQUARE_MIN && fabs(x) <= SQUARE_MAX);
    double square = x * x, e = square_residue(x, square);
    if (KNOWN_LIBM && fabs(e) <= (0.5 - POW_MARGIN) * spacing_at(square))
        return square;
    return pow(x, 2.0);
}

/* pow(x, 0.5) for SQUARE_MIN <= x <= SQUARE_MAX. With d = x - root**2, the exact root is root +
 * d / (2 root) less a term in d**2. That term is below root * 2**-106, far below the margin. */
static inline double pow_half(double x) {
    assert(x >= SQUARE_MIN && x <= SQUARE_MAX);
    double root = sqrt(x), square = root * root;
    double d = (x - square) - square_residue(root, square);
    if (KNOWN_LIBM && fabs(d) <= 2.0 * root * (0.5 - NEAR_POW_MARGIN) * spacing_at(root))
        return root;
    return pow(x, 0.5);
}

/* high + low rounded, if pow returns that for an exact value of high + low; else NaN. */
static inline double surely_nearest(double high, double low) {
    double nearest = high + low, e = low - (nearest - high);
    double limit = (0.5 - NEAR_POW_MARGIN) * spacing_at(nearest);
    return KNOWN_LIBM && fabs(e) <= limit ? nearest : NAN;
}

/* pow(x, -1.0) for RECIPROCAL_MIN <= x <= RECIPROCAL_MAX. With e = 1 - r*x, the exact value is
 * r * (1 + e + ..); the rest is below r * 2**-104. */
static inline double pow_minus_1(double x) {
    assert(x >= RECIPROCAL_MIN && x <= RECIPROCAL_MAX);
    double r = 1.0 / x;
    Pair unit = product_of(r, x);
    double power = surely_nearest(r, r * ((1.0 - unit.high) - unit.low));
    return power == power ? power : pow(x, -1.0);
}

/* pow(x, -2.0) for RECIPROCAL_MIN <= x <= RECIPROCAL_MAX. */
static inline double pow_minus_2(double x) {
    assert(x >= RECIPROCAL_MIN && x <= RECIPROCAL_MAX);
    double r = 1.0 / x;
    Pair unit = product_of(r, x), square = product_of(r, r);
    double e = (1.0 - unit.high) - unit.low;
    double power = surely_nearest(square.high, square.low + 2.0 * e * square.high);
    return power == power ? power : pow(x, -2.0);
}

#endif
