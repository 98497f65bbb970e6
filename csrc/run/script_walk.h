/* backward() of a script that walks the graph from the last child to the first. */
#ifndef ISOGRAD_SCRIPT_WALK_H
#define ISOGRAD_SCRIPT_WALK_H

#include "graph/node.h"

/* As node_backward of graph/backward.h, in the post-order that visits the children of each node in
 * reverse. The graph has no fused nodes; the root's gradient begins at `seed`. 0, or -1 with
 * MemoryError set before any gradient was touched. */
int script_backward_mirrored(Node *root, Number seed);

#endif
