/* Zeroed memory for arrays that are read from end to end in every step. */
#ifndef ISOGRAD_GPT_MEMORY_H
#define ISOGRAD_GPT_MEMORY_H

#include <stddef.h>

/* `size` bytes of zeros, to be given back by free(); NULL without memory. Aligned as malloc's. */
void *memory_of_zeros(size_t size);

#endif
