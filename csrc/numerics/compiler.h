/* What compilers spell differently. */
#ifndef ISOGRAD_COMPILER_H
#define ISOGRAD_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define HIDDEN __attribute__((visibility("hidden"))) /* data that other libraries cannot see */
#define UNROLL _Pragma("GCC unroll 16")
#define TARGET(unit) __attribute__((target(unit)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PREFETCH(address) __builtin_prefetch((const void *)(address))     /* to read it */
#define PREFETCHW(address) __builtin_prefetch((const void *)(address), 1) /* to write it */
#else
#define INLINE static inline
#define NOINLINE
#define HIDDEN
#define UNROLL
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#define PREFETCH(address) ((void)(address))
#define PREFETCHW(address) ((void)(address))
#endif

/* The compiler's name and version; a static string. */
static inline const char *compiler_name(void) {
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
