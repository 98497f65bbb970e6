/* One loop, which the compiler turns into vector code for each vector unit. */
#include "add_scaled.h"

#include <assert.h>

#include "apart.h"
#include "compiler.h"
#include "vector_unit.h"

INLINE void add_one(double *restrict sum, const double *restrict x, double scale, size_t n) {
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i] * scale;
}

INLINE void add_both(double *sum_a, const double *a, double *sum_b, const double *b, double scale,
                     size_t n) {
    add_one(sum_a, a, scale, n);
    add_one(sum_b, b, scale, n);
}

#if HAVE_X86_PATHS
TARGET(AVX512_TARGET)
static void add_both_avx512(double *sum_a, const double *a, double *sum_b, const double *b,
                            double scale, size_t n) {
    add_both(sum_a, a, sum_b, b, scale, n);
}

TARGET(AVX2_TARGET)
static void add_both_avx2(double *sum_a, const double *a, double *sum_b, const double *b,
                          double scale, size_t n) {
    add_both(sum_a, a, sum_b, b, scale, n);
}
#endif

void add_scaled(double *sum_a, const double *a, double *sum_b, const double *b, double scale,
                size_t n) {
    assert(are_apart(sum_a, a, n) && are_apart(sum_b, b, n));
    assert(sum_a == sum_b || are_apart(sum_a, sum_b, n));
#if HAVE_X86_PATHS
    if (vector_unit() == AVX512) {
        add_both_avx512(sum_a, a, sum_b, b, scale, n);
        return;
    }
    if (vector_unit() == AVX2) {
        add_both_avx2(sum_a, a, sum_b, b, scale, n);
        return;
    }
#endif
    add_both(sum_a, a, sum_b, b, scale, n);
}
