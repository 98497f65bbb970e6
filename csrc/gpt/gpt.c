/* The model's memory, and steps made of the stages in pass.h.
 *
 * A batch goes through in pieces of a few documents, the last documents first: so the sums of
 * weights' gradients, which run over all positions of a batch from last to first, go on from piece
 * to piece. Threads take pieces as they get to them and add each one's gradients, one range of
 * weights after the other, as soon as the piece before has been there: so a thread reads no
 * activations but its own. With fewer documents than threads, all may share one piece after the
 * other, and the weights. Adam is divided by weights, which share nothing. Who does what shows in
 * no bit.
 *
 * All threads run the same code on the same numbers and so come to the same decisions; what one of
 * them writes, others read only after team_wait(), sums of gradients after team_enter().
 */
#include "gpt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memory.h"
#include "numerics/adam_update.h"
#include "numerics/vector_unit.h"
#include "pass.h"
#include "team.h"

#define RANGE 1024          /* weights, for gradients: some microseconds for a piece */
#define ADAM_TASK 2048      /* weights: some microseconds */
#define LARGE_PIECE 60000.0 /* positions times n_embd**2: 4 positions at n_embd 128 */

GPT *gpt_new(size_t V, size_t L, size_t C, size_t H, size_t block_size) {
    const double n =
        ((double)(2 * (double)V + (double)block_size) + 12.0 * (double)L * (double)C) * (double)C;
    if (n > (double)(SIZE_MAX / 64) || V > INT32_MAX || C > INT32_MAX / 4 || block_size > INT32_MAX)
        return NULL;
    const size_t n_params = ((2 * V + block_size) + 12 * L * C) * C;
    const size_t padded = (n_params + LANES - 1) / LANES * LANES;
    GPT *g = memory_of_zeros(sizeof(GPT) + 63 + 4 * padded * sizeof(double));
    if (g == NULL)
        return NULL;
    uintptr_t begin = ((uintptr_t)g + sizeof(GPT) + 63) / 64 * 64;
    g->weights = (double *)((char *)g + (begin - (uintptr_t)g));
    g->gradients = g->weights + padded;
    g->first_moments = g->gradients + padded;
    g->second_moments = g->first_moments + padded;
    g->n_params = n_params;
    g->s = (Sizes){V, L, C, H, C / H, 4 * C, block_size};
    return g;
}

void gpt_free(GPT *g) {
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n_passes; i++)
        free(g->passes[i]);
    free(g->passes);
    free(g->losses);
    free(g);
}

/* ---- one batch ---- */

/* Room for n_passes at once, over documents of which the longest must fit, and for losses. */
static GptError reserve(GPT *g, size_t n_passes, const Documents *docs, size_t n_docs) {
    size_t longest = g->n_passes ? g->passes[0]->capacity : 0;
    for (size_t i = 0; i < docs->total; i++) {
        const size_t T = document_positions(&g->s, docs, i);
        longest = T > longest ? T : longest;
    }
    if (n_passes > g->n_passes) {
        Pass **passes = realloc(g->passes, n_passes * sizeof *passes);
        if (passes == NULL)
            return GPT_NO_MEMORY;
        g->passes = passes;
    }
    for (size_t i = 0; i < n_passes; i++) {
        if (i < g->n_passes && g->passes[i]->capacity >= longest)
            continue;
        Pass *p = pass_new(&g->s, longest);
        if (p == NULL)
            return GPT_NO_MEMORY;
        if (i < g->n_passes)
            free(g->passes[i]);
        else
            g->n_passes++;
        g->passes[i] = p;
    }
    if (n_docs > SIZE_MAX / sizeof *g->losses)
        return GPT_NO_MEMORY;
    if (n_docs > g->n_losses) {
        double *losses = realloc(g->losses, n_docs * sizeof *losses);
        if (losses == NULL)
            return GPT_NO_MEMORY;
        g->losses = losses;
        g->n_losses = n_docs;
    }
    return GPT_OK;
}

static size_t positions_of(const GPT *g, const Documents *docs, size_t from, size_t to) {
    size_t T = 0;
    for (size_t i = from; i < to; i++)
        T += document_positions(&g->s, docs, i);
    return T;
}

/* The first of the documents that, up to `end`, have `most` positions or else are a single one. */
static size_t piece_start(const GPT *g, const Documents *docs, size_t end, size_t most) {
    size_t start = end, T = 0;
    while (start > 0) {
        T += document_positions(&g->s, docs, start - 1);
        if (T > most && start < end)
            break;
        start--;
    }
    return start;
}

/* Whether documents up to `end` are n pieces of `most` positions, or fewer. */
static int fits(const GPT *g, const Documents *docs, size_t end, size_t n, size_t most) {
    for (; end > 0 && n > 0; n--)
        end = piece_start(g, docs, end, most);
    return end == 0;
}

/* A batch on its way from the last document to the first, in n pieces, or more if not all fit. The
 * last one begun are documents [from, to), before which T positions are left. */
typedef struct {
    const Documents *docs;
    size_t n, n_begun, from, to, T;
} Pieces;

/* About as few pieces as hold the batch, but as many for each thread. */
static Pieces pieces_of(const GPT *g, const Documents *docs, size_t n_threads) {
    const size_t capacity = g->passes[0]->capacity, T = positions_of(g, docs, 0, docs->n);
    const size_t least = (T + capacity - 1) / capacity;
    const size_t n = (least + n_threads - 1) / n_threads * n_threads;
    return (Pieces){docs, n, 0, docs->n, docs->n, T};
}

/* Goes on to piece `number`; 0 if there is none. Of the pieces left, one has as many panels as the
 * largest of them needs: large ones come first, and threads that take turns have equal shares. */
static int go_to_piece(const GPT *g, Pieces *p, size_t number) {
    const size_t capacity = g->passes[0]->capacity;
    while (p->from > 0 && p->n_begun <= number) {
        const size_t left = p->n_begun < p->n ? p->n - p->n_begun : 1;
        p->n_begun++;
        p->to = p->from;
        size_t most = ((p->T + left - 1) / left + LANES - 1) / LANES * LANES;
        while (most < capacity && !fits(g, p->docs, p->to, left, most))
            most += LANES;
        p->from = piece_start(g, p->docs, p->to, most < capacity ? most : capacity);
        p->T -= positions_of(g, p->docs, p->from, p->to);
    }
    return p->n_begun == number + 1;
}

/* The mean losses of a pass's documents. */
static void document_losses(const Pass *p, double *losses) {
    for (size_t i = 0; i < p->n_docs; i++) {
        size_t begin = (size_t)p->doc_starts[i];
        size_t end = i + 1 < p->n_docs ? (size_t)p->doc_starts[i + 1] : p->T;
        double sum = 0.0;
        for (size_t t = begin; t < end; t++)
            sum += p->loss[t];
        losses[i] = sum * (1.0 / (double)(end - begin));
    }
}

static double batch_loss(const double *losses, size_t n) {
    double sum = 0.0;
    if (n == 1)
        return losses[0];
    for (size_t i = 0; i < n; i++)
        sum += losses[i];
    return sum * (1.0 / (double)n);
}

/* The row of the linear layers at which a part of their weights begins: number `part` of `n`. In
 * steps of 8 rows, as the kernels take them. */
static size_t part_of_rows(const Sizes *s, size_t part, size_t n) {
    const size_t head = s->V * s->C, layer = 12 * s->C * s->C;
    const size_t narrow = 8 * s->C; /* a layer's rows of C weights, before those of F */
    if (part == n)
        return s->V + s->L * (narrow + s->C);
    size_t at = (head + s->L * layer) / n * part;
    if (at < head)
        return at / s->C / 8 * 8;
    const size_t before = s->V + (at - head) / layer * (narrow + s->C);
    at = (at - head) % layer;
    const size_t row = at < narrow * s->C ? at / s->C : narrow + (at - narrow * s->C) / s->F;
    return before + row / 8 * 8;
}

/* Those for the chosen vector unit. */
static const Stages *stages_here(void) {
#if HAVE_X86_PATHS
    if (vector_unit() == AVX512)
        return &stages_avx512;
    if (vector_unit() == AVX2)
        return &stages_avx2;
#endif
    return &stages_plain;
}

/* Into how many parts threads divide the weights: of `least` or more if there is one for each. */
static size_t parts_for(const GPT *g, const Team *team, size_t least) {
    const size_t n_threads = team_size(team), n = g->n_params / least;
    if (n_threads == 1)
        return 1;
    return n < n_threads ? n_threads : n < 8 * n_threads ? n : 8 * n_threads;
}

/* Ranges of weights, each of which is a station for their gradients; one is left for embeddings. */
static size_t ranges_for(const GPT *g, const Team *team) {
    const size_t n = parts_for(g, team, RANGE);
    return n < MOST_STATIONS ? n : MOST_STATIONS - 1;
}

/* Documents [from, to) from tokens to losses, and back to the gradients of activations if asked
 * for; by all workers of the pass together. */
static void run_piece(GPT *g, Pass *p, const Documents *docs, size_t from, size_t to,
                      int with_gradients, const Worker *me) {
    const Stages *stages = stages_here();
    if (me->number == 0)
        pass_take(p, &g->s, docs, from, to, docs->n == 1 ? 1.0 : 1.0 / (double)docs->n, me->n);
    wait_for_others(me);
    stages->forward(p, &g->s, g->weights, me);
    wait_for_others(me);
    if (me->number == 0)
        document_losses(p, g->losses + from);
    if (with_gradients && !pass_error(p))
        stages->backward(p, &g->s, g->weights, me);
}

/* Whether a single piece is worth the threads' waiting for one another, 14 times for each layer. */
static int worth_sharing(const GPT *g, const Documents *docs, size_t from, size_t to) {
    const double T = (double)positions_of(g, docs, from, to);
    return T * (double)g->s.C * (double)g->s.C >= LARGE_PIECE;
}

/* Adds a pass's gradients of the weights of range number `range` of n, or sets them where `begin`;
 * the embeddings are number n. */
static void add_gradients(GPT *g, const Pass *p, size_t range, size_t n, int begin) {
    if (range == n)
        stages_here()->embeddings(p, &g->s, g->gradients, begin);
    else
        stages_here()->weights(p, &g->s, g->gradients, begin, part_of_rows(&g->s, range, n),
                               part_of_rows(&g->s, range + 1, n));
}

static const Worker alone = {NULL, 0, 1};

/* Each thread takes pieces of its own. Forward knows but one kind of error, so it does not matter
 * whose is found first. */
static GptError run_in_turn(GPT *g, const Documents *docs, int with_gradients, Team *team,
                            size_t thread, double *bound) {
    const size_t n_threads = team_size(team), n_ranges = ranges_for(g, team);
    Pieces pieces = pieces_of(g, docs, n_threads);
    Pass *p = g->passes[thread];
    p->batch_error = GPT_OK;
    p->batch_bound = 0.0;
    for (size_t i = team_next(team); go_to_piece(g, &pieces, i); i = team_next(team)) {
        if (!p->batch_error) {
            run_piece(g, p, docs, pieces.from, pieces.to, with_gradients, &alone);
            p->batch_error = pass_error(p);
            p->batch_bound += pass_gradient_bound(p);
        }
        for (size_t range = 0; range <= n_ranges && with_gradients; range++) {
            team_enter(team, range, i);
            if (!p->batch_error)
                add_gradients(g, p, range, n_ranges, i == 0);
            team_leave(team, range, i);
        }
    }
    team_wait(team);
    GptError error = GPT_OK;
    *bound = 0.0;
    for (size_t i = 0; i < n_threads; i++) {
        error = error ? error : g->passes[i]->batch_error;
        *bound += g->passes[i]->batch_bound;
    }
    return error;
}

/* All threads run one piece after the other: each of them together, if that is worth it. */
static GptError run_together(GPT *g, const Documents *docs, int with_gradients, Team *team,
                             size_t thread, double *bound) {
    const size_t n_ranges = ranges_for(g, team);
    const Worker me = {team, thread, team_size(team)};
    Pieces pieces = pieces_of(g, docs, 1);
    Pass *p = g->passes[0];
    GptError error = GPT_OK;
    *bound = 0.0;
    for (size_t i = 0; !error && go_to_piece(g, &pieces, i); i++) {
        if (worth_sharing(g, docs, pieces.from, pieces.to))
            run_piece(g, p, docs, pieces.from, pieces.to, with_gradients, &me);
        else if (team_next(team) == 0)
            run_piece(g, p, docs, pieces.from, pieces.to, with_gradients, &alone);
        team_wait(team);
        error = pass_error(p);
        *bound += pass_gradient_bound(p);
        for (size_t range; !error && with_gradients && (range = team_next(team)) <= n_ranges;)
            add_gradients(g, p, range, n_ranges, i == 0);
        team_wait(team);
    }
    return error;
}

/* A batch's losses, and its gradients if asked for, by all threads of a team. *bound is what no
 * gradient exceeds in magnitude, unless it is NaN; NaN or infinite where that is not known. */
static GptError batch_gradients(GPT *g, const Documents *docs, int with_gradients, Team *team,
                                size_t thread, double *bound) {
    const int few = docs->n < team_size(team);
    if (few && (docs->n == 1 || worth_sharing(g, docs, 0, docs->n)))
        return run_together(g, docs, with_gradients, team, thread, bound);
    return run_in_turn(g, docs, with_gradients, team, thread, bound);
}

typedef struct {
    GPT *g;
    const Documents *docs;
    int with_gradients;
    GptError error;
} Evaluation;

static void evaluate(void *context, Team *team, size_t thread) {
    Evaluation *e = context;
    double unused;
    e->error = batch_gradients(e->g, e->docs, e->with_gradients, team, thread, &unused);
}

static GptError run_batch(GPT *g, const Documents *docs, int with_gradients, double *loss) {
    Evaluation evaluation = {g, docs, with_gradients, reserve(g, 1, docs, docs->n)};
    if (!evaluation.error)
        team_run(1, evaluate, &evaluation);
    if (!evaluation.error)
        *loss = batch_loss(g->losses, docs->n);
    return evaluation.error;
}

GptError gpt_loss(GPT *g, const Documents *docs, double *loss) {
    return run_batch(g, docs, 0, loss);
}

GptError gpt_backward(GPT *g, const Documents *docs, double *loss) {
    return run_batch(g, docs, 1, loss);
}

/* ---- training ---- */

static double now(void) {
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* A clock that was put back ends the time, too. */
static int is_over(double begin, double seconds) {
    const double passed = now() - begin;
    return !(passed >= 0.0 && passed <= seconds);
}

static AdamRates rates_at(const TrainingRun *run, size_t step) {
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

typedef struct {
    GPT *g;
    TrainingRun *run;
    int odd_moments, stop;
    double begin;
    GptError error;
} Training;

/* Adam by all of a team's threads, unless it would fail in one of them. */
static GptError adam_step(const Training *training, size_t step, double gradient_bound,
                          Team *team) {
    GPT *g = training->g;
    const AdamRates rates = rates_at(training->run, step);
    const size_t n_tasks = parts_for(g, team, ADAM_TASK);
    const size_t share = g->n_params / n_tasks / LANES * LANES;
    if (training->odd_moments || adam_may_fail(training->run, gradient_bound)) {
        GptError error = adam_failure(g, &rates);
        team_wait(team);
        if (error)
            return error;
    }
    for (size_t task; (task = team_next(team)) < n_tasks;) {
        const size_t from = task * share, n = task + 1 < n_tasks ? share : g->n_params - from;
        adam_update(g->weights + from, g->gradients + from, g->first_moments + from,
                    g->second_moments + from, n, &rates);
    }
    return GPT_OK;
}

static void train(void *context, Team *team, size_t thread) {
    Training *training = context;
    TrainingRun *run = training->run;
    Documents batch = run->docs;
    batch.n = run->batch_size;
    for (size_t i = 0; i < run->n_steps; i++) {
        double gradient_bound;
        GptError error = batch_gradients(training->g, &batch, 1, team, thread, &gradient_bound);
        if (!error)
            error = adam_step(training, run->first_step + i, gradient_bound, team);
        if (thread == 0) {
            training->error = error;
            if (!error) {
                run->losses[i] = batch_loss(training->g->losses, batch.n);
                run->completed = i + 1;
                training->stop = is_over(training->begin, run->seconds);
            }
        }
        if (error)
            return;
        batch.first = (batch.first + batch.n) % batch.total;
        team_wait(team);
        if (training->stop)
            return;
    }
}

GptError gpt_train(GPT *g, TrainingRun *run) {
    const size_t n_threads = run->n_threads < MOST_THREADS ? run->n_threads : MOST_THREADS;
    Training training = {.g = g, .run = run, .begin = now()};
    run->completed = 0;
    training.odd_moments = any_negative(g->second_moments, g->n_params);
    training.error = reserve(g, n_threads, &run->docs, run->batch_size);
    if (!training.error)
        team_run(n_threads, train, &training);
    run->docs.first = (run->docs.first + run->completed * run->batch_size) % run->docs.total;
    return training.error;
}
