/* What x86's vector units add to lanes-inl.h: fused multiply-adds, roots, comparisons, lists of
 * lanes.
 *
 * The file that includes this sets WIDTH: 4 for AVX2 with FMA, 8 for AVX-512. It includes
 * immintrin.h itself, before BEGIN_TARGET. Nothing here runs on other processors, and csrc/gpt
 * needs none of it.
 */
#include "lanes-inl.h"

#if WIDTH == 8
#define X86(name) _mm512_##name
#elif WIDTH == 4
#define X86(name) _mm256_##name
#else
#error "WIDTH must be 4 or 8"
#endif

#define ALL_LANES ((1u << LANES) - 1) /* a bit for each lane */

/* Unsigned, so that sums may wrap. */
typedef uint64_t ubits __attribute__((vector_size(8 * WIDTH), may_alias));

typedef struct {
    ubits part[PARTS];
} Bits;

INLINE Bits bits_of(Lanes a) {
    Bits b;
    EACH_PART b.part[i] = (ubits)a.part[i];
    return b;
}

INLINE Lanes doubles_of(Bits a) {
    Lanes b;
    EACH_PART b.part[i] = (vec)a.part[i];
    return b;
}

/* ---- arithmetic: each result is rounded once ---- */

/* a * b + c */
INLINE Lanes mul_add(Lanes a, Lanes b, Lanes c) {
    EACH_PART c.part[i] = X86(fmadd_pd)(a.part[i], b.part[i], c.part[i]);
    return c;
}

/* a * b - c */
INLINE Lanes mul_sub(Lanes a, Lanes b, Lanes c) {
    EACH_PART c.part[i] = X86(fmsub_pd)(a.part[i], b.part[i], c.part[i]);
    return c;
}

/* c - a * b */
INLINE Lanes neg_mul_add(Lanes a, Lanes b, Lanes c) {
    EACH_PART c.part[i] = X86(fnmadd_pd)(a.part[i], b.part[i], c.part[i]);
    return c;
}

INLINE Lanes square_root(Lanes a) {
    EACH_PART a.part[i] = X86(sqrt_pd)(a.part[i]);
    return a;
}

INLINE Lanes negative(Lanes a) {
    EACH_PART a.part[i] = -a.part[i];
    return a;
}

INLINE Lanes magnitude(Lanes a) {
    EACH_PART a.part[i] = (vec)((bits)a.part[i] & INT64_MAX);
    return a;
}

/* 2**k for a from 2**k up to 2**(k + 1), a being normal and positive. */
INLINE Lanes power_of_2_in(Lanes a) {
    EACH_PART a.part[i] = (vec)((bits)a.part[i] & 0x7ff0000000000000);
    return a;
}

/* ---- masks: a yes or no for each lane ---- */

#if WIDTH == 8

typedef __mmask8 Mask;

/* a != b, or one of them is NaN. */
INLINE Mask unequal(Lanes a, Lanes b) {
    return _mm512_cmp_pd_mask(a.part[0], b.part[0], _CMP_NEQ_UQ);
}

/* a > b, or one of them is NaN. */
INLINE Mask beyond(Lanes a, Lanes b) {
    return _mm512_cmp_pd_mask(a.part[0], b.part[0], _CMP_NLE_UQ);
}

/* a < b, both taken as signed integers. */
INLINE Mask less(Bits a, int64_t b) {
    return _mm512_cmplt_epi64_mask((__m512i)a.part[0], _mm512_set1_epi64(b));
}

/* Whether all bits are 0, as those of +0.0 are. */
INLINE Mask no_bits(Bits a) {
    return _mm512_testn_epi64_mask((__m512i)a.part[0], (__m512i)a.part[0]);
}

/* Whether a is 0 or subnormal. */
INLINE Mask no_exponent(Lanes a) {
    return _mm512_testn_epi64_mask((__m512i)a.part[0], _mm512_set1_epi64(0x7ff0000000000000));
}

INLINE Mask both(Mask a, Mask b) { return a & b; }

INLINE Mask either(Mask a, Mask b) { return a | b; }

INLINE Mask without(Mask a, Mask b) { return (Mask)(a & ~b); }

INLINE int any(Mask a) { return a != 0; }

/* 0.0 where the mask says so, a elsewhere. */
INLINE Lanes zero_where(Mask m, Lanes a) {
    return (Lanes){{_mm512_maskz_mov_pd((Mask)~m, a.part[0])}};
}

/* a where the mask says so, b elsewhere. */
INLINE Lanes select(Mask m, Lanes a, Lanes b) {
    return (Lanes){{_mm512_mask_mov_pd(b.part[0], m, a.part[0])}};
}

/* As a bit for each lane. */
INLINE unsigned lanes_in(Mask a) { return a; }

#else

typedef struct {
    bits part[PARTS]; /* -1 or 0 */
} Mask;

INLINE Mask unequal(Lanes a, Lanes b) {
    Mask m;
    EACH_PART m.part[i] = (bits)_mm256_cmp_pd(a.part[i], b.part[i], _CMP_NEQ_UQ);
    return m;
}

INLINE Mask beyond(Lanes a, Lanes b) {
    Mask m;
    EACH_PART m.part[i] = (bits)_mm256_cmp_pd(a.part[i], b.part[i], _CMP_NLE_UQ);
    return m;
}

INLINE Mask less(Bits a, int64_t b) {
    Mask m;
    EACH_PART m.part[i] = (bits)((bits)a.part[i] < b);
    return m;
}

INLINE Mask no_bits(Bits a) {
    Mask m;
    EACH_PART m.part[i] = (bits)(a.part[i] == 0);
    return m;
}

INLINE Mask no_exponent(Lanes a) {
    Mask m;
    EACH_PART m.part[i] = (bits)(((bits)a.part[i] & 0x7ff0000000000000) == 0);
    return m;
}

INLINE Mask both(Mask a, Mask b) {
    EACH_PART a.part[i] &= b.part[i];
    return a;
}

INLINE Mask either(Mask a, Mask b) {
    EACH_PART a.part[i] |= b.part[i];
    return a;
}

INLINE Mask without(Mask a, Mask b) {
    EACH_PART a.part[i] &= ~b.part[i];
    return a;
}

INLINE Lanes zero_where(Mask m, Lanes a) {
    EACH_PART a.part[i] = (vec)((bits)a.part[i] & ~m.part[i]);
    return a;
}

INLINE Lanes select(Mask m, Lanes a, Lanes b) {
    EACH_PART a.part[i] = _mm256_blendv_pd(b.part[i], a.part[i], (vec)m.part[i]);
    return a;
}

INLINE int any(Mask a) {
    bits any_part = a.part[0];
    EACH_PART any_part |= a.part[i];
    return _mm256_movemask_pd((vec)any_part) != 0;
}

INLINE unsigned lanes_in(Mask a) {
    unsigned lanes = 0;
    EACH_PART lanes |= (unsigned)_mm256_movemask_pd((vec)a.part[i]) << i * WIDTH;
    return lanes;
}

#endif

/* ---- lists of lanes, written without a branch that could be mispredicted ---- */

/* Writes those of the numbers a that are in `lanes`, in order, to `list`, which has room for
 * LANES. */
INLINE void list_numbers(double *list, unsigned lanes, Lanes a) {
#if WIDTH == 8
    /* Compressed in a register: to memory it is microcode on Zen 4. */
    _mm512_storeu_pd(list, _mm512_maskz_compress_pd((Mask)lanes, a.part[0]));
#else
    double numbers[LANES];
    store_anywhere(numbers, a);
    for (size_t i = 0, n = 0; i < LANES; n += lanes >> i++ & 1)
        list[n] = numbers[i];
#endif
}

/* The same of the places at .. at + LANES - 1. */
INLINE void list_places(int64_t *list, unsigned lanes, size_t at) {
#if WIDTH == 8
    __m512i places =
        _mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64((int64_t)at));
    _mm512_storeu_si512(list, _mm512_maskz_compress_epi64((Mask)lanes, places));
#else
    for (size_t i = 0, n = 0; i < LANES; n += lanes >> i++ & 1)
        list[n] = (int64_t)(at + i);
#endif
}

INLINE size_t number_of(unsigned lanes) { return (size_t)__builtin_popcount(lanes); }
