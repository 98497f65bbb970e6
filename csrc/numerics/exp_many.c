/* exp of many numbers: the plain path and the choice of the path. */
#include "exp_many.h"

#include <math.h>

#include "libm_margins.h"
#include "vector_unit.h"

void exp_many(double *x, size_t n) {
#if HAVE_X86_PATHS
    if (KNOWN_LIBM && vector_unit() == AVX512 && n > 8) { /* up to there libm is as quick */
        exp_many_avx512(x, n);
        return;
    }
#endif
    for (size_t i = 0; i < n; i++)
        x[i] = exp(x[i]);
}
