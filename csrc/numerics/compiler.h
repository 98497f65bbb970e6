/* What compilers spell differently. Vector operations are in lanes-inl.h. */
#ifndef ISOGRAD_COMPILER_H
#define ISOGRAD_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define HIDDEN __attribute__((visibility("hidden"))) /* data that other libraries cannot see */
#define UNROLL _Pragma("GCC unroll 16")
#define TARGET(unit) __attribute__((target(unit))) /* of one function */
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

/* BEGIN_TARGET(unit) .. END_TARGET: all functions in between are compiled for `unit`. */
#define PRAGMA_OF(...) _Pragma(#__VA_ARGS__)
#define PRAGMA(...) PRAGMA_OF(__VA_ARGS__)
#if defined(__clang__)
#define BEGIN_TARGET(unit) PRAGMA(clang attribute push(TARGET(unit), apply_to = function))
#define END_TARGET PRAGMA(clang attribute pop)
#elif defined(__GNUC__)
#define BEGIN_TARGET(unit) PRAGMA(GCC push_options) PRAGMA(GCC target(unit))
#define END_TARGET PRAGMA(GCC pop_options)
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
