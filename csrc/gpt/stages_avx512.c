/* Compiles the stages for x86-64 with AVX-512. */
#include "numerics/vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl"))),                 \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512vl")
#endif
#define WIDTH 8
#define STAGES stages_avx512
#include "stages-inl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
