/* Letting go of what hangs on a node. Knows every kind of it, and how none of it is made.
 *
 * Letting go is a loop over a list of doomed nodes rather than a recursion, so that the end of a
 * chain of millions of nodes needs no stack. An exact Value on that list is linked through the
 * field of its data. An instance of a subclass must stay whole until Python's own deallocator has
 * run its `__del__`, so it is linked through its Wide; it has one whenever it has children, and
 * without children it ends on the spot. While one loop runs, deallocators called from it only add
 * to the list.
 *
 * Nothing here fails.
 */
#ifndef ISOGRAD_RELEASE_H
#define ISOGRAD_RELEASE_H

#include "wide.h"

/* Ends `n`, whose reference count is 0, and all that only it kept alive. Frees exact Values; of an
 * instance of a subclass it lets go of the edges only. */
void release_node(Node *n);

/* Lets go of the edges of a node that is gone or has others by now; `copy` is what it was. */
void release_edges(const Node *copy);

/* Each lets go of one reference. */
void release_operands(Operands *operands);
void release_softmax(Softmax *softmax);

#endif
