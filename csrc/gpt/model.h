/* A GPT on flat arrays of doubles. This room computes its loss, its gradients, Adam's update and
 * samples of it, without a graph.
 *
 * Every number is the one that the scalar graph of isograd.reference computes, to the bit: each sum
 * starts at 0.0 and takes its terms in the graph's order, which ORDER.md derives. Only independent
 * numbers run side by side in vector lanes, so no bit depends on the vector unit, on the number of
 * threads or on how a batch is cut into pieces.
 *
 * Symbols, everywhere in this folder:
 *   V vocabulary   L layers   C = n_embd   H heads   D = C / H   F = 4 C
 *   T positions at hand, of one document or of several in a row   dx is the gradient of x
 * and as indices t for a position, l a layer, h a head, o a row of a matrix, i and j features.
 * "x is (T, C)" says that it holds T rows of C numbers.
 *
 * Plain C11, no Python. The caller keeps a GPT to one thread at a time. Reading order: weights.h,
 * pass.h (layouts), stages.h and the -inl.h files (what is computed), batch.h (by whom), then what
 * is called from outside: gpt.h, train.h, decode.h.
 */
#ifndef ISOGRAD_GPT_MODEL_H
#define ISOGRAD_GPT_MODEL_H

#include <stddef.h>

typedef struct {
    size_t V, L, C, H, D, F, block_size;
    int squares_relu; /* the activation is relu's square */
    int ties_weights; /* lm_head is wte */
} Sizes;

/* A model; it owns all that it points to. Arrays are flat, in the order that weights.h shows. */
typedef struct GPT {
    Sizes s;
    size_t n_params;
    double *weights, *gradients, *first_moments, *second_moments; /* (n_params) */
    struct Workspace *workspace;                                  /* of batch.h */
} GPT;

/* What stopped a computation, and what Python raises in the same place. */
typedef enum {
    GPT_OK = 0,
    GPT_NO_MEMORY,
    GPT_INTERRUPTED,    /* by the caller, who knows why */
    GPT_LOG_DOMAIN,     /* ValueError: math domain error */
    GPT_POW_RANGE,      /* OverflowError: (34, 'Numerical result out of range') */
    GPT_POW_COMPLEX,    /* ValueError: a root of a negative number */
    GPT_DIVISION,       /* ZeroDivisionError: float division by zero */
    GPT_TOTAL_ZERO,     /* ValueError: Total of weights must be greater than zero */
    GPT_TOTAL_INFINITE, /* ValueError: Total of weights must be finite */
} GptError;

#endif
