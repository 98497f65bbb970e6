/* The functions of exact.h. assets/core/exact.js is the same in JavaScript. */
#include "exact.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

#define LIMBS 10

/* The sum of limb[i] * 2**(-32 * i): limb[0] is what stands before the point. */
typedef struct {
    uint32_t limb[LIMBS];
} Fixed;

static const Fixed zero = {{0}};
static const Fixed one = {{1}};
static const Fixed ln2 = {{0, 0xb17217f7, 0xd1cf79ab, 0xc9e3b398, 0x03f2f6af, 0x40f34326,
                           0x7298b62d, 0x8a0d175b, 0x8baafa2b, 0xe7b87620}};
static const Fixed half_pi = {{1, 0x921fb544, 0x42d18469, 0x898cc517, 0x01b839a2, 0x52049c11,
                               0x14cf98e8, 0x04177d4c, 0x76273644, 0xa29410f3}};

/* x from 0 to 2**32, cut off after the last place. */
static Fixed fixed(double x) {
    Fixed n;
    assert(x >= 0.0 && x < 0x1p+32);
    for (int i = 0; i < LIMBS; i++) {
        n.limb[i] = (uint32_t)x;
        x = (x - n.limb[i]) * 0x1p+32;
    }
    return n;
}

static Fixed add(Fixed a, Fixed b) {
    uint64_t carry = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        carry += (uint64_t)a.limb[i] + b.limb[i];
        a.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

/* a - b, for a >= b. */
static Fixed subtract(Fixed a, Fixed b) {
    uint64_t borrow = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        uint64_t difference = (uint64_t)a.limb[i] - b.limb[i] - borrow;
        a.limb[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
    assert(!borrow);
    return a;
}

static int is_less(Fixed a, Fixed b) {
    int i = 0;
    while (i < LIMBS - 1 && a.limb[i] == b.limb[i])
        i++;
    return a.limb[i] < b.limb[i];
}

static Fixed times(Fixed a, Fixed b) {
    uint32_t product[2 * LIMBS] = {0}; /* product[i + 1] is worth 2**(-32 * i) */
    for (int i = LIMBS - 1; i >= 0; i--) {
        uint64_t carry = 0;
        for (int j = LIMBS - 1; j >= 0; j--) {
            carry += (uint64_t)a.limb[i] * b.limb[j] + product[i + j + 1];
            product[i + j + 1] = (uint32_t)carry;
            carry >>= 32;
        }
        product[i] = (uint32_t)carry;
    }
    for (int i = 0; i < LIMBS; i++)
        a.limb[i] = product[i + 1];
    return a;
}

static Fixed times_integer(Fixed a, uint32_t n) {
    uint64_t carry = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        carry += (uint64_t)a.limb[i] * n;
        a.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

static Fixed divided_by(Fixed a, uint32_t n) {
    uint64_t rest = 0;
    for (int i = 0; i < LIMBS; i++) {
        rest = rest << 32 | a.limb[i];
        a.limb[i] = (uint32_t)(rest / n);
        rest %= n;
    }
    return a;
}

/* The bit of `a` that is worth 2**place. */
static unsigned bit(const Fixed *a, int place) {
    int below = 31 - place; /* the highest bit */
    return below < 32 * LIMBS ? a->limb[below / 32] >> (31 - below % 32) & 1u : 0;
}

/* The double nearest to a * 2**exponent, for a > 0. */
static double nearest(Fixed a, int exponent) {
    int place = 31, n_bits = 53;
    double kept = 0.0;
    while (!bit(&a, place))
        place--;
    if (place + exponent < -1022) /* a subnormal number has fewer bits */
        n_bits += place + exponent + 1022;
    if (n_bits < 0)
        return 0.0;
    for (int i = 0; i < n_bits; i++)
        kept = 2.0 * kept + bit(&a, place - i);
    kept += bit(&a, place - n_bits);
    return ldexp(kept, place + exponent + 1 - n_bits);
}

/* exp(r), for r from 0 to 1. */
static Fixed series_of_exp(Fixed r) {
    Fixed sum = one, term = one;
    for (uint32_t n = 1; is_less(zero, term); n++) {
        term = divided_by(times(term, r), n);
        sum = add(sum, term);
    }
    return sum;
}

double exact_exp(double x) {
    if (!(fabs(x) < 750.0))
        return x > 0.0 ? INFINITY : x < 0.0 ? 0.0 : x;
    int k = (int)floor(x / 0.6931471805599453 - 1e-6); /* so that r, what is left, is not below 0 */
    Fixed size = fixed(fabs(x)), multiple = times_integer(ln2, (uint32_t)(k < 0 ? -k : k)), r;
    if (k >= 0)
        r = subtract(size, multiple);
    else
        r = x < 0.0 ? subtract(multiple, size) : add(multiple, size);
    return nearest(series_of_exp(r), k);
}

/* log(f), for f from 1 to 2: a guess y below it, and a step of Newton's, log(f * exp(-y)). */
static Fixed log_of(double f) {
    if (f == 1.0)
        return zero;
    Fixed y = fixed(fmax(log(f) - 1e-12, 0.0));
    Fixed z = subtract(divided_by(times(fixed(f), series_of_exp(subtract(ln2, y))), 2), one);
    Fixed sum = z, power = z;
    for (uint32_t n = 2; is_less(zero, power); n++) {
        power = times(power, z);
        sum = (n % 2 ? add : subtract)(sum, divided_by(power, n));
    }
    return add(y, sum);
}

double exact_log(double x) {
    int exponent;
    if (!(x > 0.0 && x < INFINITY))
        return x == 0.0 ? -INFINITY : x > 0.0 ? x : NAN;
    if (x == 1.0)
        return 0.0;
    Fixed log_f = log_of(2.0 * frexp(x, &exponent));
    if (exponent < 1)
        return -nearest(subtract(times_integer(ln2, (uint32_t)(1 - exponent)), log_f), 0);
    return nearest(add(times_integer(ln2, (uint32_t)(exponent - 1)), log_f), 0);
}

/* 1 - r**2 / ((n + 1) (n + 2)) + ..: cos(r) for n = 0, sin(r) / r for n = 1; r from 0 to 1. */
static Fixed series_of_circle(Fixed r, uint32_t n) {
    Fixed square = times(r, r), sum = one, term = one;
    for (int is_added = 0; is_less(zero, term); is_added = !is_added) {
        term = divided_by(times(term, square), (n + 1) * (n + 2));
        sum = (is_added ? add : subtract)(sum, term);
        n += 2;
    }
    return sum;
}

/* sin(x + quarters * pi / 2), for x from 2**-27 to 8. */
static double circular(double x, int quarters) {
    int k = (int)(x / 1.5707963267948966 + 0.5), quadrant = (k + quarters) % 4;
    Fixed size = fixed(x), multiple = times_integer(half_pi, (uint32_t)k);
    int is_cos = quadrant % 2, is_below = is_less(size, multiple);
    Fixed r = is_below ? subtract(multiple, size) : subtract(size, multiple);
    Fixed value = is_cos ? series_of_circle(r, 0) : times(r, series_of_circle(r, 1));
    int is_negative = (quadrant > 1) != (!is_cos && is_below);
    return is_negative ? -nearest(value, 0) : nearest(value, 0);
}

double exact_cos(double x) {
    if (fabs(x) < 0x1p-27)
        return 1.0;
    return fabs(x) < 8.0 ? circular(fabs(x), 1) : NAN;
}

double exact_sin(double x) {
    if (fabs(x) < 0x1p-26)
        return x;
    return fabs(x) < 8.0 ? copysign(1.0, x) * circular(fabs(x), 0) : NAN;
}

/* x**(-n / 2) for x >= 0, by Newton's iteration for the inverse root. */
static double inverse_power(double x, int n) {
    int exponent;
    if (!(x > 0.0 && x < INFINITY))
        return x == 0.0 ? INFINITY : x > 0.0 ? 0.0 : NAN;
    double f = 2.0 * frexp(x, &exponent); /* then x = f * 4**k, f from 1 to 4 */
    int is_odd = (exponent - 1) & 1, k = (exponent - 1 - is_odd) / 2;
    f = is_odd ? 2.0 * f : f;
    Fixed y = fixed(1.0 / sqrt(f));
    for (int i = 0; i < 3; i++)
        y = divided_by(times(y, subtract(fixed(3.0), times(fixed(f), times(y, y)))), 2);
    Fixed power = y;
    for (int i = 1; i < n; i++)
        power = times(power, y);
    return nearest(power, -n * k);
}

double exact_inverse_square(double x) { return inverse_power(fabs(x), 4); }

/* As in libm, the infinite below 0 has roots, and no other number below 0 has. */
double exact_inverse_root(double x) { return x == -INFINITY ? 0.0 : inverse_power(x, 1); }

double exact_inverse_root_cubed(double x) { return x == -INFINITY ? 0.0 : inverse_power(x, 3); }
