/* Compiles the stages for any processor: with the registers of two doubles that every x86-64 and
 * arm64 has, or one double at a time where the compiler has no vector types. */
#if defined(__GNUC__)
#define WIDTH 2
#else
#define WIDTH 1
#endif
#define STAGES stages_plain
#include "stages-inl.h"
