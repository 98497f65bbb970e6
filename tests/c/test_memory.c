/* csrc/gpt where memory and threads are scarce: each request fails once.
 *
 * Compiled with scarce_memory.h. A call whose request fails must say so, leave weights and moments
 * as they were and, as the sanitizers watch, lose nothing; the next call must give the right bits.
 * A thread that cannot be started is none, and changes no bit. Prints OK, or what is wrong.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gpt/decode.h"
#include "gpt/gpt.h"
#include "gpt/train.h"
#include "numerics/calls.h"
#include "numerics/vector_unit.h"
#include "scarce_memory.h"

enum { N_DOCS = 3, N_TOKENS = 9, N_THREADS = 3, N_STEPS = 2, MOST_REQUESTS = 100 };

static const int32_t tokens[N_DOCS * N_TOKENS] = {0, 1, 2, 3, 4, 3, 2, 1, 0, 0, 2, 4, 1, 3,
                                                  1, 4, 2, 0, 0, 4, 4, 3, 3, 2, 2, 1, 0};
static const size_t starts[N_DOCS + 1] = {0, N_TOKENS, 2 * N_TOKENS, 3 * N_TOKENS};
static const Documents docs = {tokens, starts, N_DOCS, 0, N_DOCS};

static void must(int condition, const char *what, size_t request) {
    if (!condition) {
        printf("NOT OK: %s, request %zu\n", what, request);
        exit(1);
    }
}

static GPT *new_model(size_t C) {
    GPT *g = gpt_new(5, 1, C, 1, 8, (Kind){0});
    for (size_t i = 0; g && i < g->n_params; i++)
        g->weights[i] = (double)(i * 37 % 101) * 0.01 - 0.5;
    return g;
}

static GptError train(GPT *g, double *losses) {
    TrainingRun run = {
        .docs = docs,
        .n_steps = N_STEPS,
        .schedule_steps = N_STEPS,
        .batch_size = N_DOCS,
        .n_threads = N_THREADS,
        .lr = 0.01,
        .beta1 = 0.85,
        .beta2 = 0.99,
        .eps = 1e-8,
        .seconds = 1e9,
        .losses = losses,
    };
    return gpt_train(g, &run);
}

/* Weights, gradients and moments lie one after the other. */
static size_t n_bytes(const GPT *g) {
    return (size_t)((char *)(g->second_moments + g->n_params) - (char *)g->weights);
}

/* How many requests were made until none failed. */
static size_t check_model(size_t C) {
    double expected_loss, loss, expected_losses[N_STEPS], losses[N_STEPS];
    fail_request(SIZE_MAX - 1);
    GPT *expected = new_model(C), *start = new_model(C);
    must(expected && start && !gpt_backward(expected, &docs, &expected_loss) &&
             !train(expected, expected_losses),
         "an error without a cause", 0);
    size_t request = 0;
    for (; request < MOST_REQUESTS; request++) {
        fail_request(request);
        GPT *g = new_model(C);
        if (g == NULL) {
            must(has_failed(), "no model without a cause", request);
            continue;
        }
        Decoder *d = decoder_new(&g->s);
        must(d != NULL || has_failed(), "no decoder without a cause", request);
        decoder_free(d);
        GptError error = gpt_backward(g, &docs, &loss);
        if (error) {
            must(error == GPT_NO_MEMORY && has_failed(), "an error of gpt_backward", request);
            must(gpt_backward(g, &docs, &loss) == GPT_OK, "gpt_backward again", request);
        }
        must(memcmp(&loss, &expected_loss, sizeof loss) == 0, "the loss", request);
        error = train(g, losses);
        if (error) {
            must(error == GPT_NO_MEMORY && has_failed(), "an error of gpt_train", request);
            must(memcmp(g->weights, start->weights, g->n_params * sizeof(double)) == 0,
                 "weights after an error", request);
            must(train(g, losses) == GPT_OK, "gpt_train again", request);
        }
        must(memcmp(losses, expected_losses, sizeof losses) == 0, "the losses", request);
        must(memcmp(g->weights, expected->weights, n_bytes(g)) == 0, "the numbers", request);
        gpt_free(g);
        if (!has_failed())
            break;
    }
    gpt_free(expected);
    gpt_free(start);
    return request;
}

/* The same for calls that are kept: those kept before memory ran out are right. */
static size_t check_calls(void) {
    const size_t n = 200;
    for (size_t request = 0; request < MOST_REQUESTS; request++) {
        fail_request(request);
        Calls calls = {0};
        const Exceptions *kept = &calls.of[CALLED_SQUARE];
        for (size_t i = 0; i < n; i++)
            calls_note(&calls, CALLED_SQUARE, (double)(i + 1),
                       nextafter((double)((i + 1) * (i + 1)), 0.0));
        must(calls.error == (has_failed() ? CALLS_NO_MEMORY : CALLS_OK), "calls", request);
        must(has_failed() || kept->n == n, "the number of calls", request);
        for (size_t i = 1; i < kept->n; i++)
            must(kept->x[i] > kept->x[i - 1] && kept->above[i] == -1, "a call", request);
        calls_free(&calls);
        if (!has_failed())
            return request;
    }
    return MOST_REQUESTS;
}

int main(void) {
    must(gpt_new(5, (size_t)1 << 40, (size_t)1 << 20, 1, 8, (Kind){0}) == NULL,
         "a model beyond memory", 0);
    const size_t small = check_model(2), large = check_model(160);
    must(small > 5 && large > 5 && small < MOST_REQUESTS && large < MOST_REQUESTS,
         "the number of requests", small);
    must(check_calls() >= 4, "the requests of calls", 0);
    printf("OK: %zu and %zu requests\n", small, large);
    return 0;
}
