/* Embeddings: the rows of wte and wpe that belong to each position, added. */
#ifndef ISOGRAD_GPT_EMBEDDING_INL_H
#define ISOGRAD_GPT_EMBEDDING_INL_H

#include <string.h>

#include "blocks-inl.h"
#include "pass.h"
#include "weights.h"

/* p->embedded is (panels, C, 8). Positions past the last one are like it. */
static void embedding_forward(const Pass *p, const double *weights, Range panels) {
    const Matrix wte = wte_of(&p->s, weights), wpe = wpe_of(&p->s, weights);
    const size_t C = p->s.C;
    for (size_t panel = panels.from; panel < panels.to; panel++) {
        double *x = p->embedded + panel * C * LANES;
        const double *token[LANES], *pos[LANES];
        for (size_t lane = 0; lane < LANES; lane++) {
            const size_t t = panel * LANES + lane < p->T ? panel * LANES + lane : p->T - 1;
            token[lane] = wte.w + (size_t)p->token_id[t] * C;
            pos[lane] = wpe.w + (size_t)p->pos_id[t] * C;
        }
        size_t i = 0;
        for (; i + LANES <= C; i += LANES) {
            _Alignas(64) double rows[LANES * LANES];
            for (size_t lane = 0; lane < LANES; lane++)
                store(rows + lane * LANES,
                      add(load_anywhere(token[lane] + i), load_anywhere(pos[lane] + i)));
            transpose(x + i * LANES, LANES, rows, LANES);
        }
        for (; i < C; i++)
            for (size_t lane = 0; lane < LANES; lane++)
                x[i * LANES + lane] = token[lane][i] + pos[lane][i];
    }
}

/* dw is (C): adds the gradient of the embedding at position t, of p->dembedded_by_position, which is
 * (T, stride). */
INLINE void add_embedding(const Pass *p, double *dw, size_t t) {
    const size_t C = p->s.C, stride = (C + LANES - 1) / LANES * LANES;
    const double *dx = p->dembedded_by_position + t * stride;
    for (size_t i = 0; i < C; i += LANES) {
        const size_t n = C - i < LANES ? C - i : LANES;
        store_some(dw + i, add(load_some(dw + i, n), load(dx + i)), n);
    }
}

/* Adds to the gradients of wte and wpe, from the last position to the first, or sets them if they
 * start from zero. Tied to lm_head, wte gets its own along with that. */
static void embedding_gradients(const Pass *p, double *gradients, int from_zero) {
    const Offsets begin = offsets_of(&p->s);
    const size_t C = p->s.C,
                 n_rows = p->s.ties_weights ? p->s.block_size : p->s.V + p->s.block_size;
    if (from_zero)
        memset(gradients + begin.wpe + p->s.block_size * C - n_rows * C, 0,
               n_rows * C * sizeof *gradients);
    for (size_t t = p->T; t-- > 0;) {
        if (!p->s.ties_weights)
            add_embedding(p, gradients + begin.wte + (size_t)p->token_id[t] * C, t);
        add_embedding(p, gradients + begin.wpe + (size_t)p->pos_id[t] * C, t);
    }
}

#endif
