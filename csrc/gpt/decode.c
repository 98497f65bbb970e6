/* Sampling and questions in plain loops. They share no code with the stages: tests compare the two
 * forward passes. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "numerics/powers.h"
#include "numerics/sums_of_products.h"
#include "weights.h"

Decoder *decoder_new(const Sizes *s) {
    const double cache = (double)s->L * (double)s->block_size * (double)s->C;
    if (cache > (double)(SIZE_MAX / 64))
        return NULL;
    const size_t n_cache = s->L * s->block_size * s->C;
    const size_t n_scratch = 5 * s->C + s->F + s->block_size;
    const size_t n_doubles = 2 * s->V + 2 * n_cache + n_scratch;
    Decoder *d = calloc(sizeof(Decoder) + n_doubles * sizeof(double) + s->V * sizeof(size_t), 1);
    if (d == NULL)
        return NULL;
    d->logits = (double *)(d + 1);
    d->probabilities = d->logits + s->V;
    d->keys = d->probabilities + s->V;
    d->values = d->keys + n_cache;
    d->scratch = d->values + n_cache;
    d->kept = (size_t *)(d->scratch + n_scratch);
    return d;
}

void decoder_free(Decoder *d) { free(d); }

size_t n_vectors(const Sizes *s) { return 4 * s->C + s->L * (10 * s->C + 2 * s->F) + s->V; }

/* Leaves x, which is (n), at *place, and moves that on; nothing for NULL. */
static void leave(double **place, const double *x, size_t n) {
    if (*place == NULL)
        return;
    memcpy(*place, x, n * sizeof(double));
    *place += n;
}

/* y is (n_out), x is (n_in): y = W x. */
static void linear(double *y, Matrix m, const double *x) {
    const size_t n_in = m.n_in;
    const double *w = m.w;
    size_t o = 0;
    for (; o + N_ROWS <= m.n_out; o += N_ROWS, w += N_ROWS * n_in) {
        const double *rows[N_ROWS] = {w, w + n_in, w + 2 * n_in, w + 3 * n_in};
        sums_of_products(rows, x, n_in, y + o);
    }
    for (; o < m.n_out; o++, w += n_in)
        y[o] = sum_of_products(w, x, n_in);
}

/* y and x are (n). */
static void rmsnorm(double *y, const double *x, size_t n, Calls *calls) {
    double square = sum_of_products(x, x, n) * pow((double)n, -1.0) + 1e-5;
    double scale = pow(square, -0.5);
    if (calls) {
        calls_note(calls, CALLED_INVERSE_ROOT, square, scale);
        calls_note(calls, CALLED_INVERSE_ROOT_CUBED, square, pow(square, -1.5)); /* for backward */
    }
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale;
}

/* x is (n), in place; where Python divides by the total, Value multiplies by total**-1. */
static void softmax(double *x, size_t n, Calls *calls) {
    double max = x[0], total = 0.0;
    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++) {
        const double difference = x[i] + -max;
        x[i] = exp(difference);
        if (calls)
            calls_note(calls, CALLED_EXP, difference, x[i]);
    }
    for (size_t i = 0; i < n; i++)
        total += x[i];
    double inverse = pow(total, -1.0);
    if (calls) {
        calls_note(calls, CALLED_INVERSE, total, inverse);
        calls_note(calls, CALLED_INVERSE_SQUARE, total, pow(total, -2.0)); /* for backward */
    }
    for (size_t i = 0; i < n; i++)
        x[i] *= inverse;
}

/* out and q are (C), keys and values are (T, C), weights is (T), of one head at a time: one layer's
 * attention of a query to the T positions so far. */
static void attention(Decoder *d, double *out, const double *q, const double *keys,
                      const double *values, double *weights, const Sizes *s) {
    const size_t T = d->T;
    const double inverse_root = pow(pow((double)s->D, 0.5), -1.0);
    for (size_t start = 0; start < s->C; start += s->D) {
        for (size_t t = 0; t < T; t++) {
            const double *k = keys + t * s->C;
            weights[t] = sum_of_products(q + start, k + start, s->D) * inverse_root;
        }
        softmax(weights, T, d->calls);
        leave(&d->heads, weights, T);
        for (size_t j = start; j < start + s->D; j++) {
            double sum = 0.0;
            for (size_t t = 0; t < T; t++)
                sum += weights[t] * values[t * s->C + j];
            out[j] = sum;
        }
    }
}

/* x is (n), in place. */
static void relu(double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0.0 ? x[i] : 0.0;
}

/* x is (n), of relu, in place. Fails where Python's ** overflows. */
static GptError square(double *x, size_t n, Calls *calls) {
    for (size_t i = 0; i < n; i++) {
        const double root = x[i];
        x[i] = pow(root, 2.0);
        if (isinf(x[i]) && !isinf(root))
            return GPT_POW_RANGE;
        if (calls)
            calls_note(calls, CALLED_SQUARE, root, x[i]);
    }
    return GPT_OK;
}

GptError decoder_append(Decoder *d, const GPT *g, size_t token) {
    const Sizes *s = &g->s;
    const size_t C = s->C, t = d->T++;
    assert(token < s->V && t < s->block_size);
    double *x = d->scratch, *norm = x + C, *q = norm + C, *heads = q + C, *out = heads + C;
    double *hidden = out + C, *weights = hidden + s->F;
    const double *token_row = wte_of(s, g->weights).w + token * C;
    const double *position_row = wpe_of(s, g->weights).w + t * C;
    leave(&d->vectors, token_row, C);
    leave(&d->vectors, position_row, C);
    for (size_t i = 0; i < C; i++)
        norm[i] = token_row[i] + position_row[i];
    leave(&d->vectors, norm, C);
    rmsnorm(x, norm, C, d->calls);
    leave(&d->vectors, x, C);
    for (size_t l = 0; l < s->L; l++) {
        const LayerMatrices m = layer_matrices_of(s, g->weights, l);
        double *keys = d->keys + l * s->block_size * C, *values = d->values + l * s->block_size * C;
        rmsnorm(norm, x, C, d->calls);
        leave(&d->vectors, norm, C);
        linear(q, m.wq, norm);
        leave(&d->vectors, q, C);
        linear(keys + t * C, m.wk, norm);
        leave(&d->vectors, keys + t * C, C);
        linear(values + t * C, m.wv, norm);
        leave(&d->vectors, values + t * C, C);
        attention(d, heads, q, keys, values, weights, s);
        leave(&d->vectors, heads, C);
        linear(out, m.wo, heads);
        leave(&d->vectors, out, C);
        for (size_t i = 0; i < C; i++)
            x[i] = out[i] + x[i];
        leave(&d->vectors, x, C);
        rmsnorm(norm, x, C, d->calls);
        leave(&d->vectors, norm, C);
        linear(hidden, m.fc1, norm);
        leave(&d->vectors, hidden, s->F);
        relu(hidden, s->F);
        if (s->squares_relu && square(hidden, s->F, d->calls))
            return GPT_POW_RANGE;
        leave(&d->vectors, hidden, s->F);
        linear(out, m.fc2, hidden);
        leave(&d->vectors, out, C);
        for (size_t i = 0; i < C; i++)
            x[i] = out[i] + x[i];
        leave(&d->vectors, x, C);
    }
    linear(d->logits, lm_head_of(s, g->weights), x);
    leave(&d->vectors, d->logits, s->V);
    return GPT_OK;
}

/* Fills `best` with the k likeliest tokens, the likeliest first, of equals the first. */
static void rank(const double *logits, size_t V, size_t *best, size_t k) {
    size_t n = 0;
    for (size_t i = 0; i < V; i++) {
        if (n == k && !(logits[i] > logits[best[k - 1]]))
            continue;
        size_t place = n < k ? n++ : k - 1;
        for (; place > 0 && logits[i] > logits[best[place - 1]]; place--)
            best[place] = best[place - 1];
        best[place] = i;
    }
}

static int has_nan(const double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]))
            return 1;
    return 0;
}

static void keep_all(Decoder *d, const Sizes *s) {
    if (d->n_kept == s->V)
        return; /* which they were the last time */
    for (d->n_kept = 0; d->n_kept < s->V; d->n_kept++)
        d->kept[d->n_kept] = d->n_kept;
}

/* For top_k < V. */
static void keep_likeliest(Decoder *d, const Sizes *s, size_t top_k) {
    assert(top_k > 0);
    d->n_kept = 0;
    rank(d->logits, s->V, d->kept, top_k);
    const size_t last = d->kept[top_k - 1];
    for (size_t i = 0; i < s->V; i++)
        if (d->logits[i] > d->logits[last] || (d->logits[i] == d->logits[last] && i <= last))
            d->kept[d->n_kept++] = i;
}

GptError decoder_softmax(Decoder *d, const Sizes *s, double temperature, size_t top_k) {
    double inverse;
    if (temperature == 0.0)
        return GPT_DIVISION;
    if (checked_pow(temperature, -1.0, &inverse) < 0)
        return GPT_POW_RANGE;
    if (top_k < s->V && !has_nan(d->logits, s->V))
        keep_likeliest(d, s, top_k);
    else
        keep_all(d, s);
    for (size_t i = 0; i < d->n_kept; i++)
        d->probabilities[i] = d->logits[d->kept[i]] * inverse;
    softmax(d->probabilities, d->n_kept, d->calls);
    return GPT_OK;
}

GptError decoder_total(const Decoder *d, double *total) {
    double sum = d->probabilities[0];
    for (size_t i = 1; i < d->n_kept; i++)
        sum += d->probabilities[i];
    *total = sum + 0.0;
    return *total <= 0.0 ? GPT_TOTAL_ZERO : isfinite(*total) ? GPT_OK : GPT_TOTAL_INFINITE;
}

size_t decoder_draw(const Decoder *d, double total, double random) {
    const double x = random * total;
    double sum = 0.0;
    for (size_t i = 0; i + 1 < d->n_kept; i++) {
        sum = i == 0 ? d->probabilities[0] : sum + d->probabilities[i];
        if (x < sum)
            return d->kept[i];
    }
    return d->kept[d->n_kept - 1];
}

size_t decoder_argmax(const Decoder *d, const Sizes *s) {
    size_t best = 0;
    for (size_t i = 1; i < s->V; i++)
        if (d->logits[i] > d->logits[best])
            best = i;
    return best;
}
