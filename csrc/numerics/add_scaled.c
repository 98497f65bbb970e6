/* One loop, compiled for each vector unit. */
#include "add_scaled.h"

#include "vector_unit.h"

#define ADD_SCALED(name)                                                                           \
    static inline void name##_one(double *restrict sum, const double *restrict x, double scale,    \
                                  size_t n) {                                                      \
        for (size_t i = 0; i < n; i++)                                                             \
            sum[i] += x[i] * scale;                                                                \
    }

#define ADD_SCALED_BOTH(name)                                                                      \
    static void name(double *sum_a, const double *a, double *sum_b, const double *b, double scale, \
                     size_t n) {                                                                   \
        name##_one(sum_a, a, scale, n);                                                            \
        name##_one(sum_b, b, scale, n);                                                            \
    }

#if HAVE_X86_PATHS
__attribute__((target("avx2"))) ADD_SCALED(avx2) __attribute__((target("avx2")))
ADD_SCALED_BOTH(avx2) __attribute__((target("avx512f,avx512vl"))) ADD_SCALED(avx512)
    __attribute__((target("avx512f,avx512vl"))) ADD_SCALED_BOTH(avx512)
#endif
        ADD_SCALED(plain) ADD_SCALED_BOTH(plain)

            void add_scaled(double *sum_a, const double *a, double *sum_b, const double *b,
                            double scale, size_t n) {
#if HAVE_X86_PATHS
    if (vector_unit() == AVX512) {
        avx512(sum_a, a, sum_b, b, scale, n);
        return;
    }
    if (vector_unit() == AVX2) {
        avx2(sum_a, a, sum_b, b, scale, n);
        return;
    }
#endif
    plain(sum_a, a, sum_b, b, scale, n);
}
