/* exp and pow of an unknown libm: one double off for about every other argument. They are exact
 * where C's standard demands it. */
#include "odd_libm.h"

#undef exp
#undef pow

#include <stdint.h>
#include <string.h>

static double off_by_one(double result, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (bits * 0x9e3779b97f4a7c15u >> 63 || !isnormal(result))
        return result;
    return nextafter(result, 0.0);
}

double odd_exp(double x) { return x == 0.0 ? 1.0 : off_by_one(exp(x), x); }

double odd_pow(double x, double y) { return x == 1.0 || y == 0.0 ? 1.0 : off_by_one(pow(x, y), x); }
