/* A few threads that run the same function and wait for each other in it. */
#ifndef ISOGRAD_GPT_TEAM_H
#define ISOGRAD_GPT_TEAM_H

#include <stddef.h>

#define MOST_THREADS 64
#define MOST_STATIONS 65 /* of team_enter() */

typedef struct Team Team;

/* Runs work(context, team, thread) for thread = 0 .. n - 1, number 0 on this thread, and returns
 * when all have. n is what the team has in the end: n_threads, fewer where the system gives no
 * more, 1 without POSIX threads. */
void team_run(size_t n_threads, void (*work)(void *context, Team *team, size_t thread),
              void *context);

size_t team_size(const Team *team);

/* Tells all threads of the team that what they are doing is not wanted any more, and asks whether one
 * has been told so. */
void team_call_off(Team *team);
int team_is_called_off(const Team *team);

/* The seconds that the average thread has lost so far: waits that are longer than any stage, for a
 * thread that the system has put aside. */
double team_lost(const Team *team);

/* Returns once every thread of the team has come here; what they wrote before is seen after. */
void team_wait(Team *team);

/* A stage's next task: 0, 1, 2 .. among all threads, from 0 again after each team_wait(). So a
 * thread whose processor is slower, or has other work, gets fewer of them. */
size_t team_next(Team *team);

/* Tasks that pass the stations 0 .. n - 1, at each of them one after the other in their order, like
 * cars in a wash: task i is let in once task i - 1 has left. Tasks number from 0 again after each
 * team_wait(), before which every one of them must have passed all the stations, or none any; n
 * stays the same for a team's life. Returns whether the task has entered: not if the team is called
 * off, after which stations serve nobody any more. */
int team_enter(Team *team, size_t station, size_t task);
void team_leave(Team *team, size_t station, size_t task);

#endif
