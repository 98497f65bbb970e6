/* In which ways a script's class writes down what ours does, where a script can see it: which of
 * its numbers are ints, and when derivatives are read.
 *
 * Nodes are made as ever, and touched up before the script sees them. All of this is for the one
 * class that Value stands for; before script_adopt nothing is set.
 */
#ifndef ISOGRAD_SCRIPT_TRAITS_H
#define ISOGRAD_SCRIPT_TRAITS_H

#include <string.h>

#include "graph/graph.h"
#include "graph/wide.h"

typedef struct {
    int float_data;  /* the class keeps float(data) */
    int float_grad;  /* its gradients begin at 0.0 */
    int float_seed;  /* its backward() begins at 1.0 */
    int float_ones;  /* its sum's local gradients are 1.0 */
    int real_leaves; /* numbers among the operands become nodes at once: the script looks at them */
    int mirrored;    /* its backward() visits the last child first */
    int signs;       /* the script reads which operation made a node */
    int closures;    /* derivatives are read from the operands while backward() runs */
} Traits;

extern HIDDEN Traits script_traits;

/* Whether any of them is set: whatever is made must be touched up. */
extern HIDDEN int script_is_special;

/* What an operation of ours made, as the class would have it. */
static inline void script_touch_up(Node *n) {
    if (script_traits.float_grad)
        n->second &= ~GRAD_INT;
    if (script_traits.float_data)
        n->second &= ~DATA_INT;
}

/* A sum of ours, which has the int 1 as its local gradients, with 1.0; n is of no other node yet. */
void script_use_float_ones(Node *n);

/* Notes the operand's data in a node of one operand, for script_check_operands. */
static inline void script_note_operand(Node *n) {
    if (script_traits.closures && node_kind(n) == UNARY)
        n->local[1] = node_first(n)->data;
}

/* Before a backward() that reads operands: brings local gradients of products up to date; 0 where
 * some other node's operand has another number than when the node was made; -1 with MemoryError. */
int script_check_operands(Node *root);

#endif
