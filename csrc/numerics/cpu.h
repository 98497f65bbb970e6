/* Which vector unit this processor and build offer. */
#ifndef ISOGRAD_CPU_H
#define ISOGRAD_CPU_H

/* Before a function with a loop over independent elements: compiled for several vector units, one of
 * them chosen when the program is loaded. The bits are the same, as nothing is contracted or reordered. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && \
    !defined(__clang__)
#define FOR_EACH_VECTOR_UNIT __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_VECTOR_UNIT
#endif

/* "AVX-512", "AVX2", "SSE2", "NEON" or "none"; a static string. */
static inline const char *cpu_vector_unit(void) {
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    if (__builtin_cpu_supports("avx512f"))
        return "AVX-512";
    if (__builtin_cpu_supports("avx2"))
        return "AVX2";
    return "SSE2";
#elif defined(__ARM_NEON) || defined(_M_ARM64)
    return "NEON";
#elif defined(_M_X64)
    return "SSE2";
#else
    return "none";
#endif
}

/* The compiler that built this, with its version; a static string. */
static inline const char *cpu_compiler(void) {
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#if defined(__clang__)
    return "Clang " __clang_version__;
#elif defined(__GNUC__)
    return "GCC " __VERSION__;
#elif defined(_MSC_VER)
    return "MSVC " TEXT(_MSC_FULL_VER);
#else
    return "unknown compiler";
#endif
#undef TEXT
#undef TEXT_OF
}

#endif
