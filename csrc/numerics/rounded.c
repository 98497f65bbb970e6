/* The functions of rounded.h. assets/core/rounded.js is the same in JavaScript, but for quick_series.
 *
 * Method: a result is computed as high + low, the sum of two doubles, with an error of which a
 * bound is known. If all numbers within that bound round to one and the same double, it is the
 * result. If not, about once in ten thousand times, exact.h is asked. So what is computed here need
 * only be as good as its bounds; they are stated with each function, and have slack.
 */
#include "rounded.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "exact.h"
#include "exp_steps.h"
#include "pair.h"

/* 2**k, for k from -1022 to 1023. */
INLINE double power_of_two(int k) {
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* What all numbers within `error` of high + low round to; NaN if that is not one number. */
INLINE double nearest_if_sure(double high, double low, double error) {
    double down = high + (low - error);
    return down == high + (low + error) ? down : NAN;
}

#define EXP_ERROR 0x1p-68

/* exp(x) = (value.high + value.low) * 2**k for |x| <= 709; high is from 0.97 to 2, |low| below
 * 2**-17, the error below EXP_ERROR.
 *
 * With x = n * ln2/16 + s + t, |s| <= 0.0217, where t is what s lacks,
 *     exp(s + t) = 1 + s + s**2 / 2 + rest, rest = t + s*t + s**3 / 6 + .. + s**9 / 9!,
 * where the terms left out are below 2**-76. The rest, below 2**-19, is off by 2**-70.5 at most.
 * The other terms are exact sums of two doubles, and so is their product with 2**(n/16). What is
 * below their last place is added up in five roundings of at most 2**-72.
 */
typedef struct {
    Pair value;
    int k;
} ExpParts;

INLINE ExpParts exp_parts(double x) {
    double n = (x * STEPS_PER_UNIT + ROUNDER) - ROUNDER;
    double near = x - n * STEP, s = near - n * STEP_TAIL, t = (near - s) - n * STEP_TAIL;

    Pair square = product_of(s, s);
    double series = 1.0 / 5040 + s * (1.0 / 40320 + s * (1.0 / 362880));
    series = 1.0 / 24 + s * (1.0 / 120 + s * (1.0 / 720 + s * series));
    series = s * (1.0 / 6 + s * series);
    double rest = t + s * t + 0.5 * square.low + square.high * series;
    Pair most = quick_sum_of(s, 0.5 * square.high);

    int i = (int)n & 15;
    Pair scaled = product_of(power[i], most.high), sum = quick_sum_of(power[i], scaled.high);
    double tail = power[i] * (most.low + rest) + power_tail[i] * (1.0 + most.high);
    return (ExpParts){{sum.high, sum.low + (scaled.low + tail)}, ((int)n - i) / 16};
}

double rounded_exp(double x) {
    if (x > -708.0 && x < 709.0) {
        ExpParts e = exp_parts(x);
        double result = nearest_if_sure(e.value.high, e.value.low, EXP_ERROR);
        if (LIKELY(result == result))
            return result * power_of_two(e.k);
    }
    return exact_exp(x);
}

#define LN2 0x1.62e42fefa3800p-1 /* to 42 bits, so that products with exponents are exact */
#define LN2_TAIL 0x1.ef35793c76730p-45
#define HALF_ROOT 0.7071067811865476

/* With x = f * 2**k, f from 0.7 to 1.4, and y = log(f), good or not so good, log(f) is y +
 * log(1 + z), where z = f * exp(-y) - 1 is tiny. If |y| is 0.0217 or more, z is off by as much as
 * exp is. If it is less, the products and sums with 2**(n/16) = 1 are exact, so the error of exp is
 * that of its rest: |y|**3 * 2**-53, and 2**-103 for the last places. */
double rounded_log(double x) {
    if (x > 1e-300 && x < 1e300) {
        int k;
        double f = frexp(x, &k);
        if (f < HALF_ROOT)
            f *= 2.0, k--;
        double y = log(f);
        ExpParts e = exp_parts(-y);
        double scaled = f * power_of_two(e.k);
        Pair unit = product_of(scaled, e.value.high), total = sum_of(k * LN2, y);
        double z = (unit.high - 1.0) + (unit.low + scaled * e.value.low);
        double low = total.low + (z - 0.5 * z * z + k * LN2_TAIL);
        double result = nearest_if_sure(total.high, low, fabs(y) * 0x1p-62 + 0x1p-102);
        if (LIKELY(result == result))
            return result;
    }
    return exact_log(x);
}

/* For the powers: all that is computed on the way is far from the ends of the doubles' range. */
#define POWER_MIN 0x1p-300
#define POWER_MAX 0x1p+300

double rounded_inverse(double x) { return 1.0 / x; }

/* With e = 1 - r*x, 1/x is r * (1 + e + ..); what is left out is below 2**-104. */
double rounded_inverse_square(double x) {
    if (fabs(x) > POWER_MIN && fabs(x) < POWER_MAX) {
        double r = 1.0 / x;
        Pair unit = product_of(r, x), square = product_of(r, r);
        double e = (1.0 - unit.high) - unit.low, low = square.low + 2.0 * e * square.high;
        double result = nearest_if_sure(square.high, low, 0x1p-100 * square.high);
        if (LIKELY(result == result))
            return result;
    }
    return exact_inverse_square(x);
}

/* 1 - x * y**2 for y = 1 / sqrt(x) as computed and its exact square. With this e, x**-0.5 is
 * y * (1 + e/2 + ..) and x**-1.5 is y**3 * (1 + 3/2 e + ..), to 2**-100. */
INLINE double inverse_root_residue(double x, Pair square) {
    Pair unit = product_of(x, square.high);
    return ((1.0 - unit.high) - unit.low) - x * square.low;
}

double rounded_inverse_root(double x) {
    if (x > POWER_MIN && x < POWER_MAX) {
        double y = 1.0 / sqrt(x), e = inverse_root_residue(x, product_of(y, y));
        double result = nearest_if_sure(y, 0.5 * e * y, 0x1p-98 * y);
        if (LIKELY(result == result))
            return result;
    }
    return exact_inverse_root(x);
}

double rounded_inverse_root_cubed(double x) {
    if (x > POWER_MIN && x < POWER_MAX) {
        double y = 1.0 / sqrt(x);
        Pair square = product_of(y, y), cube = product_of(square.high, y);
        double e = inverse_root_residue(x, square);
        double low = (cube.low + square.low * y) + 1.5 * e * cube.high;
        double result = nearest_if_sure(cube.high, low, 0x1p-97 * cube.high);
        if (LIKELY(result == result))
            return result;
    }
    return exact_inverse_root_cubed(x);
}

double rounded_root(double x) { return x == -INFINITY ? INFINITY : sqrt(x + 0.0); }

double rounded_square(double x) { return x * x; }

/* pi / 2 in three parts; the first two are short, so that products with 1 to 4 are exact. */
#define HALF_PI 0x1.921fb54442d18p+0
#define HALF_PI_MIDDLE 0x1.1a62633145c00p-54
#define HALF_PI_LOW 0x1.b839a252049c1p-104

/* a * b, to 2**-102. */
INLINE Pair pair_product(Pair a, Pair b) {
    Pair product = product_of(a.high, b.high);
    return quick_sum_of(product.high, product.low + (a.high * b.low + a.low * b.high));
}

/* 1 - a / n, to 2**-102. */
INLINE Pair one_minus_part(Pair a, double n) {
    double part = a.high / n;
    Pair back = product_of(part, n), difference = sum_of(1.0, -part);
    double part_low = ((a.high - back.high) - back.low + a.low) / n;
    return quick_sum_of(difference.high, difference.low - part_low);
}

/* 1 - r**2 / ((n + 1) (n + 2)) * (1 - ..): cos(r) for n = 0, sin(r) / r for n = 1; |r| < 0.8. The
 * factors from `last` on are in `rest`. */
INLINE Pair pair_series(Pair square, int n, int last, double rest) {
    Pair series = {rest, 0.0};
    for (int i = n + last; i >= n; i -= 2)
        series = one_minus_part(pair_product(square, series), (i + 1) * (i + 2));
    return series;
}

/* The same to 2**-62, which mostly will do: all but the first three factors in double precision,
 * whose errors come to square / 2 * square / 12 * square / 30 of themselves. */
INLINE Pair quick_series(Pair square, int n) {
    double rest = 1.0;
    UNROLL for (int i = n + 18; i >= n + 6; i -= 2) rest =
        1.0 - square.high * (1.0 / ((i + 1) * (i + 2))) * rest;
    return pair_series(square, n, 4, rest);
}

/* sin(x + quarters * pi/2) for x from 2**-26 to 2 pi; NaN if in doubt. */
static double circular(double x, int quarters) {
    int k = (int)(x / HALF_PI + 0.5), quadrant = (k + quarters) % 4, is_cos = quadrant % 2;
    Pair most = sum_of(x - k * HALF_PI, -k * HALF_PI_MIDDLE);
    Pair r = quick_sum_of(most.high, most.low - k * HALF_PI_LOW), square = pair_product(r, r);
    Pair value = is_cos ? quick_series(square, 0) : pair_product(r, quick_series(square, 1));
    double size = nearest_if_sure(value.high, value.low, 0x1p-62 * fabs(value.high));
    if (UNLIKELY(size != size)) {
        value = is_cos ? pair_series(square, 0, 26, 1.0)
                       : pair_product(r, pair_series(square, 1, 26, 1.0));
        size = nearest_if_sure(value.high, value.low, 0x1p-95 * fabs(value.high));
    }
    return quadrant > 1 ? -size : size;
}

double rounded_cos(double x) {
    double result = x > 0x1p-26 && x < 6.3 ? circular(x, 1) : NAN;
    return result == result ? result : exact_cos(x);
}

double rounded_sin(double x) {
    double result = x > 0x1p-26 && x < 6.3 ? circular(x, 0) : NAN;
    return result == result ? result : exact_sin(x);
}

RoundedFunction rounded_function(const char *name) {
    static const struct {
        const char *name;
        RoundedFunction function;
    } all[] = {
        {"exp", rounded_exp},
        {"log", rounded_log},
        {"cos", rounded_cos},
        {"sin", rounded_sin},
        {"inverse", rounded_inverse},
        {"inverse_square", rounded_inverse_square},
        {"inverse_root", rounded_inverse_root},
        {"inverse_root_cubed", rounded_inverse_root_cubed},
        {"root", rounded_root},
        {"square", rounded_square},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(name, all[i].name) == 0)
            return all[i].function;
    return NULL;
}
