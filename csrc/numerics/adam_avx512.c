/* Adam's update compiled for AVX-512. */
#include "vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>

#include "compiler.h"
BEGIN_TARGET(AVX512_TARGET)
#define WIDTH 8
#define ADAM_UPDATE adam_update_avx512
#include "adam-inl.h"
END_TARGET
#endif
