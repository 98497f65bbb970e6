/* A digest of numbers, 64 bits: tells a run that went another way, in a microsecond for 4,192 numbers.
 *
 * Numbers are taken as 32-bit words, two each, the low half first. There are 64 lanes, which begin as
 * 1 .. 64. Word i goes into lane i % 64,
 *     lane = rotated(lane ^ word, 13) * MULTIPLIER,
 * and in the end all lanes go, in two chains of the same kind that begin with the number of words, or
 * its complement, into the two words of the digest. Each of these steps is one to one, in the word
 * as in the lane. So numbers that differ in one word never have the same digest. Those that differ
 * all over have it by chance, about once in 2**64; two words of one lane can make up for each other,
 * which takes a chance of about one in 2**32. It is against accidents: whoever looks for other
 * numbers with the same digest finds them.
 *
 * explain/digest.py and assets/core/digest.js are the same.
 */
#ifndef ISOGRAD_DIGEST_H
#define ISOGRAD_DIGEST_H

#include <stddef.h>

#define DIGEST_SIZE 8 /* bytes */

/* Writes the digest of x, (n). */
void digest_of(const double *x, size_t n, unsigned char digest[DIGEST_SIZE]);

#endif
