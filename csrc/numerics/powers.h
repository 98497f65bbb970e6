/* x**2, x**0.5, x**-1 and x**-2 with the bits of libm's pow, mostly without calling it.
 *
 * Python's `**` is libm's pow, which is not correctly rounded: its result is one of the two doubles
 * around the exact value, and the nearer one unless both are about equally near. So compute the
 * nearest double r and the exact distance e from it to the true value. Let u be the spacing of
 * doubles at r and let pow err by less than 0.545 u (glibc and musl state 0.54; 0.508 is the most
 * in what has been measured). If |e| <= 0.455 u, then every other double is at least 0.545 u away
 * from the true value, so pow cannot return it: it returns r. Otherwise, in some 9 % of cases, pow
 * itself is asked.
 *
 * At a power of two the spacing below r is u / 2 and the argument fails; pow is asked there, too.
 * Outside [SAFE_MIN, SAFE_MAX], for the negative powers [LOWEST_BASE, HIGHEST_BASE], the distance
 * could overflow or lose bits, and callers must not come here. Method: Dekker's exact product
 * (1971), which needs no fused multiply-add and no flag but the absence of contraction.
 *
 * In ns a call against libm's 20.4: x**-1 14, x**-2 17. x**-0.5 and x**-1.5 took 20.7 and 24.7 in
 * the same manner and are left to libm.
 */
#ifndef ISOGRAD_POWERS_H
#define ISOGRAD_POWERS_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "known_libm.h"

#define SAFE_MIN 0x1p-400
#define SAFE_MAX 0x1p+400
#define LOWEST_BASE 0x1p-300
#define HIGHEST_BASE 0x1p+300
#define SURELY_NEAREST 0.455

/* CPython's float ** of a positive finite base, or of any but 0 to the power -1: 0, or -1 where it
 * raises OverflowError. */
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

/* pow(x, 2.0) for SAFE_MIN <= |x| <= SAFE_MAX. */
static inline double pow_2(double x) {
    double square = x * x;
    if (KNOWN_LIBM && fabs(square_residue(x, square)) <= SURELY_NEAREST * spacing_at(square))
        return square;
    return pow(x, 2.0);
}

/* pow(x, 0.5) for SAFE_MIN <= x <= SAFE_MAX. With d = x - root**2, the true root is root + d / (2
 * root) less a term in d**2, below root * 2**-106 and thus far below the margin. */
static inline double pow_half(double x) {
    double root = sqrt(x), square = root * root;
    double d = (x - square) - square_residue(root, square);
    if (KNOWN_LIBM && fabs(d) <= 2.0 * SURELY_NEAREST * root * spacing_at(root))
        return root;
    return pow(x, 0.5);
}

/* A number as the sum of two doubles. */
typedef struct {
    double high, low;
} Pair;

/* a * b exactly. */
static inline Pair product_of(double a, double b) {
    double scaled_a = 134217729.0 * a, scaled_b = 134217729.0 * b, high = a * b;
    double a1 = scaled_a - (scaled_a - a), a2 = a - a1;
    double b1 = scaled_b - (scaled_b - b), b2 = b - b1;
    return (Pair){high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2};
}

/* high + low if it rounds to what pow returns, else NaN. */
static inline double surely_nearest(double high, double low) {
    double nearest = high + low, e = low - (nearest - high);
    return KNOWN_LIBM && fabs(e) <= SURELY_NEAREST * spacing_at(nearest) ? nearest : NAN;
}

/* pow(x, -1.0) for LOWEST_BASE <= x <= HIGHEST_BASE. With e = 1 - r*x, the true value is r * (1 + e
 * + ..), the rest below 2**-104. */
static inline double pow_minus_1(double x) {
    double r = 1.0 / x;
    Pair unit = product_of(r, x);
    double power = surely_nearest(r, r * ((1.0 - unit.high) - unit.low));
    return power == power ? power : pow(x, -1.0);
}

/* pow(x, -2.0) for LOWEST_BASE <= x <= HIGHEST_BASE. */
static inline double pow_minus_2(double x) {
    double r = 1.0 / x;
    Pair unit = product_of(r, x), square = product_of(r, r);
    double e = (1.0 - unit.high) - unit.low;
    double power = surely_nearest(square.high, square.low + 2.0 * e * square.high);
    return power == power ? power : pow(x, -2.0);
}

#endif
