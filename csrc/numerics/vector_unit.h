/* Which of the vector paths runs: the one place that decides it.
 *
 * Every path computes the same bits, so the choice is only one of speed. It is made once, when the
 * extension is imported, from what the processor has. ISOGRAD_VECTOR_UNIT=avx512, avx2 or plain
 * asks for a particular path, as the tests do. On arm64, and with other compilers than GCC and
 * Clang, there is only the plain path, which the compiler may vectorise as it likes.
 */
#ifndef ISOGRAD_VECTOR_UNIT_H
#define ISOGRAD_VECTOR_UNIT_H

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define HAVE_X86_PATHS 1
#else
#define HAVE_X86_PATHS 0
#endif

/* What a path is compiled for, and what the processor must have. */
#define AVX2_TARGET "avx2,fma"
#define AVX512_TARGET "avx512f,avx512dq,avx512vl,fma"

typedef enum { PLAIN, AVX2, AVX512 } VectorUnit;

/* Chooses the path. Returns NULL, or a static sentence about ISOGRAD_VECTOR_UNIT; then plain runs,
 * as it does before the first call. May be called again, but not while other threads compute. */
const char *vector_unit_init(void);

VectorUnit vector_unit(void);

/* The name of the path that runs, for people; a static string. */
const char *vector_unit_name(void);

/* Runs `unit` from now on: for tests. Returns 0, or -1 and changes nothing if the processor lacks
 * it. */
int vector_unit_set(VectorUnit unit);

#endif
