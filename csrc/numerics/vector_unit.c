/* The choice of the vector path; see the header. */
#include "vector_unit.h"

#include <stdlib.h>
#include <string.h>

#define NO_AVX2 "ISOGRAD_VECTOR_UNIT is avx2, which this processor or build does not have"
#define NO_AVX512 "ISOGRAD_VECTOR_UNIT is avx512, which this processor or build does not have"

static VectorUnit chosen = PLAIN;

static int has(VectorUnit unit) {
    if (unit == PLAIN)
        return 1;
#if HAVE_X86_PATHS
    __builtin_cpu_init();
    if (unit == AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (unit == AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && has(AVX2);
#endif
    return 0;
}

VectorUnit vector_unit(void) { return chosen; }

const char *vector_unit_name(void) {
    return chosen == AVX512 ? "AVX-512" : chosen == AVX2 ? "AVX2" : "plain C";
}

int vector_unit_set(VectorUnit unit) {
    if (!has(unit))
        return -1;
    chosen = unit;
    return 0;
}

const char *vector_unit_init(void) {
    const char *asked = getenv("ISOGRAD_VECTOR_UNIT");
    chosen = PLAIN;
    if (asked == NULL || *asked == '\0') {
        chosen = has(AVX512) ? AVX512 : has(AVX2) ? AVX2 : PLAIN;
        return NULL;
    }
    if (strcmp(asked, "plain") == 0)
        return NULL;
    if (strcmp(asked, "avx2") == 0)
        return vector_unit_set(AVX2) < 0 ? NO_AVX2 : NULL;
    if (strcmp(asked, "avx512") == 0)
        return vector_unit_set(AVX512) < 0 ? NO_AVX512 : NULL;
    return "ISOGRAD_VECTOR_UNIT must be avx512, avx2 or plain";
}
