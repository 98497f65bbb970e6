/* The stages compiled for AVX-512. Without FMA: nothing in them may be contracted. */
#include "numerics/vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>

#include "numerics/compiler.h"
BEGIN_TARGET("avx512f,avx512dq,avx512vl")
#define WIDTH 8
#define STAGES stages_avx512
#include "stages-inl.h"
END_TARGET
#endif
