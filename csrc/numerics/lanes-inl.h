/* Eight doubles side by side, in as many registers as the vector unit takes for them: the
 * operations that every unit has. lanes_x86-inl.h adds what only x86's units have.
 *
 * The file that includes this sets WIDTH, the number of doubles in a register: 8, 4 or 2 where the
 * compiler has vector types, 1 anywhere. Only the transposition mixes lanes, so that WIDTH shows in
 * no bit.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "lanes.h"

#if WIDTH > 1
typedef double vec __attribute__((vector_size(8 * WIDTH), may_alias));
typedef double vec_anywhere __attribute__((vector_size(8 * WIDTH), may_alias, aligned(8)));
typedef int64_t bits __attribute__((vector_size(8 * WIDTH), may_alias));
#else
typedef double vec;
typedef double vec_anywhere;
typedef int64_t bits;
#endif

#define PARTS (LANES / WIDTH)

typedef struct {
    vec part[PARTS];
} Lanes;

_Static_assert(LANES % WIDTH == 0, "layouts in memory do not depend on the unit");
_Static_assert(sizeof(vec) == WIDTH * sizeof(double), "a register holds WIDTH doubles");
_Static_assert(sizeof(Lanes) == LANES * sizeof(double), "lanes lie in memory as an array does");

#define EACH_PART                                                                                  \
    UNROLL                                                                                         \
    for (int i = 0; i < PARTS; i++)

INLINE int is_aligned(const double *x) { return (uintptr_t)x % sizeof(vec) == 0; }

/* x is aligned to a register's size. */
INLINE Lanes load(const double *x) {
    assert(is_aligned(x));
    Lanes a;
    EACH_PART a.part[i] = *(const vec *)(x + i * WIDTH);
    return a;
}

INLINE void store(double *x, Lanes a) {
    assert(is_aligned(x));
    EACH_PART *(vec *)(x + i * WIDTH) = a.part[i];
}

INLINE Lanes load_anywhere(const double *x) {
    Lanes a;
    EACH_PART a.part[i] = *(const vec_anywhere *)(x + i * WIDTH);
    return a;
}

INLINE void store_anywhere(double *x, Lanes a) {
    EACH_PART *(vec_anywhere *)(x + i * WIDTH) = a.part[i];
}

INLINE Lanes splat(double x) {
    Lanes a;
#if WIDTH == 8
    vec v = {x, x, x, x, x, x, x, x};
#elif WIDTH == 4
    vec v = {x, x, x, x};
#elif WIDTH == 2
    vec v = {x, x};
#else
    vec v = x;
#endif
    EACH_PART a.part[i] = v;
    return a;
}

INLINE Lanes add(Lanes a, Lanes b) {
    EACH_PART a.part[i] = a.part[i] + b.part[i];
    return a;
}

INLINE Lanes sub(Lanes a, Lanes b) {
    EACH_PART a.part[i] = a.part[i] - b.part[i];
    return a;
}

INLINE Lanes mul(Lanes a, Lanes b) {
    EACH_PART a.part[i] = a.part[i] * b.part[i];
    return a;
}

INLINE Lanes quotient(Lanes a, Lanes b) {
    EACH_PART a.part[i] = a.part[i] / b.part[i];
    return a;
}

/* a where the mask is -1, 0.0 where it is 0, whatever a is there. */
INLINE Lanes keep(const int64_t *mask, Lanes a) {
#if WIDTH > 1
    EACH_PART a.part[i] = (vec)((bits)a.part[i] & *(const bits *)(mask + i * WIDTH));
#else
    EACH_PART a.part[i] = mask[i] ? a.part[i] : 0.0;
#endif
    return a;
}

/* Lane by lane `a > b ? a : b`. */
INLINE Lanes larger(Lanes a, Lanes b) {
#if WIDTH == 8
    EACH_PART b.part[i] = (vec)_mm512_max_pd((__m512d)a.part[i], (__m512d)b.part[i]);
#elif WIDTH == 4
    EACH_PART b.part[i] = (vec)_mm256_max_pd((__m256d)a.part[i], (__m256d)b.part[i]);
#elif WIDTH > 1
    EACH_PART {
        bits above = (bits)(a.part[i] > b.part[i]);
        b.part[i] = (vec)(((bits)a.part[i] & above) | ((bits)b.part[i] & ~above));
    }
#else
    EACH_PART b.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
#endif
    return b;
}

/* Lane by lane the larger of |a| and b, where b is not negative and no NaN; b if a is NaN. */
INLINE Lanes larger_magnitude(Lanes a, Lanes b) {
#if WIDTH == 8
    enum { LARGER_WITHOUT_SIGNS = 11 };
    EACH_PART b.part[i] =
        (vec)_mm512_range_pd((__m512d)a.part[i], (__m512d)b.part[i], LARGER_WITHOUT_SIGNS);
    return b;
#elif WIDTH > 1
    EACH_PART a.part[i] = (vec)((bits)a.part[i] & INT64_MAX);
#else
    EACH_PART a.part[i] = fabs(a.part[i]);
#endif
    return larger(a, b);
}

/* larger(a, b) where the mask is -1, else b. */
INLINE Lanes larger_where(const int64_t *mask, Lanes a, Lanes b) {
#if WIDTH > 1
    EACH_PART {
        bits above = (bits)(a.part[i] > b.part[i]) & *(const bits *)(mask + i * WIDTH);
        b.part[i] = (vec)(((bits)a.part[i] & above) | ((bits)b.part[i] & ~above));
    }
#else
    EACH_PART b.part[i] = mask[i] && a.part[i] > b.part[i] ? a.part[i] : b.part[i];
#endif
    return b;
}

/* Lane by lane `a > 0 ? b : 0.0 * b`, Python's float(a > 0) * b. */
INLINE Lanes times_positive(Lanes a, Lanes b) {
#if WIDTH > 1
    EACH_PART {
        bits above = (bits)(a.part[i] > (vec){0});
        b.part[i] = (vec)((bits)splat(1.0).part[i] & above) * b.part[i];
    }
#else
    EACH_PART b.part[i] = (double)(a.part[i] > 0.0) * b.part[i];
#endif
    return b;
}

/* p, of which the compiler then knows nothing: it keeps one pointer and constant offsets instead of
 * a register for each sum of indices. */
INLINE const double *opaque(const double *p) {
#if defined(__GNUC__)
    __asm__("" : "+r"(p));
#endif
    return p;
}

/* Asks for the cache line of x[i], which need not exist. */
INLINE void prefetch(const double *x, size_t i) { PREFETCH((uintptr_t)x + i * sizeof *x); }

#if WIDTH == 8 && defined(__GNUC__) && (__GNUC__ >= 12 || defined(__clang__))

/* Exchanges the off-diagonal blocks of `size` in each block of 2 * size rows and columns. */
#define EXCHANGE(size, a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7)             \
    UNROLL                                                                                         \
    for (int i = 0; i < 8; i++)                                                                    \
        if (!(i & (size))) {                                                                       \
            vec low = row[i], high = row[i + (size)];                                              \
            row[i] = __builtin_shufflevector(low, high, a0, a1, a2, a3, a4, a5, a6, a7);           \
            row[i + (size)] = __builtin_shufflevector(low, high, b0, b1, b2, b3, b4, b5, b6, b7);  \
        }

/* out[j][i] = x[i][j] for i, j < 8; rows of x lie `from` doubles apart, those of out `to`. */
INLINE void transpose(double *out, size_t to, const double *x, size_t from) {
    vec row[8];
    UNROLL
    for (size_t i = 0; i < 8; i++)
        row[i] = *(const vec *)(x + i * from);
    EXCHANGE(1, 0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15)
    EXCHANGE(2, 0, 1, 8, 9, 4, 5, 12, 13, 2, 3, 10, 11, 6, 7, 14, 15)
    EXCHANGE(4, 0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15)
    UNROLL
    for (size_t i = 0; i < 8; i++)
        *(vec *)(out + i * to) = row[i];
}

#elif WIDTH == 4 && defined(__GNUC__) && (__GNUC__ >= 12 || defined(__clang__))

/* The same, a quarter at a time. */
INLINE void transpose(double *out, size_t to, const double *x, size_t from) {
    UNROLL
    for (size_t quarter = 0; quarter < 4; quarter++) {
        const size_t i = quarter / 2 * 4, j = quarter % 2 * 4;
        vec row[4], pair[4];
        UNROLL
        for (size_t k = 0; k < 4; k++)
            row[k] = *(const vec *)(x + (i + k) * from + j);
        UNROLL
        for (size_t k = 0; k < 4; k += 2) {
            pair[k] = __builtin_shufflevector(row[k], row[k + 1], 0, 4, 2, 6);
            pair[k + 1] = __builtin_shufflevector(row[k], row[k + 1], 1, 5, 3, 7);
        }
        UNROLL
        for (size_t k = 0; k < 2; k++) {
            vec *column = (vec *)(out + (j + k) * to + i);
            *column = __builtin_shufflevector(pair[k], pair[k + 2], 0, 1, 4, 5);
            column = (vec *)(out + (j + k + 2) * to + i);
            *column = __builtin_shufflevector(pair[k], pair[k + 2], 2, 3, 6, 7);
        }
    }
}

#else

INLINE void transpose(double *out, size_t to, const double *x, size_t from) {
    for (size_t i = 0; i < LANES; i++)
        for (size_t j = 0; j < LANES; j++)
            out[j * to + i] = x[i * from + j];
}

#endif

/* The first n <= LANES lanes at x, which need not be followed by more; 0.0 in the others. */
INLINE Lanes load_some(const double *x, size_t n) {
    assert(n <= LANES);
    if (n == LANES)
        return load_anywhere(x);
#if WIDTH == 8
    return (Lanes){{_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), x)}};
#else
    double some[LANES] = {0};
    memcpy(some, x, n * sizeof *x);
    return load_anywhere(some);
#endif
}

/* Stores the first n <= LANES lanes and nothing else. */
INLINE void store_some(double *x, Lanes a, size_t n) {
    assert(n <= LANES);
    if (n == LANES) {
        store_anywhere(x, a);
        return;
    }
#if WIDTH == 8
    _mm512_mask_storeu_pd(x, (__mmask8)((1u << n) - 1), a.part[0]);
#else
    double some[LANES];
    store_anywhere(some, a);
    memcpy(x, some, n * sizeof *x);
#endif
}

/* sum + w * x, the product rounded before the sum is. */
INLINE Lanes add_product(Lanes sum, double w, Lanes x) { return add(sum, mul(splat(w), x)); }
