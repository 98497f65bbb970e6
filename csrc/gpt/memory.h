/* Zeroed memory for arrays that are read from end to end in every step, and their alignment. */
#ifndef ISOGRAD_GPT_MEMORY_H
#define ISOGRAD_GPT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define ALIGNMENT 64 /* of arrays: a cache line, and the widest register */

/* `size` bytes of zeros, to be given back by free(); NULL without memory. Aligned as malloc's. */
void *memory_of_zeros(size_t size);

/* The first place at a multiple of ALIGNMENT that is `size` bytes or more into `memory`. */
static inline void *aligned_after(void *memory, size_t size) {
    const uintptr_t start = (uintptr_t)memory;
    const uintptr_t aligned = (start + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return (char *)memory + (aligned - start);
}

#endif
