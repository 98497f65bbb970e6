/* A model's memory, and the loss and gradients of a batch on one thread. batch.h computes them;
 * training is in train.c, sampling in decode.c. */
#include "gpt.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "batch.h"
#include "memory.h"
#include "weights.h"

GPT *gpt_new(size_t V, size_t L, size_t C, size_t H, size_t block_size, Kind kind) {
    assert(V > 0 && L > 0 && H > 0 && C > 0 && C % H == 0 && block_size > 0);
    const double n =
        ((double)(2 * (double)V + (double)block_size) + 12.0 * (double)L * (double)C) * (double)C;
    if (n > (double)(SIZE_MAX / 64) || V > INT32_MAX || C > INT32_MAX / 4 || block_size > INT32_MAX)
        return NULL;
    const Sizes s = {V, L, C, H, C / H, 4 * C, block_size, kind.squares_relu, kind.ties_weights};
    const Offsets begin = offsets_of(&s);
    const size_t n_params = begin.layers + L * begin.layer_size;
    const size_t padded = (n_params + LANES - 1) / LANES * LANES;
    GPT *g = memory_of_zeros(sizeof(GPT) + ALIGNMENT - 1 + 4 * padded * sizeof(double));
    if (g == NULL)
        return NULL;
    g->weights = aligned_after(g, sizeof(GPT));
    g->gradients = g->weights + padded;
    g->first_moments = g->gradients + padded;
    g->second_moments = g->first_moments + padded;
    g->n_params = n_params;
    g->s = s;
    g->workspace = workspace_new();
    if (g->workspace == NULL) {
        free(g);
        return NULL;
    }
    return g;
}

void gpt_free(GPT *g) {
    if (g == NULL)
        return;
    workspace_free(g->workspace);
    free(g);
}

typedef struct {
    Batch batch;
    GptError error;
} Evaluation;

static void evaluate(void *context, Team *team, size_t thread) {
    Evaluation *e = context;
    e->batch.me = (Worker){team, thread, team_size(team)};
    e->error = batch_run(&e->batch).error;
}

static GptError run_batch(GPT *g, const Documents *docs, int with_gradients, double *loss) {
    Evaluation evaluation = {.batch = {g, docs, with_gradients, NULL, NULL, {0}}};
    GptError error = workspace_reserve(g->workspace, &g->s, 1, docs, docs->n);
    if (error)
        return error;
    team_run(1, evaluate, &evaluation);
    if (!evaluation.error)
        *loss = batch_loss(g->workspace, docs->n);
    return evaluation.error;
}

GptError gpt_loss(GPT *g, const Documents *docs, double *loss) {
    return run_batch(g, docs, 0, loss);
}

const double *gpt_document_losses(const GPT *g) { return g->workspace->losses; }

GptError gpt_backward(GPT *g, const Documents *docs, double *loss) {
    return run_batch(g, docs, 1, loss);
}
