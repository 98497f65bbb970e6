/* Where a model's matrices lie among its weights, and their gradients in the same places.
 *
 *      wte (V, C) | wpe (block_size, C) | lm_head (V, C) | layer 0 | .. | layer L - 1
 *
 * and in each layer
 *
 *      wq (C, C) | wk (C, C) | wv (C, C) | wo (C, C) | fc1 (F, C) | fc2 (C, F)
 *
 * which is the order of reference.weight_shapes. With tied weights lm_head is wte, and layer 0
 * follows wpe. Nothing here owns memory: the numbers are a GPT's.
 */
#ifndef ISOGRAD_GPT_WEIGHTS_H
#define ISOGRAD_GPT_WEIGHTS_H

#include "model.h"

/* A linear layer y = W x: row o of W makes y[o] from all of x. */
typedef struct {
    const double *w; /* (n_out, n_in) */
    size_t n_out, n_in;
} Matrix;

/* A layer's matrices; qkv is wq, wk and wv below one another, a single matrix of 3 C rows. */
typedef struct {
    Matrix qkv, wq, wk, wv, wo, fc1, fc2;
} LayerMatrices;

Matrix wte_of(const Sizes *s, const double *weights);
Matrix wpe_of(const Sizes *s, const double *weights);
Matrix lm_head_of(const Sizes *s, const double *weights);
LayerMatrices layer_matrices_of(const Sizes *s, const double *weights, size_t layer);

/* Where they begin in the flat array. */
typedef struct {
    size_t wte, wpe, lm_head, layers, layer_size;
    size_t qkv, wo, fc1, fc2; /* from the layer's first weight on */
} Offsets;

Offsets offsets_of(const Sizes *s);

/* The rows of all linear layers (so not wte and wpe), counted as they lie in memory. */
size_t n_linear_rows(const Sizes *s);

/* The row at which part number `part` <= n begins when the weights of all linear layers are cut
 * into n parts of about the same size; n_linear_rows() for part n. Cuts are between blocks of 8
 * rows, as the kernels take them, counted from a matrix's first row. */
size_t first_row_of_part(const Sizes *s, size_t part, size_t n);

#endif
