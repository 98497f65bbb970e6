/* exp of many numbers compiled for AVX2. */
#include "vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>

#include "compiler.h"
BEGIN_TARGET(AVX2_TARGET)
#define WIDTH 4
#define EXP_MANY exp_many_avx2
#include "exp-inl.h"
END_TARGET
#endif
