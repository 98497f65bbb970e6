/* Training: steps of a schedule, each a batch's gradients (batch.h) and Adam, until they are done,
 * the time is up or something fails.
 *
 * Adam is divided among the threads by weights, which share nothing. All threads run the same code
 * on the same numbers and so come to the same decisions.
 */
#include "train.h"

#include <assert.h>
#include <math.h>
#include <time.h>

#include "batch.h"
#include "numerics/adam_update.h"
#include "team.h"

#define LEAST_TASK 2048 /* weights for Adam: some microseconds */

/* ---- when to stop ---- */

static double now(void) {
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* A clock that was put back ends the time, too. */
static int is_over(double start, double seconds) {
    const double passed = now() - start;
    return !(passed >= 0.0 && passed <= seconds);
}

/* ---- Adam ---- */

static AdamRates rates_at(const TrainingRun *run, size_t step) {
    assert(step < run->schedule_steps);
    const double number = (double)(step + 1);
    return (AdamRates){
        .lr = run->lr * (1.0 - (double)step / (double)run->schedule_steps),
        .beta1 = run->beta1,
        .beta2 = run->beta2,
        .rest1 = 1.0 - run->beta1,
        .rest2 = 1.0 - run->beta2,
        .correction1 = 1.0 - pow(run->beta1, number),
        .correction2 = 1.0 - pow(run->beta2, number),
        .eps = run->eps,
    };
}

/* The error that Adam would end with, found before anything has changed. */
static GptError adam_failure(const GPT *g, const AdamRates *rates) {
    for (size_t i = 0; i < g->n_params; i++) {
        double weight = 0.0, gradient = g->gradients[i], m = 0.0, v = g->second_moments[i];
        if (adam_update(&weight, &gradient, &m, &v, 1, rates) == 0) {
            AdamError error = adam_error(gradient, v, rates);
            return error == ADAM_OVERFLOW  ? GPT_POW_RANGE
                   : error == ADAM_COMPLEX ? GPT_POW_COMPLEX
                                           : GPT_DIVISION;
        }
    }
    return GPT_OK;
}

/* Whether it could: only where a square overflows, or for odd numbers from outside, no eps to keep
 * a root from being 0 and moments below 0. */
static int adam_may_fail(const TrainingRun *run, double gradient_bound) {
    return !(gradient_bound <= 0x1p+200) || !(run->eps > 0.0);
}

/* Without a branch, so that compilers take several at a time. */
static int any_negative(const double *x, size_t n) {
    int found = 0;
    for (size_t i = 0; i < n; i++)
        found |= x[i] < 0.0;
    return found;
}

/* A run that all threads of a team go through. */
typedef struct {
    GPT *g;
    TrainingRun *run;
    int odd_moments; /* some second moment is negative */
    double start;    /* of the run, in seconds */
    int stop;
    GptError error;
} Training;

/* Adam by all of a team's threads, unless it would fail in one of them. */
static GptError update_weights(const Training *training, size_t step, double gradient_bound,
                               Team *team) {
    GPT *g = training->g;
    const AdamRates rates = rates_at(training->run, step);
    const size_t n_tasks = tasks_for(team_size(team), g->n_params, LEAST_TASK);
    const size_t task_size = g->n_params / n_tasks / LANES * LANES;
    if (training->odd_moments || adam_may_fail(training->run, gradient_bound)) {
        GptError error = adam_failure(g, &rates);
        team_wait(team);
        if (error)
            return error;
    }
    for (size_t task; (task = team_next(team)) < n_tasks;) {
        const size_t from = task * task_size;
        const size_t n = task + 1 < n_tasks ? task_size : g->n_params - from;
        adam_update(g->weights + from, g->gradients + from, g->first_moments + from,
                    g->second_moments + from, n, &rates);
    }
    return GPT_OK;
}

/* ---- the run ---- */

static void train(void *context, Team *team, size_t thread) {
    Training *training = context;
    TrainingRun *run = training->run;
    const Worker me = {team, thread, team_size(team)};
    Documents docs = run->docs;
    docs.n = run->batch_size;
    for (size_t i = 0; i < run->n_steps; i++) {
        const BatchResult result = batch_run(&(Batch){training->g, &docs, 1, me});
        GptError error = result.error;
        if (!error)
            error = update_weights(training, run->first_step + i, result.gradient_bound, team);
        if (thread == 0) {
            training->error = error;
            if (!error) {
                run->losses[i] = batch_loss(training->g->workspace, docs.n);
                run->completed = i + 1;
                training->stop = is_over(training->start, run->seconds);
            }
        }
        if (error)
            return;
        docs.first = (docs.first + docs.n) % docs.total;
        team_wait(team);
        if (training->stop)
            return;
    }
}

GptError gpt_train(GPT *g, TrainingRun *run) {
    const size_t n_threads = run->n_threads < MOST_THREADS ? run->n_threads : MOST_THREADS;
    Training training = {.g = g, .run = run, .start = now()};
    run->completed = 0;
    training.odd_moments = any_negative(g->second_moments, g->n_params);
    training.error = workspace_reserve(g->workspace, &g->s, n_threads, &run->docs, run->batch_size);
    if (!training.error)
        team_run(n_threads, train, &training);
    run->docs.first = (run->docs.first + run->completed * run->batch_size) % run->docs.total;
    return training.error;
}
