/* Carves a Pass out of one allocation, fills its orders, and takes documents into it. pass.h
 * describes the layouts; nothing here computes with activations. */
#include "pass.h"

#include "documents.h"
#include "memory.h"

#include <assert.h>
#include <math.h>

#define POSITIONS_AT_ONCE 64 /* of a batch: weights are fetched once for all of them */
#define BLOCK (LANES * LANES)

_Static_assert(ALIGNMENT % (LANES * sizeof(double)) == 0, "a panel's row is aligned to its size");
_Static_assert(POSITIONS_AT_ONCE % LANES == 0, "capacity is whole panels");

/* ---- memory ---- */

/* Hands out pieces of one allocation; without one it only counts. */
typedef struct {
    char *base;
    size_t used;
    int too_large;
} Carver;

static void *carve(Carver *c, size_t n, size_t size) {
    size_t bytes = 0;
    if (n > (SIZE_MAX / 2 - ALIGNMENT) / size)
        c->too_large = 1;
    else
        bytes = (n * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *piece = c->base ? c->base + c->used : NULL;
    assert((uintptr_t)piece % ALIGNMENT == 0);
    if (bytes > SIZE_MAX / 2 - c->used)
        c->too_large = 1;
    else
        c->used += bytes;
    return piece;
}

static double *doubles(Carver *c, size_t n) { return carve(c, n, sizeof(double)); }

/* (T, stride) of n features. */
static double *carve_by_position(Carver *c, size_t T, size_t n) {
    return doubles(c, T * ((n + LANES - 1) / LANES * LANES));
}

static void carve_layer(Carver *c, Layer *layer, const Sizes *s, size_t T, size_t n_blocks) {
    layer->attention_norm.y = doubles(c, T * s->C);
    layer->mlp_norm.y = doubles(c, T * s->C);
    layer->attention_norm.scale = doubles(c, T);
    layer->attention_norm.slope = doubles(c, T);
    layer->mlp_norm.scale = doubles(c, T);
    layer->mlp_norm.slope = doubles(c, T);
    layer->qkv = doubles(c, T * 3 * s->C);
    layer->dqkv = doubles(c, T * 3 * s->C);
    layer->exps = doubles(c, n_blocks * s->H * BLOCK);
    layer->totals.inverse = doubles(c, T * s->H);
    layer->totals.slope = doubles(c, T * s->H);
    layer->heads = doubles(c, T * s->C);
    layer->x_mid = doubles(c, T * s->C);
    layer->dx_mid = doubles(c, T * s->C);
    layer->hidden = doubles(c, T * s->F);
    layer->relu = s->squares_relu ? doubles(c, T * s->F) : layer->hidden;
    layer->dhidden = doubles(c, T * s->F);
    layer->attention_norm.y_by_position = carve_by_position(c, T, s->C);
    layer->heads_by_position = carve_by_position(c, T, s->C);
    layer->mlp_norm.y_by_position = carve_by_position(c, T, s->C);
    layer->hidden_by_position = carve_by_position(c, T, s->F);
    layer->attention_norm.x = layer->x;
    layer->mlp_norm.x = layer->x_mid;
}

/* The most blocks that one of P panels can have. */
static size_t most_seen(const Sizes *s, size_t n_panels) {
    /* A document that begins in the middle of a panel reaches into one more. */
    const size_t n = (s->block_size + LANES - 1) / LANES + 1;
    return n < n_panels ? n : n_panels;
}

/* The most blocks that all of them can have. */
static size_t most_blocks(const Sizes *s, size_t n_panels) {
    const size_t n = most_seen(s, n_panels);
    return n < n_panels ? n_panels * n : n_panels * (n_panels + 1) / 2;
}

static void carve_positions(Carver *c, Pass *p, size_t T) {
    p->doc_starts = carve(c, T, sizeof *p->doc_starts);
    p->token_id = carve(c, T, sizeof *p->token_id);
    p->target_id = carve(c, T, sizeof *p->target_id);
    p->pos_id = carve(c, T, sizeof *p->pos_id);
    p->loss = doubles(c, T);
    p->dloss = doubles(c, T);
    p->probability = doubles(c, T);
    p->dtarget = doubles(c, T);
}

static void carve_orders(Carver *c, Pass *p) {
    const Sizes *s = &p->s;
    p->n_descending = s->V > s->F ? s->V : s->F;
    p->descending = carve(c, p->n_descending, sizeof *p->descending);
    p->qkv_order = carve(c, 3 * s->C, sizeof *p->qkv_order);
}

/* In long documents nearly all memory is the layers' exps: blocks with heads, of which there are
 * about H T**2 / 128. With 4 heads, 4,096 positions take 269 MB for each layer. */
static void carve_pass(Carver *c, Pass *p) {
    const Sizes *s = &p->s;
    const size_t T = p->capacity, n_panels = T / LANES, n_blocks = most_blocks(s, n_panels);
    carve_positions(c, p, T);
    p->first_seen = carve(c, n_panels, sizeof *p->first_seen);
    p->first_block = carve(c, n_panels, sizeof *p->first_block);
    p->mask = carve(c, n_panels * BLOCK_KINDS * BLOCK, sizeof *p->mask);
    p->mask_transposed = carve(c, n_panels * BLOCK_KINDS * BLOCK, sizeof *p->mask_transposed);
    p->is_full = carve(c, n_panels * BLOCK_KINDS, sizeof *p->is_full);
    Layer *layers = carve(c, s->L + 1, sizeof *layers), unused;
    p->layers = layers;
    for (size_t l = 0; l <= s->L; l++) {
        Layer *layer = layers ? &layers[l] : &unused;
        layer->x = doubles(c, T * s->C);
        layer->dx = doubles(c, T * s->C);
        if (l < s->L)
            carve_layer(c, layer, s, T, n_blocks);
        else
            layer->x_by_position = carve_by_position(c, T, s->C);
    }
    p->embedded = doubles(c, T * s->C);
    p->dembedded = doubles(c, T * s->C);
    p->dembedded_by_position = carve_by_position(c, T, s->C);
    p->embedding_norm = (Norm){.x = p->embedded, .y = layers ? layers[0].x : NULL};
    p->embedding_norm.scale = doubles(c, T);
    p->embedding_norm.slope = doubles(c, T);
    p->logits = doubles(c, T * s->V);
    p->dlogits = doubles(c, T * s->V);
    p->totals.inverse = doubles(c, T);
    p->totals.slope = doubles(c, T);
    p->most_seen = most_seen(s, n_panels);
    p->dscores = doubles(c, p->most_seen * s->H * BLOCK);
    p->dinput = doubles(c, T * s->C);
    carve_orders(c, p);
}

/* ---- orders of rows ---- */

#ifndef NDEBUG
/* Whether each of 0 .. n - 1 is there once. */
static int is_permutation(const int32_t *order, size_t n) {
    for (size_t row = 0; row < n; row++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            count += order[i] == (int32_t)row;
        if (count != 1)
            return 0;
    }
    return 1;
}
#endif

/* Heads from the last to the first; in each of them rows of v, k, q, each from the last to the
 * first. ORDER.md derives it. */
static void fill_orders(Pass *p) {
    const int32_t C = (int32_t)p->s.C, D = (int32_t)p->s.D, n = (int32_t)p->n_descending;
    int32_t *row = p->qkv_order;
    for (int32_t i = 0; i < n; i++)
        p->descending[i] = n - 1 - i;
    for (int32_t q = C - D; q >= 0; q -= D) { /* the head's first row of q */
        const int32_t k = q + C, v = k + C;
        for (int32_t j = D - 1; j >= 0; j--)
            *row++ = v + j;
        for (int32_t j = D - 1; j >= 0; j--)
            *row++ = k + j;
        for (int32_t j = D - 1; j >= 0; j--)
            *row++ = q + j;
    }
    assert(is_permutation(p->qkv_order, 3 * p->s.C));
}

Pass *pass_new(const Sizes *s, size_t longest) {
    Pass sizes = {.s = *s, .capacity = POSITIONS_AT_ONCE};
    if (longest > POSITIONS_AT_ONCE)
        sizes.capacity = (longest + LANES - 1) / LANES * LANES;
    const double panels = (double)sizes.capacity / LANES; /* beyond what size_t can count? */
    if (panels * panels * (double)s->H * BLOCK > (double)(SIZE_MAX / 64))
        return NULL;
    Carver counting = {0};
    carve(&counting, 1, sizeof(Pass) + ALIGNMENT);
    carve_pass(&counting, &sizes);
    char *memory = counting.too_large ? NULL : memory_of_zeros(counting.used);
    if (memory == NULL)
        return NULL;
    Pass *p = (Pass *)memory;
    Carver carver = {.base = aligned_after(memory, sizeof(Pass))};
    p->s = *s;
    p->capacity = sizes.capacity;
    carve_pass(&carver, p);
    assert(carver.base + carver.used <= memory + counting.used);
    fill_orders(p);
    p->inverse_of_C = pow((double)s->C, -1.0);
    p->inverse_root_of_D = pow(pow((double)s->D, 0.5), -1.0);
    return p;
}

/* ---- documents ---- */

/* The masks of a panel's blocks of one kind, of which that of `seen_panel` is one. */
static void fill_mask(const Pass *p, size_t panel, size_t seen_panel, BlockKind kind) {
    const size_t block = panel * BLOCK_KINDS + kind;
    int64_t *mask = p->mask + block * BLOCK, *transposed = p->mask_transposed + block * BLOCK;
    int64_t all = -1;
    for (size_t lane = 0; lane < LANES; lane++) {
        size_t t = panel * LANES + lane;
        const int exists = t < p->T;
        if (!exists)
            t = p->T - 1;
        const size_t start = exists ? t - (size_t)p->pos_id[t] : t;
        for (size_t row = 0; row < LANES; row++) {
            const size_t seen = seen_panel * LANES + row;
            const int64_t visible = seen >= start && seen <= t ? -1 : 0;
            mask[row * LANES + lane] = transposed[lane * LANES + row] = visible;
            all &= visible;
        }
    }
    p->is_full[block] = all == -1;
}

static void fill_masks(Pass *p) {
    size_t n_blocks = 0;
    for (size_t panel = 0; panel < p->n_panels; panel++) {
        const size_t t = panel * LANES;
        const size_t first = (t - (size_t)p->pos_id[t]) / LANES;
        p->first_seen[panel] = first;
        p->first_block[panel] = n_blocks;
        n_blocks += panel + 1 - first;
        fill_mask(p, panel, panel, LAST_BLOCK);
        if (first < panel)
            fill_mask(p, panel, first, FIRST_BLOCK);
        if (first + 1 < panel)
            fill_mask(p, panel, first + 1, MIDDLE_BLOCK);
    }
    assert(n_blocks <= most_blocks(&p->s, p->capacity / LANES));
}

void pass_take(Pass *p, const Documents *docs, Range piece, double dmean, size_t n_workers) {
    assert(piece.from < piece.to && n_workers > 0 && n_workers <= MOST_THREADS);
    size_t t = 0;
    p->n_workers = n_workers;
    p->n_docs = piece.to - piece.from;
    for (size_t i = piece.from; i < piece.to; i++) {
        const size_t n = document_positions(&p->s, docs, i);
        const int32_t *tokens = document_tokens(docs, i);
        assert(t + n <= p->capacity);
        p->doc_starts[i - piece.from] = (int32_t)t;
        for (size_t pos = 0; pos < n; pos++, t++) {
            assert((size_t)tokens[pos] < p->s.V && (size_t)tokens[pos + 1] < p->s.V);
            p->token_id[t] = tokens[pos];
            p->target_id[t] = tokens[pos + 1];
            p->pos_id[t] = (int32_t)pos;
            p->dloss[t] = 1.0 / (double)n * dmean;
        }
    }
    p->T = t;
    p->n_panels = (t + LANES - 1) / LANES;
    fill_masks(p);
}

/* ---- outcome ---- */

GptError pass_error(const Pass *p) {
    size_t square = NOWHERE, log = NOWHERE;
    for (size_t i = 0; i < p->n_workers; i++) {
        const Outcome *found = &p->outcome[i];
        square = found->square_overflows < square ? found->square_overflows : square;
        log = found->log_fails < log ? found->log_fails : log;
    }
    if (square == NOWHERE && log == NOWHERE)
        return GPT_OK;
    return square <= log ? GPT_POW_RANGE : GPT_LOG_DOMAIN; /* a position's loss comes last */
}

double pass_gradient_bound(const Pass *p) {
    double dy = 0.0, x = 0.0;
    for (size_t i = 0; i < p->n_workers; i++) {
        dy = p->outcome[i].largest_dy > dy ? p->outcome[i].largest_dy : dy;
        x = p->outcome[i].largest_x > x ? p->outcome[i].largest_x : x;
    }
    /* T products are added, or T gradients, x being 1 at least; or both, where weights are tied. */
    return (double)(p->s.ties_weights ? 2 * p->T : p->T) * dy * x;
}
