/* Compiles the stages for x86-64 with AVX2. */
#include "numerics/vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define WIDTH 4
#define STAGES stages_avx2
#include "stages-inl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
