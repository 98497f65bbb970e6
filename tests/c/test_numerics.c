/* csrc/numerics without Python, for the sanitizers: every path against loops over libm, bit for
 * bit. All arrays have the exact size, so that a step too far is seen. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numerics/adam_update.h"
#include "numerics/calls.h"
#include "numerics/exact.h"
#include "numerics/exp_many.h"
#include "numerics/pow_many.h"
#include "numerics/rounded.h"
#include "numerics/vector_unit.h"

static unsigned long long state = 1;
static size_t n_calls; /* that were not correctly rounded */

static double uniform(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

static double number(int rare) {
    static const double odd[] = {0.0,    -0.0, 5e-324,   1e-310,    1e-200,
                                 1e-162, 1.0,  1e154,    1.4e154,   1e300,
                                 2.0,    0.5,  INFINITY, -INFINITY, (double)NAN};
    if (rare && uniform() < 0.1)
        return odd[(size_t)(uniform() * (sizeof odd / sizeof *odd))];
    return (uniform() - 0.5) * exp2(floor(uniform() * 20.0 - 15.0));
}

static double *numbers(size_t n, int rare) {
    double *x = malloc(n * sizeof *x + 1);
    if (x == NULL)
        abort();
    for (size_t i = 0; i < n; i++)
        x[i] = number(rare);
    return x;
}

static double *copy_of(const double *x, size_t n) {
    double *copy = malloc(n * sizeof *copy + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

static void compare(const char *what, const double *expected, const double *actual, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(expected + i, actual + i, sizeof *actual) &&
            !(isnan(expected[i]) && isnan(actual[i]))) {
            printf("%s [%zu] of %zu on %s: expected %a, actual %a: NOT OK\n", what, i, n,
                   vector_unit_name(), expected[i], actual[i]);
            exit(1);
        }
}

/* In any order; frees both. */
static void compare_calls(const char *what, Calls *expected, Calls *actual) {
    for (int f = 0; f < N_CALLED; f++) {
        const Exceptions *a = &expected->of[f], *b = &actual->of[f];
        int same = a->n == b->n;
        for (size_t i = 0; i < a->n; i++) {
            int found = 0;
            for (size_t j = 0; j < b->n; j++)
                found |= a->x[i] == b->x[j] && a->above[i] == b->above[j];
            same &= found;
        }
        if (!same || expected->error || actual->error) {
            printf("%s calls of function %d on %s: expected %zu, actual %zu: NOT OK\n", what, f,
                   vector_unit_name(), a->n, b->n);
            exit(1);
        }
        n_calls += a->n;
    }
    calls_free(expected);
    calls_free(actual);
}

static size_t adam_loop(double *w, const double *g, double *m, double *v, size_t n,
                        const AdamRates *r, Calls *calls) {
    for (size_t i = 0; i < n; i++) {
        double square = pow(g[i], 2.0);
        m[i] = r->beta1 * m[i] + r->rest1 * g[i];
        if (isinf(square) && isfinite(g[i]))
            return i;
        const double old_v = v[i], step = r->lr * (m[i] / r->correction1);
        v[i] = r->beta2 * old_v + r->rest2 * square;
        if (v[i] != r->beta2 * old_v + r->rest2 * rounded_square(g[i]))
            calls_note(calls, CALLED_SQUARE, g[i], square);
        const double v_hat = v[i] / r->correction2, divisor = pow(v_hat, 0.5) + r->eps;
        if (divisor == 0.0)
            return i;
        if (w[i] - step / divisor != w[i] - step / (rounded_root(v_hat) + r->eps))
            calls_note(calls, CALLED_ROOT, v_hat, pow(v_hat, 0.5));
        w[i] -= step / divisor;
    }
    return n;
}

static void test_adam(size_t n, int step, int rare, double eps) {
    AdamRates r = {0.01, 0.85, 0.99, 1 - 0.85, 1 - 0.99, 1 - pow(0.85, step), 1 - pow(0.99, step),
                   eps};
    double *w = numbers(n, rare), *g = numbers(n, rare);
    double *m = numbers(n, rare), *v = numbers(n, rare);
    for (size_t i = 0; i < n; i++)
        v[i] = fabs(v[i]);
    double *w2 = copy_of(w, n), *m2 = copy_of(m, n), *v2 = copy_of(v, n);
    Calls expected_calls = {0}, calls = {0};
    size_t expected = adam_loop(w, g, m, v, n, &r, &expected_calls);
    size_t actual = adam_update(w2, g, m2, v2, n, &r, &calls);
    if (expected != actual) {
        printf("adam_update stops at %zu instead of %zu: NOT OK\n", actual, expected);
        exit(1);
    }
    compare("w", w, w2, n);
    compare("m", m, m2, n);
    compare("v", v, v2, n);
    compare_calls("Adam's", &expected_calls, &calls);
    double *all[] = {w, g, m, v, w2, m2, v2};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void test_exp_and_powers(size_t n, int rare) {
    static const double exponents[] = {-0.5, -1.5, -1.0, -2.0};
    static const Called called[] = {CALLED_INVERSE_ROOT, CALLED_INVERSE_ROOT_CUBED, CALLED_INVERSE,
                                    CALLED_INVERSE_SQUARE};
    double *x = numbers(n, rare), *expected = copy_of(x, n), *actual = copy_of(x, n);
    Calls expected_calls = {0}, calls = {0};
    const Noted noted = {&calls, 1 + n % 9, 1 + n % 5};
    for (size_t i = 0; i < n; i++) {
        expected[i] = exp(x[i]);
        if (i % noted.row < noted.used)
            calls_note(&expected_calls, CALLED_EXP, x[i], expected[i]);
    }
    exp_many(actual, n, &noted);
    compare("exp", expected, actual, n);
    for (int p = 0; p < 4; p++) {
        for (size_t i = 0; i < n; i++) {
            expected[i] = pow(x[i] = fabs(x[i]), exponents[p]);
            if (i % noted.row < noted.used)
                calls_note(&expected_calls, called[p], x[i], expected[i]);
        }
        pow_many(actual, x, n, (Power)p, &noted);
        compare("power", expected, actual, n);
    }
    compare_calls("exp and powers", &expected_calls, &calls);
    free(x);
    free(expected);
    free(actual);
}

static void test_rounded(void) {
    static const struct {
        const char *name;
        RoundedFunction exact;
    } all[] = {
        {"exp", exact_exp},
        {"log", exact_log},
        {"cos", exact_cos},
        {"sin", exact_sin},
        {"inverse_square", exact_inverse_square},
        {"inverse_root", exact_inverse_root},
        {"inverse_root_cubed", exact_inverse_root_cubed},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int round = 0; round < 500; round++) {
            double x = number(1), expected = all[i].exact(x);
            double actual = rounded_function(all[i].name)(x);
            compare(all[i].name, &expected, &actual, 1);
        }
    if (rounded_function("tan") != NULL)
        abort();
}

int main(void) {
    test_rounded();
    for (int unit = PLAIN; unit <= AVX512; unit++) {
        if (vector_unit_set((VectorUnit)unit) < 0)
            continue;
        for (int round = 0; round < 400; round++)
            for (size_t n = 0; n <= 40; n++) {
                test_adam(n, 1 + round, round % 2, round % 4 == 3 ? 0.0 : 1e-8);
                test_exp_and_powers(n, round % 2);
            }
        for (size_t n = 250; n < 520; n += 3) {
            test_adam(n, (int)n, 0, 1e-8);
            test_exp_and_powers(n, 0);
        }
        printf("numerics on %s: OK, with %zu calls noted\n", vector_unit_name(), n_calls);
    }
    const char *sentence = vector_unit_init();
    printf("%s\n", sentence ? sentence : vector_unit_name());
    return sentence != NULL;
}
