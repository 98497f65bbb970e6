/* See weights.h. */
#include "weights.h"

#include <assert.h>

Offsets offsets_of(const Sizes *s) {
    const size_t embeddings = (s->V + s->block_size) * s->C, square = s->C * s->C;
    return (Offsets){
        .wte = 0,
        .wpe = s->V * s->C,
        .lm_head = s->ties_weights ? 0 : embeddings,
        .layers = s->ties_weights ? embeddings : embeddings + s->V * s->C,
        .layer_size = 4 * square + 2 * s->F * s->C,
        .qkv = 0,
        .wo = 3 * square,
        .fc1 = 4 * square,
        .fc2 = 4 * square + s->F * s->C,
    };
}

Matrix wte_of(const Sizes *s, const double *weights) {
    return (Matrix){weights + offsets_of(s).wte, s->V, s->C};
}

Matrix wpe_of(const Sizes *s, const double *weights) {
    return (Matrix){weights + offsets_of(s).wpe, s->block_size, s->C};
}

Matrix lm_head_of(const Sizes *s, const double *weights) {
    return (Matrix){weights + offsets_of(s).lm_head, s->V, s->C};
}

LayerMatrices layer_matrices_of(const Sizes *s, const double *weights, size_t layer) {
    assert(layer < s->L);
    const Offsets begin = offsets_of(s);
    const size_t C = s->C, F = s->F;
    const double *w = weights + begin.layers + layer * begin.layer_size;
    return (LayerMatrices){
        .qkv = {w + begin.qkv, 3 * C, C},
        .wq = {w + begin.qkv, C, C},
        .wk = {w + begin.qkv + C * C, C, C},
        .wv = {w + begin.qkv + 2 * C * C, C, C},
        .wo = {w + begin.wo, C, C},
        .fc1 = {w + begin.fc1, F, C},
        .fc2 = {w + begin.fc2, C, F},
    };
}

/* A layer has so many rows of C weights before the C rows of F weights that fc2 has. */
static size_t n_narrow_rows(const Sizes *s) { return 4 * s->C + s->F; }

size_t n_linear_rows(const Sizes *s) { return s->V + s->L * (n_narrow_rows(s) + s->C); }

size_t first_row_of_part(const Sizes *s, size_t part, size_t n) {
    assert(part <= n && n > 0);
    const size_t head = s->V * s->C, layer_size = offsets_of(s).layer_size;
    const size_t n_narrow = n_narrow_rows(s), narrow_size = n_narrow * s->C;
    if (part == n)
        return n_linear_rows(s);
    const size_t weight = (head + s->L * layer_size) / n * part;
    if (weight < head)
        return weight / s->C / 8 * 8;
    const size_t layer = (weight - head) / layer_size, i = (weight - head) % layer_size;
    const size_t row = i < narrow_size ? i / s->C : n_narrow + (i - narrow_size) / s->F;
    return s->V + layer * (n_narrow + s->C) + row / 8 * 8;
}
