/* Whether it is known how far libm's exp and pow are off.
 *
 * Rounding tests take the place of a call where the result is near enough to a double that libm
 * cannot return another. That needs a bound on libm's error, which glibc from 2.28 on and musl from
 * 1.1.23 on state in the sources of their exp and pow, the same in both. Others may be as good but
 * do not say so: with them every exp and pow that the graph has is a call, slower but with the same
 * bits whatever libm does. Musl does not let itself be recognised; on Linux it is what is no other.
 */
#ifndef ISOGRAD_KNOWN_LIBM_H
#define ISOGRAD_KNOWN_LIBM_H

#include <math.h> /* says whose it is */

#ifndef KNOWN_LIBM /* set by the tests, to 0 */
#if !defined(__linux__) || defined(__ANDROID__) || defined(__UCLIBC__)
#define KNOWN_LIBM 0
#elif defined(__GLIBC__)
#define KNOWN_LIBM __GLIBC_PREREQ(2, 28)
#else
#define KNOWN_LIBM 1
#endif
#endif

#endif
