/* exp of many numbers: the plain path and the choice of the path. */
#include "exp_many.h"

#include <math.h>

#include "libm_margins.h"
#include "vector_unit.h"

static void exp_and_note(double *x, size_t n, const Noted *noted) {
    for (size_t i = 0, in_row = 0; i < n; i++) { /* in_row is i % row: divisions take long */
        const double result = exp(x[i]);
        if (in_row < noted->used)
            calls_note(noted->calls, CALLED_EXP, x[i], result);
        x[i] = result;
        in_row = in_row + 1 < noted->row ? in_row + 1 : 0;
    }
}

void exp_many(double *x, size_t n, const Noted *noted) {
#if HAVE_X86_PATHS
    if (KNOWN_LIBM && vector_unit() == AVX512 && n > 8) { /* up to there libm is as quick */
        exp_many_avx512(x, n, noted);
        return;
    }
    if (KNOWN_LIBM && vector_unit() == AVX2 && noted) { /* which need not look at most results */
        exp_many_avx2(x, n, noted);
        return;
    }
#endif
    if (noted) {
        exp_and_note(x, n, noted);
        return;
    }
    for (size_t i = 0; i < n; i++)
        x[i] = exp(x[i]);
}
