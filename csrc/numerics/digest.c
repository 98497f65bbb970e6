/* One loop, which the compiler turns into vector code for each vector unit. */
#include "digest.h"

#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "vector_unit.h"

enum { N_LANES = 64, AT_ONCE = N_LANES / 2 }; /* words and numbers */

#define MULTIPLIER 0x9e3779b1u   /* 2**32 over the golden ratio, made odd */
#define MULTIPLIER_2 0xb504f333u /* 2**32 over the root of 2 */

INLINE uint32_t rotated(uint32_t x, int places) { return x << places | x >> (32 - places); }

/* The words of N_LANES / 2 numbers. */
INLINE void words_of(uint32_t *words, const double *x) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(words, x, N_LANES * sizeof *words);
#else
    uint64_t numbers[AT_ONCE];
    memcpy(numbers, x, sizeof numbers);
    for (size_t i = 0; i < N_LANES; i++)
        words[i] = (uint32_t)(numbers[i / 2] >> i % 2 * 32);
#endif
}

INLINE void take_all(uint32_t *restrict all_lanes, const double *restrict x, size_t n) {
    uint32_t lanes[N_LANES], words[N_LANES];
    memcpy(lanes, all_lanes, sizeof lanes);
    for (size_t at = 0; at + AT_ONCE <= n; at += AT_ONCE) {
        words_of(words, x + at);
        for (size_t i = 0; i < N_LANES; i++)
            lanes[i] = rotated(lanes[i] ^ words[i], 13) * MULTIPLIER;
    }
    memcpy(all_lanes, lanes, sizeof lanes);
}

#if HAVE_X86_PATHS
TARGET(AVX512_TARGET)
static void take_all_avx512(uint32_t *lanes, const double *x, size_t n) { take_all(lanes, x, n); }

TARGET(AVX2_TARGET)
static void take_all_avx2(uint32_t *lanes, const double *x, size_t n) { take_all(lanes, x, n); }
#endif

/* All numbers but the last n % AT_ONCE. */
static void take_most(uint32_t *lanes, const double *x, size_t n) {
#if HAVE_X86_PATHS
    if (vector_unit() == AVX512) {
        take_all_avx512(lanes, x, n);
        return;
    }
    if (vector_unit() == AVX2) {
        take_all_avx2(lanes, x, n);
        return;
    }
#endif
    take_all(lanes, x, n);
}

void digest_of(const double *x, size_t n, unsigned char digest[DIGEST_SIZE]) {
    const size_t left = n % AT_ONCE;
    double last[AT_ONCE] = {0};
    uint32_t lanes[N_LANES], words[N_LANES];
    for (uint32_t i = 0; i < N_LANES; i++)
        lanes[i] = i + 1;
    take_most(lanes, x, n);
    for (size_t i = 0; i < left; i++)
        last[i] = x[n - left + i];
    words_of(words, last);
    for (size_t i = 0; i < 2 * left; i++)
        lanes[i] = rotated(lanes[i] ^ words[i], 13) * MULTIPLIER;
    uint32_t a = (uint32_t)(2 * n), b = ~a;
    for (size_t i = 0; i < N_LANES; i++) {
        a = rotated(a ^ lanes[i], 13) * MULTIPLIER;
        b = rotated(b ^ lanes[i], 17) * MULTIPLIER_2;
    }
    for (int i = 0; i < 4; i++) {
        digest[i] = (unsigned char)(a >> 8 * i);
        digest[4 + i] = (unsigned char)(b >> 8 * i);
    }
}
