/* One loop, compiled for each vector unit. */
#include "add_scaled.h"

#include "vector_unit.h"

#define ADD_SCALED(name)                                                                       \
    static void name(double *restrict sum, const double *restrict x, double scale, size_t n) { \
        for (size_t i = 0; i < n; i++)                                                         \
            sum[i] += x[i] * scale;                                                            \
    }

#if HAVE_X86_PATHS
__attribute__((target("avx2"))) ADD_SCALED(add_scaled_avx2)
__attribute__((target("avx512f,avx512vl"))) ADD_SCALED(add_scaled_avx512)
#endif
ADD_SCALED(add_scaled_plain)

void add_scaled(double *restrict sum, const double *restrict x, double scale, size_t n) {
#if HAVE_X86_PATHS
    if (vector_unit() == AVX512) {
        add_scaled_avx512(sum, x, scale, n);
        return;
    }
    if (vector_unit() == AVX2) {
        add_scaled_avx2(sum, x, scale, n);
        return;
    }
#endif
    add_scaled_plain(sum, x, scale, n);
}
