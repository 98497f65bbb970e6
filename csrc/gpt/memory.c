/* See memory.h. Large memory lies in huge pages where Linux has them, and is touched before it is
 * given out: with pages of 4 KiB, the first step of a model of 800,000 weights takes 29 ms for page
 * faults alone. */
#if defined(__linux__)
#define _DEFAULT_SOURCE
#endif
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)1 << 21)

void *memory_of_zeros(size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (size >= HUGE_PAGE && size <= SIZE_MAX - HUGE_PAGE) {
        size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        void *memory = aligned_alloc(HUGE_PAGE, size);
        if (memory == NULL)
            return NULL;
        madvise(memory, size, MADV_HUGEPAGE); /* advice: without it all is as before, but slower */
        return memset(memory, 0, size);
    }
#endif
    return calloc(size, 1);
}
