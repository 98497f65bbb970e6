/* Training: steps of a schedule, each a batch's gradients (batch.h) and Adam, until they are done,
 * the time is up or something fails.
 *
 * Adam is divided among the threads by weights, which share nothing. All threads run the same code
 * on the same numbers and so come to the same decisions.
 */
#include "train.h"

#include <assert.h>
#include <math.h>

#include "batch.h"
#include "clock.h"
#include "numerics/adam_update.h"
#include "pieces.h"
#include "team.h"

#define LEAST_TASK 2048 /* weights for Adam: some microseconds */

/* ---- Adam ---- */

#define PI 3.141592653589793 /* math.pi */

/* What reference.learning_rate computes. */
static double learning_rate(const TrainingRun *run, size_t step) {
    const size_t n_warmup = run->n_warmup;
    if (step < n_warmup)
        return run->lr * ((double)(step + 1) / (double)n_warmup);
    if (run->decline == IS_CONSTANT)
        return run->lr;
    const double done = (double)(step - n_warmup) / (double)(run->schedule_steps - n_warmup);
    if (run->decline == FALLS_AS_COSINE)
        return run->lr * (0.5 * (1.0 + cos(PI * done)));
    return run->lr * (1.0 - done);
}

static AdamRates rates_at(const TrainingRun *run, size_t step) {
    assert(step < run->schedule_steps);
    const double number = (double)(step + 1);
    return (AdamRates){
        .lr = learning_rate(run, step),
        .beta1 = run->beta1,
        .beta2 = run->beta2,
        .rest1 = 1.0 - run->beta1,
        .rest2 = 1.0 - run->beta2,
        .correction1 = 1.0 - pow(run->beta1, number),
        .correction2 = 1.0 - pow(run->beta2, number),
        .eps = run->eps,
    };
}

/* What all gradients are to be multiplied with, so that together they are no longer than `norm`; 1.0
 * if they are not. The sum runs upwards, as the reference's does: 4 cycles a gradient. */
static double clipping_factor(const GPT *g, double norm) {
    double total = 0.0;
    if (norm == 0.0)
        return 1.0;
    for (size_t i = 0; i < g->n_params; i++)
        total += g->gradients[i] * g->gradients[i];
    const double length = sqrt(total);
    return length > norm ? norm / length : 1.0;
}

static void scale(double *x, size_t n, double factor) {
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* The error that Adam would end with, found before anything has changed; gradients are still to be
 * clipped. */
static GptError adam_failure(const GPT *g, const AdamRates *rates, double clipping) {
    for (size_t i = 0; i < g->n_params; i++) {
        double weight = 0.0, gradient = g->gradients[i], m = 0.0, v = g->second_moments[i];
        if (clipping != 1.0)
            gradient *= clipping;
        if (adam_update(&weight, &gradient, &m, &v, 1, rates, NULL) == 0) {
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
    double last;     /* when the last step ended */
    double lost;     /* by the team in this stretch until then */
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
    const double clipping = clipping_factor(g, training->run->clip_norm);
    const int may_fail = training->odd_moments || adam_may_fail(training->run, gradient_bound);
    if (may_fail) {
        GptError error = adam_failure(g, &rates, clipping);
        if (error)
            return error;
    }
    if (may_fail || clipping != 1.0)
        team_wait(team); /* nobody still reads the gradients that are clipped */
    for (size_t task; (task = team_next(team)) < n_tasks;) {
        const size_t from = task * task_size;
        const size_t n = task + 1 < n_tasks ? task_size : g->n_params - from;
        if (clipping != 1.0)
            scale(g->gradients + from, n, clipping);
        if (training->run->weight_decay != 0.0)
            scale(g->weights + from, n, 1.0 - rates.lr * training->run->weight_decay);
        adam_update(g->weights + from, g->gradients + from, g->first_moments + from,
                    g->second_moments + from, n, &rates, training->run->calls);
    }
    return GPT_OK;
}

/* ---- the run ---- */

/* What the step that is over means for the pace: now it took from the last one's end to `now`. */
static void note_pace(Training *training, const Documents *docs, const Team *team, double now) {
    Pace *pace = training->run->pace;
    if (pace == NULL)
        return;
    const double lost = team_lost(team);
    const Range all = {0, docs->n};
    const double positions = (double)positions_in(&training->g->s, docs, all);
    pace_add(pace, now - training->last, positions, lost - training->lost);
    training->lost = lost;
}

/* A clock that was put back ends the time, too. */
static int is_over(const Training *training, double now) {
    const double passed = now - training->start;
    return !(passed >= 0.0 && passed <= training->run->seconds);
}

/* Steps until they are done, the time is up, or it is another pace's turn. */
static void train(void *context, Team *team, size_t thread) {
    Training *training = context;
    TrainingRun *run = training->run;
    const Worker me = {team, thread, team_size(team)};
    Documents docs = run->docs;
    docs.n = run->batch_size;
    for (size_t i = run->completed; i < run->n_steps; i++) {
        const Batch batch = {training->g, &docs, 1, run->is_unwanted, run->calls, me};
        const BatchResult result = batch_run(&batch);
        GptError error = result.error;
        if (!error)
            error = update_weights(training, run->first_step + i, result.gradient_bound, team);
        if (thread == 0) {
            training->error = error;
            if (!error) {
                const double now = seconds_now();
                run->losses[i] = batch_loss(training->g->workspace, docs.n);
                if (run->digests)
                    digest_of(training->g->weights, training->g->n_params,
                              run->digests + i * DIGEST_SIZE);
                run->completed = i + 1;
                note_pace(training, &docs, team, now);
                training->last = now;
                training->stop = is_over(training, now) || (run->pace && pace_is_over(run->pace));
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

/* One stretch of the run, together or alone. */
static void train_stretch(Training *training, size_t n_threads) {
    TrainingRun *run = training->run;
    const size_t before = run->completed;
    training->stop = 0;
    training->lost = 0.0;
    training->last = seconds_now();
    team_run(n_threads, train, training);
    const size_t n_docs = (run->completed - before) * run->batch_size;
    run->docs.first = (run->docs.first + n_docs) % run->docs.total;
    if (run->pace) {
        /* Until all threads have come back, which may take longer than the steps. */
        pace_add(run->pace, seconds_now() - training->last, 0.0, 0.0);
        pace_choose(run->pace);
    }
}

GptError gpt_train(GPT *g, TrainingRun *run) {
    const size_t n_threads = run->n_threads < MOST_THREADS ? run->n_threads : MOST_THREADS;
    Training training = {.g = g, .run = run, .start = seconds_now()};
    assert(n_threads == 1 || (run->calls == NULL && run->digests == NULL));
    run->completed = 0;
    training.odd_moments = any_negative(g->second_moments, g->n_params);
    training.error = workspace_reserve(g->workspace, &g->s, n_threads, &run->docs, run->batch_size);
    if (training.error)
        return training.error;
    do
        train_stretch(&training, run->pace && !run->pace->is_together ? 1 : n_threads);
    while (!training.error && run->completed < run->n_steps && !is_over(&training, training.last));
    return training.error;
}
