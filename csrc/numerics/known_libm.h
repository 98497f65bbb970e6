/* Whether it is known how far libm's exp and pow are off.
 *
 * Rounding tests take the place of a call where the result is near enough to a double that libm
 * cannot return another. That needs a bound on libm's error, which glibc and musl state in the
 * sources of their exp and pow (the same in both; glibc's before 2.28 rounded correctly). Others
 * may be as good but do not say so: with them every exp and pow that the graph has is a call, slower
 * but with the same bits whatever libm does.
 */
#ifndef ISOGRAD_KNOWN_LIBM_H
#define ISOGRAD_KNOWN_LIBM_H

#include <math.h> /* which says that it is glibc's; musl says nothing */

#ifndef KNOWN_LIBM /* set by the tests, to 0 */
#if defined(__GLIBC__) || (defined(__linux__) && !defined(__ANDROID__))
#define KNOWN_LIBM 1
#else
#define KNOWN_LIBM 0
#endif
#endif

#endif
