/* csrc/gpt without Python: small models of many shapes, on every vector unit of this machine.
 *
 * Checks that all units, numbers of threads and ways through a run give the same bits, and that the
 * forward pass agrees with sampling, which is written separately. What the bits should be is the
 * business of test_native.py. Meant to run under sanitizers; prints OK, or the first difference.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpt/decode.h"
#include "gpt/gpt.h"
#include "gpt/train.h"
#include "numerics/vector_unit.h"

#define N_DOCS 5
#define STEPS 3
#define MOST_TOKENS 24

static uint64_t state = 1;

static double uniform(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

static void fail(const char *what, const GPT *g, size_t at, double expected, double actual) {
    printf("NOT OK: %s, V %zu L %zu C %zu H %zu block_size %zu, at %zu: expected %a, is %a\n", what,
           g->s.V, g->s.L, g->s.C, g->s.H, g->s.block_size, at, expected, actual);
    exit(1);
}

static void check(const char *what, const GPT *g, const double *expected, const double *actual,
                  size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&expected[i], &actual[i], sizeof *expected) != 0 &&
            !(isnan(expected[i]) && isnan(actual[i])))
            fail(what, g, i, expected[i], actual[i]);
}

static void *checked(void *memory) {
    if (memory == NULL) {
        puts("NOT OK: no memory");
        exit(1);
    }
    return memory;
}

/* The first loss, all gradients, then losses, weights and moments of a few steps. */
static size_t run(GPT *g, const Documents *docs, size_t batch_size, size_t n_threads,
                  size_t steps_at_once, double *out) {
    const size_t n = g->n_params;
    double losses[STEPS];
    unsigned char digests[STEPS * DIGEST_SIZE], expected[DIGEST_SIZE];
    Calls calls = {0};
    if (gpt_loss(g, docs, &out[0]) || gpt_backward(g, docs, &out[1]))
        fail("an error", g, 0, 0.0, 0.0);
    memcpy(out + 2, g->gradients, n * sizeof *out);
    for (size_t step = 0; step < STEPS; step += steps_at_once) {
        TrainingRun training = {
            .docs = *docs,
            .first_step = step,
            .n_steps = steps_at_once,
            .schedule_steps = STEPS,
            .batch_size = batch_size,
            .n_threads = n_threads,
            .lr = 0.01,
            .beta1 = 0.85,
            .beta2 = 0.99,
            .eps = 1e-8,
            .weight_decay = g->s.ties_weights ? 0.1 : 0.0,
            .clip_norm = g->s.squares_relu ? 0.5 : 0.0,
            .n_warmup = g->s.squares_relu ? 1 : 0,
            .decline = g->s.ties_weights ? FALLS_AS_COSINE : FALLS_LINEARLY,
            .seconds = 1e9,
            .losses = losses + step,
            .calls = n_threads == 1 ? &calls : NULL,
            .digests = n_threads == 1 ? digests : NULL,
        };
        training.docs.first = step * batch_size % docs->total;
        if (gpt_train(g, &training) || training.completed != steps_at_once)
            fail("an error", g, step, 0.0, 0.0);
        digest_of(g->weights, n, expected);
        if (n_threads == 1 &&
            memcmp(expected, digests + (steps_at_once - 1) * DIGEST_SIZE, DIGEST_SIZE))
            fail("a digest", g, step, 0.0, 0.0);
    }
    if (calls.error)
        fail("calls", g, 0, 0.0, 0.0);
    calls_free(&calls);
    memcpy(out + 2 + n, losses, sizeof losses);
    memcpy(out + 2 + n + STEPS, g->weights, n * sizeof *out);
    memcpy(out + 2 + 2 * n + STEPS, g->first_moments, n * sizeof *out);
    memcpy(out + 2 + 3 * n + STEPS, g->second_moments, n * sizeof *out);
    return 2 + STEPS + 4 * n;
}

/* What a position leaves fills its place, and ends with the logits. */
static void append_watched(Decoder *d, const GPT *g, size_t token) {
    const size_t n = n_vectors(&g->s), n_heads = g->s.L * g->s.H * (d->T + 1);
    double *vectors = checked(malloc(n * sizeof *vectors));
    double *heads = checked(malloc(n_heads * sizeof *heads));
    d->vectors = vectors;
    d->heads = heads;
    if (decoder_append(d, g, token))
        fail("an error", g, d->T, 0.0, 0.0);
    if (d->vectors != vectors + n || d->heads != heads + n_heads)
        fail("the room of a position", g, d->T, 0.0, 0.0);
    check("the logits left", g, d->logits, vectors + n - g->s.V, g->s.V);
    free(vectors);
    free(heads);
    d->vectors = d->heads = NULL;
}

static void check_decoder(const GPT *g, const Documents *docs, double expected) {
    double total = 0.0;
    for (size_t i = 0; i < docs->n; i++) {
        Decoder *d = checked(decoder_new(&g->s));
        const int32_t *tokens = docs->tokens + docs->starts[i];
        size_t T = docs->starts[i + 1] - docs->starts[i] - 1;
        double sum = 0.0;
        T = T < g->s.block_size ? T : g->s.block_size;
        for (size_t t = 0; t < T; t++) {
            append_watched(d, g, (size_t)tokens[t]);
            for (size_t k = 1; k <= g->s.V; k++)
                if (decoder_softmax(d, &g->s, 1.0, k) || d->n_kept != k)
                    fail("an error", g, t, (double)k, (double)d->n_kept);
            sum += -log(d->probabilities[tokens[t + 1]]);
        }
        total += sum * (1.0 / (double)T);
        decoder_free(d);
    }
    total *= 1.0 / (double)docs->n;
    check("the decoder's loss", g, &expected, &total, 1);
}

static GPT *empty_model(const Sizes *s) {
    const Kind kind = {s->squares_relu, s->ties_weights};
    return checked(gpt_new(s->V, s->L, s->C, s->H, s->block_size, kind));
}

static GPT *new_model(const Sizes *s, const double *weights) {
    GPT *g = empty_model(s);
    memcpy(g->weights, weights, g->n_params * sizeof *weights);
    return g;
}

/* Documents have from `shortest` to `longest` tokens. */
static void check_model(const Sizes *s, size_t batch_size, size_t shortest, size_t longest,
                        size_t most_threads) {
    int32_t tokens[N_DOCS * MOST_TOKENS];
    size_t starts[N_DOCS + 1] = {0};
    for (size_t i = 0; i < N_DOCS; i++) {
        const double n = uniform() * (double)(longest - shortest + 1);
        starts[i + 1] = starts[i] + shortest + (size_t)n;
        for (size_t t = starts[i]; t < starts[i + 1]; t++)
            tokens[t] = (int32_t)(uniform() * (double)s->V);
    }
    const Documents docs = {tokens, starts, N_DOCS, 0, N_DOCS};
    GPT *g = empty_model(s);
    const size_t n = g->n_params;
    double *weights = checked(malloc(n * sizeof *weights));
    double *expected = checked(malloc((2 + STEPS + 4 * n) * sizeof *expected));
    double *actual = checked(malloc((2 + STEPS + 4 * n) * sizeof *actual));
    for (size_t i = 0; i < n; i++)
        weights[i] = g->weights[i] = uniform() - 0.5;
    vector_unit_set(PLAIN);
    size_t n_numbers = run(g, &docs, batch_size, 1, STEPS, expected);
    gpt_free(g);
    g = new_model(s, weights);
    check_decoder(g, &docs, expected[0]);
    gpt_free(g);
    static const VectorUnit units[] = {PLAIN, AVX2, AVX512};
    for (size_t i = 0; i < 3; i++)
        for (size_t n_threads = 1; n_threads <= most_threads; n_threads++) {
            if (vector_unit_set(units[i]) < 0)
                continue;
            g = new_model(s, weights);
            run(g, &docs, batch_size, n_threads, n_threads == 1 ? 1 : STEPS, actual);
            check("a number", g, expected, actual, n_numbers);
            gpt_free(g);
        }
    free(weights);
    free(expected);
    free(actual);
}

int main(void) {
    static const size_t vocabularies[] = {1, 9}, block_sizes[] = {1, 8, 17};
    static const size_t heads[] = {1, 3}, head_dims[] = {1, 2, 5};
    size_t n_models = 0;
    for (size_t L = 1; L <= 2; L++)
        for (size_t i = 0; i < 2; i++)
            for (size_t j = 0; j < 3; j++)
                for (size_t k = 0; k < 2; k++)
                    for (size_t m = 0; m < 3; m++, n_models++) {
                        Sizes s = {.V = vocabularies[i],
                                   .L = L,
                                   .C = heads[k] * head_dims[m],
                                   .H = heads[k],
                                   .block_size = block_sizes[j],
                                   .squares_relu = n_models % 2,
                                   .ties_weights = n_models / 2 % 2};
                        check_model(&s, 2, 2, MOST_TOKENS, 3);
                    }
    const Sizes large = {.V = 9, .L = 1, .C = 69, .H = 3, .block_size = 20};
    check_model(&large, 1, 15, MOST_TOKENS, 3); /* threads share each document */
    check_model(&large, 2, 8, 8, 3);            /* or two short ones */
    const Sizes middle = {.V = 9,
                          .L = 1,
                          .C = 33,
                          .H = 3,
                          .block_size = MOST_TOKENS,
                          .squares_relu = 1,
                          .ties_weights = 1};
    check_model(&middle, 4, MOST_TOKENS, MOST_TOKENS, 5); /* or a piece, and not a smaller one */
    const Sizes small = {.V = 2, .L = 1, .C = 2, .H = 1, .block_size = MOST_TOKENS};
    check_model(&small, 20, 2, MOST_TOKENS, 3); /* several pieces for each thread */
    n_models += 4;
    for (size_t T = 1; T < MOST_TOKENS; T++, n_models += 2) { /* however full the last panel is */
        const Sizes even = {.V = 9, .L = 1, .C = 24, .H = 3, .block_size = MOST_TOKENS};
        const Sizes odd = {.V = 9, .L = 1, .C = 10, .H = 2, .block_size = MOST_TOKENS};
        check_model(&even, 1, T + 1, T + 1, 1);
        check_model(&odd, 1, T + 1, T + 1, 2);
    }
    printf("OK: %zu models\n", n_models);
    return 0;
}
