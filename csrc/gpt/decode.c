/* Sampling: one position at a time, with the keys and values of those before kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"
#include "numerics/powers.h"
#include "numerics/sums_of_products.h"
#include "pass.h"

Decoder *decoder_new(const Sizes *s) {
    const double cache = (double)s->L * (double)s->block_size * (double)s->C;
    if (cache > (double)(SIZE_MAX / 64))
        return NULL;
    const size_t n_cache = s->L * s->block_size * s->C;
    const size_t n_scratch = 5 * s->C + s->F + s->block_size;
    Decoder *d = calloc(sizeof(Decoder) + (2 * s->V + 2 * n_cache + n_scratch) * sizeof(double), 1);
    if (d == NULL)
        return NULL;
    d->logits = (double *)(d + 1);
    d->probabilities = d->logits + s->V;
    d->keys = d->probabilities + s->V;
    d->values = d->keys + n_cache;
    d->scratch = d->values + n_cache;
    return d;
}

void decoder_free(Decoder *d) { free(d); }

/* y = W x for n_out rows. */
static void linear(double *y, const double *w, const double *x, size_t n_out, size_t n_in) {
    size_t o = 0;
    for (; o + N_ROWS <= n_out; o += N_ROWS, w += N_ROWS * n_in) {
        const double *rows[N_ROWS] = {w, w + n_in, w + 2 * n_in, w + 3 * n_in};
        sums_of_products(rows, x, n_in, y + o);
    }
    for (; o < n_out; o++, w += n_in)
        y[o] = sum_of_products(w, x, n_in);
}

static void rmsnorm(double *y, const double *x, size_t n) {
    double mean_square = sum_of_products(x, x, n) * pow((double)n, -1.0);
    double scale = pow(mean_square + 1e-5, -0.5);
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale;
}

/* In place; where Python divides by the total, Value multiplies by total**-1. */
static void softmax(double *x, size_t n) {
    double max = x[0], total = 0.0;
    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++)
        x[i] = exp(x[i] + -max);
    for (size_t i = 0; i < n; i++)
        total += x[i];
    double inverse = pow(total, -1.0);
    for (size_t i = 0; i < n; i++)
        x[i] *= inverse;
}

/* One layer's attention of query q to n positions. */
static void attention(double *out, const double *q, const double *keys, const double *values,
                      double *weights, const Sizes *s, size_t n) {
    const double root_inverse = pow(pow((double)s->D, 0.5), -1.0);
    for (size_t start = 0; start < s->C; start += s->D) {
        for (size_t t = 0; t < n; t++) {
            const double *k = keys + t * s->C;
            weights[t] = sum_of_products(q + start, k + start, s->D) * root_inverse;
        }
        softmax(weights, n);
        for (size_t j = start; j < start + s->D; j++) {
            double sum = 0.0;
            for (size_t t = 0; t < n; t++)
                sum += weights[t] * values[t * s->C + j];
            out[j] = sum;
        }
    }
}

void decoder_append(Decoder *d, const GPT *g, size_t token) {
    const Sizes *s = &g->s;
    const Offsets at = offsets_of(s);
    const size_t C = s->C, t = d->T++;
    double *x = d->scratch, *norm = x + C, *q = norm + C, *heads = q + C, *out = heads + C;
    double *hidden = out + C, *weights = hidden + s->F;
    const double *wte = g->weights + at.wte + token * C, *wpe = g->weights + at.wpe + t * C;
    for (size_t i = 0; i < C; i++)
        norm[i] = wte[i] + wpe[i];
    rmsnorm(x, norm, C);
    for (size_t l = 0; l < s->L; l++) {
        const double *w = g->weights + at.layers + l * at.layer_size;
        double *keys = d->keys + l * s->block_size * C, *values = d->values + l * s->block_size * C;
        rmsnorm(norm, x, C);
        linear(q, w + at.qkv, norm, C, C);
        linear(keys + t * C, w + at.qkv + C * C, norm, C, C);
        linear(values + t * C, w + at.qkv + 2 * C * C, norm, C, C);
        attention(heads, q, keys, values, weights, s, t + 1);
        linear(out, w + at.wo, heads, C, C);
        for (size_t i = 0; i < C; i++)
            x[i] = out[i] + x[i];
        rmsnorm(norm, x, C);
        linear(hidden, w + at.fc1, norm, s->F, C);
        for (size_t i = 0; i < s->F; i++)
            hidden[i] = hidden[i] > 0.0 ? hidden[i] : 0.0;
        linear(out, w + at.fc2, hidden, C, s->F);
        for (size_t i = 0; i < C; i++)
            x[i] = out[i] + x[i];
    }
    linear(d->logits, g->weights + at.lm_head, x, s->V, C);
}

GptError decoder_softmax(Decoder *d, const Sizes *s, double temperature) {
    double inverse;
    if (temperature == 0.0)
        return GPT_DIVISION;
    if (checked_pow(temperature, -1.0, &inverse) < 0)
        return GPT_POW_RANGE;
    for (size_t i = 0; i < s->V; i++)
        d->probabilities[i] = d->logits[i] * inverse;
    softmax(d->probabilities, s->V);
    return GPT_OK;
}

GptError decoder_total(const Decoder *d, const Sizes *s, double *total) {
    double sum = d->probabilities[0];
    for (size_t i = 1; i < s->V; i++)
        sum += d->probabilities[i];
    *total = sum + 0.0;
    return *total <= 0.0 ? GPT_TOTAL_ZERO : isfinite(*total) ? GPT_OK : GPT_TOTAL_INFINITE;
}

size_t decoder_draw(const Decoder *d, const Sizes *s, double total, double random) {
    const double x = random * total;
    double sum = 0.0;
    for (size_t i = 0; i + 1 < s->V; i++) {
        sum = i == 0 ? d->probabilities[0] : sum + d->probabilities[i];
        if (x < sum)
            return i;
    }
    return s->V - 1;
}

size_t decoder_argmax(const Decoder *d, const Sizes *s) {
    size_t best = 0;
    for (size_t i = 1; i < s->V; i++)
        if (d->logits[i] > d->logits[best])
            best = i;
    return best;
}
