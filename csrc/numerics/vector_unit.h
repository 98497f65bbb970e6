/* Which of the vector paths runs: the one place that decides it.
 *
 * Every path computes the same bits, so the choice is only one of speed. It is made once, when the
 * extension is imported, from what the processor has; ISOGRAD_VECTOR_UNIT=avx512, avx2 or plain
 * asks for a particular path, as the tests do. On arm64 and with other compilers than GCC and Clang
 * there is only the plain path, which the compiler may vectorise as it likes.
 */
#ifndef ISOGRAD_VECTOR_UNIT_H
#define ISOGRAD_VECTOR_UNIT_H

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define HAVE_X86_PATHS 1
#else
#define HAVE_X86_PATHS 0
#endif

typedef enum { PLAIN, AVX2, AVX512 } VectorUnit; /* AVX2 includes FMA; AVX512 is F, DQ and VL */

/* Chooses the path. NULL, or one static sentence about ISOGRAD_VECTOR_UNIT, and then plain runs.
 * Not for threads; may be called again. Before the first call, plain runs. */
const char *vector_unit_init(void);

VectorUnit vector_unit(void);

/* Its name, for people; a static string. */
const char *vector_unit_name(void);

/* Runs `unit` from now on: for tests. 0, or -1 and no change where the processor lacks it. */
int vector_unit_set(VectorUnit unit);

#endif
