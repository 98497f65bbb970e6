/* exp of many numbers compiled for AVX-512. */
#include "vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>

#include "compiler.h"
BEGIN_TARGET(AVX512_TARGET)
#define WIDTH 8
#define EXP_MANY exp_many_avx512
#include "exp-inl.h"
END_TARGET
#endif
