/* exp of eight numbers at a time, for both of x86's vector units: the method, its error, the code.
 *
 * The file that includes this sets WIDTH and EXP_MANY, the name of the function.
 *
 * Measured on a 2.5 GHz Xeon (Cascade Lake), glibc 2.36, in ns a value: 7 at a time 7.2 against 6.2
 * for libm in a loop, 28 at a time 3.9 against 6.2, 112 or more 2.8 against 5.8; libm is asked for
 * 4 % of the values. Four at a time in AVX2 took 5.5, which is no gain: there and elsewhere libm does
 * it all. But where calls are noted, AVX2 saves looking at those that are not in doubt.
 *
 * If exp(x) is known to within d, and EXP_MARGIN ulp and d from there either way round to one and
 * the same double, then that is what libm returns (libm_margins.h). Else libm is asked.
 *
 * Reduction (Tang 1989): x = k * ln2/16 + r, |r| <= 0.0217, exp(x) = 2**(k/16) * exp(r), and
 * 2**(k/16) is 2**(k div 16) times an entry of the table power + power_tail.
 * ln2/16 = STEP + STEP_TAIL, where STEP has 38 bits. |k| < 2**14 for |x| <= 700, so k*STEP is
 * exact, and so is x - k*STEP: it is below 2**-5 and a multiple of 2**-58, as x is for k != 0. With
 * the tail, r is the sum of two doubles, s + t, good to 2**-81.
 *
 * exp(r) - 1 = s + q, q = t + s**2 * (1/2 + s/6 + .. + s**6/8!): what is left out is below 2**-68,
 * in s*t below 2**-59 * 2**-5, and q, below 2**-12, is rounded a few times: 2**-63 in all. Then
 *     2**(k/16) * (1 + s + q) = (power + power*s) + (power*q + power_tail*(1 + s)), the first
 * bracket as an exact sum high + e, all the rest, below 2**-11, in double precision: another few
 * times 2**-64, and below 2**-60 in all. high is from 0.97 to 1.96, where an ulp is 2**-53 or
 * 2**-52. So MARGIN covers this error and EXP_MARGIN ulp.
 */
#include <math.h>

#include "compiler.h"
#include "exp_many.h"
#include "exp_steps.h"
#include "lanes_x86-inl.h"
#include "libm_margins.h"

#define LIMIT 700.0 /* results are normal numbers */
#define MARGIN (EXP_MARGIN * 0x1p-52 + 0x1p-60)
#define BLOCK 256

/* table[k mod 16], where k is in the low bits of `rounded`. */
INLINE Lanes look_up(const double *table, Bits rounded) {
#if WIDTH == 8
    vec low = _mm512_load_pd(table), high = _mm512_load_pd(table + LANES);
    return (Lanes){{_mm512_permutex2var_pd(low, (__m512i)rounded.part[0], high)}};
#else
    Lanes found;
    EACH_PART found.part[i] = _mm256_i64gather_pd(table, (__m256i)(rounded.part[i] & 15), 8);
    return found;
#endif
}

/* x * 2**(k div 16), where k is in the low bits of `rounded`; the result is a normal number. */
INLINE Lanes scale(Lanes x, Bits rounded) {
    EACH_PART {
        ubits exponent = rounded.part[i] << 48 & 0xfff0000000000000;
        x.part[i] = (vec)((ubits)x.part[i] + exponent);
    }
    return x;
}

/* The exp of eight numbers; in `undecided` the lanes for which it is not known to be libm's. */
INLINE Lanes exp_of(Lanes x, unsigned *undecided) {
    Lanes rounded = mul_add(x, splat(STEPS_PER_UNIT), splat(ROUNDER));
    Lanes k = sub(rounded, splat(ROUNDER));
    Lanes near = neg_mul_add(k, splat(STEP), x);
    Lanes s = neg_mul_add(k, splat(STEP_TAIL), near);
    Lanes t = neg_mul_add(k, splat(STEP_TAIL), sub(near, s));
    Lanes square = mul(s, s);

    Lanes a = mul_add(s, splat(1.0 / 6), splat(1.0 / 2));
    Lanes b = mul_add(s, splat(1.0 / 120), splat(1.0 / 24));
    Lanes c = mul_add(s, splat(1.0 / 5040), splat(1.0 / 720));
    c = mul_add(square, splat(1.0 / 40320), c);
    Lanes series = mul_add(mul_add(c, square, b), square, a);
    Lanes q = mul_add(square, series, t);

    Bits index = bits_of(rounded);
    Lanes table = look_up(power, index), tail = look_up(power_tail, index);
    Lanes product = mul(table, s), high = add(table, product);
    Lanes lost = sub(product, sub(high, table));
    lost = add(lost, mul_sub(table, s, product));
    Lanes low = add(lost, mul_add(table, q, mul_add(tail, s, tail)));

    Lanes down = add(high, sub(low, splat(MARGIN))), up = add(high, add(low, splat(MARGIN)));
    *undecided = lanes_in(either(unequal(down, up), beyond(magnitude(x), splat(LIMIT))));
    return scale(down, index);
}

/* exp of n <= BLOCK of all numbers, from number `first` on. Those left to libm are listed first, so
 * that no branch is mispredicted. */
static void exp_block(double *all, size_t first, size_t n, const Noted *noted) {
    double left_x[BLOCK + LANES];
    int64_t left_at[BLOCK + LANES];
    double *x = all + first;
    size_t left = 0;
    assert(n <= BLOCK);
    for (size_t i = 0; i < n; i += LANES) {
        size_t here = n - i < LANES ? n - i : LANES;
        unsigned undecided;
        Lanes old = load_some(x + i, here);
        store_some(x + i, exp_of(old, &undecided), here);
        undecided &= ALL_LANES >> (LANES - here);
        list_numbers(left_x + left, undecided, old);
        list_places(left_at + left, undecided, i);
        left += number_of(undecided);
    }
    for (size_t i = 0; i < left; i++)
        x[left_at[i]] = exp(left_x[i]);
    for (size_t i = 0; UNLIKELY(noted != NULL) && i < left; i++)
        calls_note_one_of(noted, first + (size_t)left_at[i], CALLED_EXP, left_x[i], x[left_at[i]]);
}

void EXP_MANY(double *x, size_t n, const Noted *noted) {
    assert(KNOWN_LIBM);
    for (size_t i = 0; i < n; i += BLOCK)
        exp_block(x, i, n - i < BLOCK ? n - i : BLOCK, noted);
}
