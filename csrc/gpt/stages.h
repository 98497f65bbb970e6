/* What is computed in a Pass, in four stages: a table of functions for each vector unit.
 *
 * stages-inl.h has them and is compiled for each unit by stages_plain.c, stages_avx2.c and
 * stages_avx512.c; all give the same bits. A stage is over when all its workers have returned from
 * it; none may fail but the forward stage, which leaves its error in p->outcome.
 */
#ifndef ISOGRAD_GPT_STAGES_H
#define ISOGRAD_GPT_STAGES_H

#include "pass.h"

typedef struct {
    /* Fills p->loss, what the next stage needs, and the worker's p->outcome. */
    void (*forward)(Pass *p, const double *weights, const Worker *me);
    /* Gradients of all activations, and the worker's p->outcome. */
    void (*backward)(Pass *p, const double *weights, const Worker *me);
    /* Adds to the gradients of linear layers, or sets them if they start from zero: those of
     * `rows`, counted as n_linear_rows() does. */
    void (*weight_gradients)(const Pass *p, double *gradients, Range rows, int from_zero);
    /* The same with the gradients of wte and wpe, all of them. */
    void (*embedding_gradients)(const Pass *p, double *gradients, int from_zero);
} Stages;

extern const Stages stages_plain, stages_avx2, stages_avx512;

#endif
