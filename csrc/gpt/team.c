/* See team.h. A thread that waits spins for some microseconds, about as long as a stage takes, and
 * then yields. */
#if defined(__unix__) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "team.h"

#include <assert.h>

#if (defined(__unix__) || defined(__APPLE__)) && defined(__GNUC__)
#include <pthread.h>
#include <sched.h>

#include "clock.h"

#define SPINS 1000
#define LONG_WAIT 3e-4 /* seconds */

/* Leaves the core to the thread that shares it, if there is one. */
static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

typedef struct {
    Team *team;
    size_t number;
    pthread_t handle;
} Member;

typedef struct {
    unsigned departed; /* tasks that have left it so far; atomic */
    char padding[64 - sizeof(unsigned)];
} Station;

_Static_assert(sizeof(Station) == 64, "no two stations' counters share a cache line");

struct Team {
    size_t n;
    unsigned arrived, generation, taken; /* atomic */
    int is_called_off;                   /* atomic */
    unsigned departed_before;            /* what each station counted at the last team_wait() */
    unsigned long long nanoseconds_lost; /* atomic */
    void (*work)(void *context, Team *team, size_t thread);
    void *context;
    Member members[MOST_THREADS];
    Station stations[MOST_STATIONS];
};

static int is_reached(const unsigned *number, unsigned value) {
    return __atomic_load_n(number, __ATOMIC_ACQUIRE) == value;
}

/* Returns before that, too, if `or_called_off` and the team is. */
static void wait_until(Team *team, const unsigned *number, unsigned value, int or_called_off) {
    for (unsigned spins = 0; spins < SPINS; spins++) {
        if (is_reached(number, value))
            return;
        pause_briefly();
    }
    const double start = seconds_now();
    while (!is_reached(number, value) && !(or_called_off && team_is_called_off(team)))
        sched_yield();
    const double waited = seconds_now() - start;
    if (waited > LONG_WAIT)
        __atomic_fetch_add(&team->nanoseconds_lost, (unsigned long long)(1e9 * waited),
                           __ATOMIC_RELAXED);
}

static void *run_member(void *argument) {
    Member *member = argument;
    wait_until(member->team, &member->team->generation, 1, 0);
    member->team->work(member->team->context, member->team, member->number);
    return NULL;
}

void team_run(size_t n_threads, void (*work)(void *context, Team *team, size_t thread),
              void *context) {
    Team team = {.n = 1, .work = work, .context = context};
    for (; team.n < n_threads && team.n < MOST_THREADS; team.n++) {
        Member *member = &team.members[team.n];
        *member = (Member){.team = &team, .number = team.n};
        if (pthread_create(&member->handle, NULL, run_member, member) != 0)
            break;
    }
    __atomic_store_n(&team.generation, 1, __ATOMIC_RELEASE);
    work(context, &team, 0);
    for (size_t i = 1; i < team.n; i++)
        pthread_join(team.members[i].handle, NULL);
}

void team_wait(Team *team) {
    if (team->n == 1) {
        team->taken = 0;
        return;
    }
    unsigned generation = __atomic_load_n(&team->generation, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&team->arrived, 1, __ATOMIC_ACQ_REL) == team->n) {
        __atomic_store_n(&team->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&team->taken, 0, __ATOMIC_RELAXED);
        team->departed_before = __atomic_load_n(&team->stations[0].departed, __ATOMIC_RELAXED);
        __atomic_store_n(&team->generation, generation + 1, __ATOMIC_RELEASE);
    } else
        wait_until(team, &team->generation, generation + 1, 0);
}

void team_call_off(Team *team) { __atomic_store_n(&team->is_called_off, 1, __ATOMIC_RELAXED); }

int team_is_called_off(const Team *team) {
    return __atomic_load_n(&team->is_called_off, __ATOMIC_RELAXED);
}

double team_lost(const Team *team) {
    const unsigned long long lost = __atomic_load_n(&team->nanoseconds_lost, __ATOMIC_RELAXED);
    return 1e-9 * (double)lost / (double)team->n;
}

size_t team_next(Team *team) { return __atomic_fetch_add(&team->taken, 1, __ATOMIC_RELAXED); }

int team_enter(Team *team, size_t station, size_t task) {
    assert(station < MOST_STATIONS);
    if (team->n > 1)
        wait_until(team, &team->stations[station].departed, team->departed_before + (unsigned)task,
                   1);
    return !team_is_called_off(team);
}

void team_leave(Team *team, size_t station, size_t task) {
    assert(station < MOST_STATIONS);
    unsigned *departed = &team->stations[station].departed;
    if (team->n == 1)
        return;
    assert(__atomic_load_n(departed, __ATOMIC_RELAXED) == team->departed_before + (unsigned)task);
    __atomic_store_n(departed, team->departed_before + (unsigned)task + 1, __ATOMIC_RELEASE);
}

#else

struct Team {
    size_t n, taken;
    int is_called_off;
};

void team_run(size_t n_threads, void (*work)(void *context, Team *team, size_t thread),
              void *context) {
    Team team = {1, 0, 0};
    (void)n_threads;
    work(context, &team, 0);
}

void team_call_off(Team *team) { team->is_called_off = 1; }

int team_is_called_off(const Team *team) { return team->is_called_off; }

double team_lost(const Team *team) {
    (void)team;
    return 0.0;
}

void team_wait(Team *team) { team->taken = 0; }

size_t team_next(Team *team) { return team->taken++; }

int team_enter(Team *team, size_t station, size_t task) {
    (void)station, (void)task;
    return !team->is_called_off;
}

void team_leave(Team *team, size_t station, size_t task) { (void)team, (void)station, (void)task; }

#endif

size_t team_size(const Team *team) { return team->n; }
