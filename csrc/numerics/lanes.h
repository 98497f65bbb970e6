/* How many doubles every vector unit computes side by side. */
#ifndef ISOGRAD_LANES_H
#define ISOGRAD_LANES_H

/* A multiple of every unit's registers, so that layouts in memory do not depend on the unit. */
#define LANES 8

#endif
