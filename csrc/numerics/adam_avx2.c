/* Adam's update compiled for AVX2. */
#include "vector_unit.h"
#if HAVE_X86_PATHS
#include <immintrin.h>

#include "compiler.h"
BEGIN_TARGET(AVX2_TARGET)
#define WIDTH 4
#define ADAM_UPDATE adam_update_avx2
#include "adam-inl.h"
END_TARGET
#endif
