/* The stages compiled for AVX2. Without FMA: nothing in them may be contracted. */
#include "numerics/vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>

#include "numerics/compiler.h"
BEGIN_TARGET("avx2")
#define WIDTH 4
#define STAGES stages_avx2
#include "stages-inl.h"
END_TARGET
#endif
