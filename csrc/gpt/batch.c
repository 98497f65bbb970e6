/* See batch.h. All threads run the same code on the same numbers and so come to the same decisions;
 * what one of them writes, others read only after team_wait(), sums of gradients after
 * team_enter(). */
#include "batch.h"

#include "clock.h"
#include "documents.h"
#include "numerics/vector_unit.h"
#include "pieces.h"
#include "stages.h"
#include "team.h"
#include "weights.h"

#include <assert.h>
#include <stdlib.h>

#define BETWEEN_QUESTIONS 0.02 /* seconds */
#define LEAST_RANGE 1024       /* weights, for gradients: some microseconds for a piece */
#define LARGE_PIECE 60000.0    /* positions times n_embd**2: 4 positions at n_embd 128 */

/* ---- memory ---- */

Workspace *workspace_new(void) { return calloc(1, sizeof(Workspace)); }

void workspace_free(Workspace *workspace) {
    if (workspace == NULL)
        return;
    for (size_t i = 0; i < workspace->n_passes; i++)
        free(workspace->passes[i]);
    free(workspace->passes);
    free(workspace->losses);
    free(workspace);
}

/* Passes that have room for documents of `longest` positions; those that have it stay. */
static GptError reserve_passes(Workspace *workspace, const Sizes *s, size_t n, size_t longest) {
    if (n > workspace->n_passes) {
        Pass **passes = realloc(workspace->passes, n * sizeof *passes);
        if (passes == NULL)
            return GPT_NO_MEMORY;
        workspace->passes = passes;
    }
    for (size_t i = 0; i < n; i++) {
        const int is_new = i >= workspace->n_passes;
        if (!is_new && workspace->passes[i]->capacity >= longest)
            continue;
        Pass *p = pass_new(s, longest);
        if (p == NULL)
            return GPT_NO_MEMORY;
        if (is_new)
            workspace->n_passes++;
        else
            free(workspace->passes[i]);
        workspace->passes[i] = p;
    }
    return GPT_OK;
}

GptError workspace_reserve(Workspace *workspace, const Sizes *s, size_t n_threads,
                           const Documents *docs, size_t n_docs) {
    assert(n_threads > 0 && n_threads <= MOST_THREADS);
    size_t longest = workspace->n_passes ? workspace->passes[0]->capacity : 0;
    for (size_t i = 0; i < docs->total; i++) {
        const size_t T = document_positions(s, docs, i);
        longest = T > longest ? T : longest;
    }
    GptError error = reserve_passes(workspace, s, n_threads, longest);
    if (error)
        return error;
    if (n_docs > SIZE_MAX / sizeof *workspace->losses)
        return GPT_NO_MEMORY;
    if (n_docs > workspace->n_losses) {
        double *losses = realloc(workspace->losses, n_docs * sizeof *losses);
        if (losses == NULL)
            return GPT_NO_MEMORY;
        workspace->losses = losses;
        workspace->n_losses = n_docs;
    }
    return GPT_OK;
}

/* ---- losses ---- */

/* losses is (n_docs): the means over each document's positions. */
static void document_losses(const Pass *p, double *losses) {
    for (size_t i = 0; i < p->n_docs; i++) {
        const size_t from = (size_t)p->doc_starts[i];
        const size_t to = i + 1 < p->n_docs ? (size_t)p->doc_starts[i + 1] : p->T;
        double sum = 0.0;
        for (size_t t = from; t < to; t++)
            sum += p->loss[t];
        losses[i] = sum * (1.0 / (double)(to - from));
    }
}

double batch_loss(const Workspace *workspace, size_t n) {
    assert(n > 0 && n <= workspace->n_losses);
    double sum = 0.0;
    if (n == 1)
        return workspace->losses[0];
    for (size_t i = 0; i < n; i++)
        sum += workspace->losses[i];
    return sum * (1.0 / (double)n);
}

/* ---- one piece ---- */

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

/* From tokens to losses, and back to the gradients of activations if asked for; by all workers of
 * the pass together. */
static void run_piece(const Batch *batch, Pass *p, Range piece, const Worker *me) {
    const GPT *g = batch->g;
    const Stages *stages = stages_here();
    const size_t n_docs = batch->docs->n;
    if (me->number == 0) {
        pass_take(p, batch->docs, piece, n_docs == 1 ? 1.0 : 1.0 / (double)n_docs, me->n);
        p->calls = batch->calls;
    }
    wait_for_others(me);
    stages->forward(p, g->weights, me);
    wait_for_others(me);
    if (me->number == 0)
        document_losses(p, g->workspace->losses + piece.from);
    if (batch->with_gradients && !pass_error(p))
        stages->backward(p, g->weights, me);
}

/* Whether documents are worth the threads' waiting for one another, 14 times for each layer. */
static int worth_sharing(const Batch *batch, Range documents) {
    const Sizes *s = &batch->g->s;
    const double T = (double)positions_in(s, batch->docs, documents);
    return T * (double)s->C * (double)s->C >= LARGE_PIECE;
}

/* Ranges of weights, each of which is a station for their gradients; one is left for embeddings. */
static size_t ranges_for(const Batch *batch) {
    const size_t n = tasks_for(batch->me.n, batch->g->n_params, LEAST_RANGE);
    return n < MOST_STATIONS ? n : MOST_STATIONS - 1;
}

/* Adds a pass's gradients of the weights of range number `range` of n, or sets them if they start
 * from zero; the embeddings are number n. */
static void add_gradients(GPT *g, const Pass *p, size_t range, size_t n, int from_zero) {
    if (range == n) {
        stages_here()->embedding_gradients(p, g->gradients, from_zero);
        return;
    }
    const Range rows = {first_row_of_part(&g->s, range, n), first_row_of_part(&g->s, range + 1, n)};
    stages_here()->weight_gradients(p, g->gradients, rows, from_zero);
}

/* ---- all pieces ---- */

/* Whether the caller wants no more, as thread 0 finds out for all. */
static int is_called_off(const Batch *batch) {
    Workspace *workspace = batch->g->workspace;
    if (batch->is_unwanted && batch->me.number == 0) {
        const double now = seconds_now(), passed = now - workspace->asked;
        if (!(passed >= 0.0 && passed < BETWEEN_QUESTIONS)) { /* or the clock was put back */
            workspace->asked = now;
            if (batch->is_unwanted())
                team_call_off(batch->me.team);
        }
    }
    return team_is_called_off(batch->me.team);
}

static const Worker alone = {NULL, 0, 1};

/* Each thread takes pieces of its own. It does not matter whose error is found first: where there can
 * be two kinds, batch_run looks again. */
static BatchResult run_in_turn(const Batch *batch) {
    GPT *g = batch->g;
    Team *team = batch->me.team;
    Workspace *workspace = g->workspace;
    Pass *p = workspace->passes[batch->me.number];
    const size_t n_threads = batch->me.n, n_ranges = ranges_for(batch);
    Pieces pieces = pieces_of(&g->s, batch->docs, workspace->passes[0]->capacity, n_threads);
    BatchResult mine = {GPT_OK, 0.0};
    for (size_t i = team_next(team); go_to_piece(&pieces, i); i = team_next(team)) {
        if (is_called_off(batch)) {
            mine.error = GPT_INTERRUPTED;
            break;
        }
        if (!mine.error) {
            run_piece(batch, p, pieces.piece, &alone);
            mine.error = pass_error(p);
            mine.gradient_bound += pass_gradient_bound(p);
        }
        for (size_t range = 0; range <= n_ranges && batch->with_gradients; range++) {
            if (!team_enter(team, range, i))
                break;
            if (!mine.error)
                add_gradients(g, p, range, n_ranges, i == 0);
            team_leave(team, range, i);
        }
    }
    workspace->results[batch->me.number] = mine;
    team_wait(team);
    BatchResult all = {GPT_OK, 0.0};
    for (size_t i = 0; i < n_threads; i++) {
        all.error = all.error ? all.error : workspace->results[i].error;
        all.gradient_bound += workspace->results[i].gradient_bound;
    }
    return all;
}

/* All threads run one piece after the other: each of them together, if that is worth it. */
static BatchResult run_together(const Batch *batch) {
    GPT *g = batch->g;
    Team *team = batch->me.team;
    Pass *p = g->workspace->passes[0];
    const size_t n_ranges = ranges_for(batch);
    Pieces pieces = pieces_of(&g->s, batch->docs, p->capacity, 1);
    BatchResult result = {GPT_OK, 0.0};
    for (size_t i = 0; !result.error && go_to_piece(&pieces, i); i++) {
        if (worth_sharing(batch, pieces.piece))
            run_piece(batch, p, pieces.piece, &batch->me);
        else if (team_next(team) == 0)
            run_piece(batch, p, pieces.piece, &alone);
        if (batch->me.number == 0)
            is_called_off(batch);
        team_wait(team);
        result.error = team_is_called_off(team) ? GPT_INTERRUPTED : pass_error(p);
        result.gradient_bound += pass_gradient_bound(p);
        if (!result.error && batch->with_gradients)
            for (size_t range; (range = team_next(team)) <= n_ranges;)
                add_gradients(g, p, range, n_ranges, i == 0);
        team_wait(team);
    }
    return result;
}

static BatchResult run_pieces(const Batch *batch) {
    const size_t n_docs = batch->docs->n;
    const int few = n_docs < batch->me.n;
    if (few && (n_docs == 1 || worth_sharing(batch, (Range){0, n_docs})))
        return run_together(batch);
    return run_in_turn(batch);
}

/* The error of the first document that has one. By one thread; with the others' memory at rest. */
static GptError first_error(const Batch *batch) {
    Pass *p = batch->g->workspace->passes[0];
    Batch again = *batch;
    GptError error = GPT_OK;
    again.with_gradients = 0;
    again.calls = NULL;
    for (size_t i = 0; !error && i < batch->docs->n; i++) {
        run_piece(&again, p, (Range){i, i + 1}, &alone);
        error = pass_error(p);
    }
    return error;
}

BatchResult batch_run(const Batch *batch) {
    assert(batch->me.n == team_size(batch->me.team));
    assert(batch->me.n == 1 || batch->calls == NULL);
    Team *team = batch->me.team;
    BatchResult *shared = &batch->g->workspace->results[0];
    BatchResult result = run_pieces(batch);
    /* Of a square and of a logarithm, the first in the order of the documents counts. */
    if (result.error && result.error != GPT_INTERRUPTED && batch->g->s.squares_relu) {
        team_wait(team);
        if (batch->me.number == 0)
            shared->error = first_error(batch);
        team_wait(team);
        result.error = shared->error;
    }
    return result;
}
