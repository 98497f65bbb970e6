/* The four stages of computing in a Pass, a table of them for each vector unit.
 *
 * stages_plain.c, stages_avx2.c and stages_avx512.c compile stages-inl.h, each for its unit; all
 * give the same bits. A stage is over when all its workers have returned from it. Only the forward
 * stage can fail; it leaves its error in p->outcome.
 */
#ifndef ISOGRAD_GPT_STAGES_H
#define ISOGRAD_GPT_STAGES_H

#include "pass.h"

typedef struct {
    /* Fills p->loss, what the backward stage needs, and the worker's p->outcome. */
    void (*forward)(Pass *p, const double *weights, const Worker *me);
    /* Fills the gradients of all activations, and the worker's p->outcome. */
    void (*backward)(Pass *p, const double *weights, const Worker *me);
    /* Adds to the gradients of linear layers, or sets them if they start from zero: those of
     * `rows`, counted as n_linear_rows() does. */
    void (*weight_gradients)(const Pass *p, double *gradients, Range rows, int from_zero);
    /* Adds to all gradients of wte and wpe, or sets them if they start from zero. */
    void (*embedding_gradients)(const Pass *p, double *gradients, int from_zero);
} Stages;

extern const Stages stages_plain, stages_avx2, stages_avx512;

#endif
