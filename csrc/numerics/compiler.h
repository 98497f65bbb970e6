/* The compiler that built this. */
#ifndef ISOGRAD_COMPILER_H
#define ISOGRAD_COMPILER_H

/* Its name and version; a static string. */
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
