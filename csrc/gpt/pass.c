/* Memory and documents of a Pass. Layouts are in pass.h. */
#include "pass.h"

#include "memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64
#define POSITIONS_AT_ONCE 64 /* of a batch: weights are fetched once for all of them */

static size_t number_of(const Documents *docs, size_t i) {
    const size_t number = docs->first + i;
    return number < docs->total ? number : number % docs->total;
}

size_t document_positions(const Sizes *s, const Documents *docs, size_t i) {
    const size_t *start = docs->starts + number_of(docs, i);
    size_t n = start[1] - start[0] - 1;
    return n < s->block_size ? n : s->block_size;
}

Offsets offsets_of(const Sizes *s) {
    const size_t cc = s->C * s->C;
    return (Offsets){
        .wte = 0,
        .wpe = s->V * s->C,
        .lm_head = (s->V + s->block_size) * s->C,
        .layers = (2 * s->V + s->block_size) * s->C,
        .layer_size = 12 * cc,
        .qkv = 0,
        .wo = 3 * cc,
        .fc1 = 4 * cc,
        .fc2 = 8 * cc,
    };
}

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
    if (bytes > SIZE_MAX / 2 - c->used)
        c->too_large = 1;
    else
        c->used += bytes;
    return piece;
}

static double *doubles(Carver *c, size_t n) { return carve(c, n, sizeof(double)); }

/* Layouts with T positions; `n` is the number of blocks. */
static void carve_layer(Carver *c, Layer *layer, const Sizes *s, size_t T, size_t n) {
    const size_t stride = (s->C + LANES - 1) / LANES * LANES;
    const size_t blocks = n * s->H * LANES * LANES;
    layer->norm1 = doubles(c, T * s->C);
    layer->norm2 = doubles(c, T * s->C);
    layer->scale1 = doubles(c, T);
    layer->slope1 = doubles(c, T);
    layer->scale2 = doubles(c, T);
    layer->slope2 = doubles(c, T);
    layer->qkv = doubles(c, T * 3 * s->C);
    layer->dqkv = doubles(c, T * 3 * s->C);
    layer->attention = doubles(c, blocks);
    layer->attended = doubles(c, blocks);
    layer->inverse = doubles(c, T * s->H);
    layer->slope = doubles(c, T * s->H);
    layer->heads = doubles(c, T * s->C);
    layer->mid = doubles(c, T * s->C);
    layer->dmid = doubles(c, T * s->C);
    layer->relu = doubles(c, T * s->F);
    layer->dhidden = doubles(c, T * s->F);
    layer->norm1_by_position = doubles(c, T * stride);
    layer->heads_by_position = doubles(c, T * stride);
    layer->norm2_by_position = doubles(c, T * stride);
    layer->relu_by_position = doubles(c, T * ((s->F + LANES - 1) / LANES * LANES));
}

/* The most blocks that P panels can have. */
static size_t blocks_of(const Sizes *s, size_t P) {
    /* A document that begins in the middle of a panel reaches into one more. */
    const size_t seen = (s->block_size + LANES - 1) / LANES + 1;
    return seen < P ? P * seen : P * (P + 1) / 2;
}

static void carve_pass(Carver *c, Pass *p, const Sizes *s) {
    const size_t T = p->capacity, P = T / LANES;
    const size_t blocks = blocks_of(s, P);
    p->doc_starts = carve(c, T, sizeof *p->doc_starts);
    p->token = carve(c, T, sizeof *p->token);
    p->target = carve(c, T, sizeof *p->target);
    p->place = carve(c, T, sizeof *p->place);
    p->seed = doubles(c, T);
    p->loss = doubles(c, T);
    p->probability = doubles(c, T);
    p->first_seen = carve(c, P, sizeof *p->first_seen);
    p->block_start = carve(c, P, sizeof *p->block_start);
    p->mask = carve(c, blocks * LANES * LANES, sizeof *p->mask);
    p->mask_transposed = carve(c, blocks * LANES * LANES, sizeof *p->mask_transposed);
    Layer *layers = carve(c, s->L + 1, sizeof *layers), unused;
    p->layers = layers;
    for (size_t l = 0; l <= s->L; l++) {
        Layer *layer = layers ? &layers[l] : &unused;
        layer->x = doubles(c, T * s->C);
        layer->dx = doubles(c, T * s->C);
        if (l < s->L)
            carve_layer(c, layer, s, T, blocks);
        else
            layer->x_by_position = doubles(c, T * ((s->C + LANES - 1) / LANES * LANES));
    }
    p->embedded = doubles(c, T * s->C);
    p->dembedded = doubles(c, T * s->C);
    p->dembedded_by_position = doubles(c, T * ((s->C + LANES - 1) / LANES * LANES));
    p->embedded_scale = doubles(c, T);
    p->embedded_slope = doubles(c, T);
    p->logits = doubles(c, T * s->V);
    p->dlogits = doubles(c, T * s->V);
    p->inverse = doubles(c, T);
    p->slope = doubles(c, T);
    p->dscores = doubles(c, blocks * s->H * LANES * LANES);
    p->dtemporary = doubles(c, T * s->C);
    p->dtarget = doubles(c, T);
    p->n_descending = s->V > s->F ? s->V : s->F;
    p->descending = carve(c, p->n_descending, sizeof *p->descending);
    p->qkv_order = carve(c, 3 * s->C, sizeof *p->qkv_order);
    p->qkv_order_first = carve(c, 3 * s->C, sizeof *p->qkv_order_first);
}

static void fill_orders(Pass *p, const Sizes *s) {
    int32_t *general = p->qkv_order, *first = p->qkv_order_first;
    const int32_t C = (int32_t)s->C, D = (int32_t)s->D, n = (int32_t)p->n_descending;
    for (int32_t i = 0; i < n; i++)
        p->descending[i] = n - 1 - i;
    for (int32_t start = C - D; start >= 0; start -= D) {
        for (int32_t part = 2; part >= 0; part--)
            for (int32_t j = D - 1; j >= 0; j--)
                *general++ = part * C + start + j;
        for (int32_t j = D - 1; j >= 0; j--)
            *first++ = 2 * C + start + j;
        for (int32_t j = D - 1; j >= 0; j--) {
            *first++ = C + start + j;
            *first++ = start + j;
        }
    }
}

Pass *pass_new(const Sizes *s, size_t longest) {
    Pass sizes = {.capacity = POSITIONS_AT_ONCE};
    if (longest > POSITIONS_AT_ONCE)
        sizes.capacity = (longest + LANES - 1) / LANES * LANES;
    const double panels = (double)sizes.capacity / LANES; /* beyond what size_t can count? */
    if (panels * panels * (double)s->H * LANES * LANES > (double)(SIZE_MAX / 64))
        return NULL;
    Carver counting = {0};
    carve(&counting, 1, sizeof(Pass) + ALIGNMENT);
    carve_pass(&counting, &sizes, s);
    char *memory = counting.too_large ? NULL : memory_of_zeros(counting.used);
    if (memory == NULL)
        return NULL;
    Pass *p = (Pass *)memory;
    uintptr_t begin = (uintptr_t)memory + sizeof(Pass) + ALIGNMENT - 1;
    Carver carver = {memory + (begin / ALIGNMENT * ALIGNMENT - (uintptr_t)memory), 0, 0};
    p->capacity = sizes.capacity;
    carve_pass(&carver, p, s);
    fill_orders(p, s);
    p->width_inverse = pow((double)s->C, -1.0);
    p->root_inverse = pow(pow((double)s->D, 0.5), -1.0);
    return p;
}

/* ---- documents ---- */

static void fill_masks(Pass *p) {
    size_t n_blocks = 0;
    for (size_t panel = 0; panel < p->n_panels; panel++) {
        const size_t first = panel * LANES;
        p->first_seen[panel] = (first - (size_t)p->place[first]) / LANES;
        p->block_start[panel] = n_blocks;
        for (size_t seen = p->first_seen[panel]; seen <= panel; seen++, n_blocks++) {
            int64_t *mask = p->mask + n_blocks * LANES * LANES;
            int64_t *transposed = p->mask_transposed + n_blocks * LANES * LANES;
            for (size_t lane = 0; lane < LANES; lane++) {
                size_t t = first + lane < p->T ? first + lane : p->T - 1;
                size_t begin = first + lane < p->T ? t - (size_t)p->place[t] : t;
                for (size_t row = 0; row < LANES; row++) {
                    size_t at = seen * LANES + row;
                    int64_t visible = at >= begin && at <= t ? -1 : 0;
                    mask[row * LANES + lane] = transposed[lane * LANES + row] = visible;
                }
            }
        }
    }
}

void pass_take(Pass *p, const Sizes *s, const Documents *docs, size_t from, size_t to, double share,
               size_t n_workers) {
    size_t t = 0;
    p->n_workers = n_workers;
    p->n_docs = to - from;
    for (size_t i = from; i < to; i++) {
        const size_t n = document_positions(s, docs, i);
        const int32_t *tokens = docs->tokens + docs->starts[number_of(docs, i)];
        p->doc_starts[i - from] = (int32_t)t;
        for (size_t place = 0; place < n; place++, t++) {
            p->token[t] = tokens[place];
            p->target[t] = tokens[place + 1];
            p->place[t] = (int32_t)place;
            p->seed[t] = 1.0 / (double)n * share;
        }
    }
    p->T = t;
    p->n_panels = (t + LANES - 1) / LANES;
    fill_masks(p);
}

/* ---- outcome ---- */

GptError pass_error(const Pass *p) {
    for (size_t i = 0; i < p->n_workers; i++)
        if (p->outcome[i].error)
            return p->outcome[i].error;
    return GPT_OK;
}

double pass_gradient_bound(const Pass *p) {
    double dy = 0.0, x = 0.0;
    for (size_t i = 0; i < p->n_workers; i++) {
        dy = p->outcome[i].largest_dy > dy ? p->outcome[i].largest_dy : dy;
        x = p->outcome[i].largest_x > x ? p->outcome[i].largest_x : x;
    }
    return (double)p->T * dy * x; /* T products are added, or T gradients, x being 1 at least */
}
