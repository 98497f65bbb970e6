/* Whether several threads pay on this machine at the moment.
 *
 * Threads that share a step wait for one another some ten times in it. On a machine that has other
 * work, too, they wait for whichever the system has put aside: for milliseconds, where a step takes
 * microseconds. So a run goes in stretches, together or alone, and the speeds of both are compared.
 * A run together goes on until threads have lost much of their time; then a stretch alone shows what
 * that is worth. The slower way is tried again, after pauses that grow as long as it stays slower.
 *
 * No bit depends on it: a step gives the same whoever computes it.
 */
#ifndef ISOGRAD_GPT_PACE_H
#define ISOGRAD_GPT_PACE_H

typedef struct {
    double alone, together; /* speeds, in positions a second, when last measured; 0 if never */
    int is_together;        /* the present stretch */
    double length;          /* of the present stretch, in seconds */
    double pause;           /* the next one without the team, in seconds */
    double seconds, positions, lost; /* of the present stretch so far */
} Pace;

/* The first stretch. `cautious`: alone, and then whatever has proved faster. */
Pace pace_start(int cautious);

/* Adds to the present stretch: seconds in which so many positions were learned from, and of which
 * the average thread lost so many in waiting for one that was put aside. */
void pace_add(Pace *pace, double seconds, double positions, double lost);

/* Whether it is time to end the present stretch. */
int pace_is_over(const Pace *pace);

/* Chooses the next stretch, if the present one is over. */
void pace_choose(Pace *pace);

#endif
