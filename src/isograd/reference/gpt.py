"""The GPT itself: its weights, one position's forward pass, the loss of one document.

GPT-2's layout (Radford et al. 2019) with RMSNorm for LayerNorm, relu for GeLU and no biases.
`weights` maps the names of the original program to lists of rows. `config` is anything with the
attributes n_layer, n_embd, n_head, block_size and vocab_size. `keys` and `values` hold, for each
layer, the vectors of the positions so far; a forward pass appends its own.
"""

from .ops import dot, linear, rmsnorm, softmax

WEIGHT_STD = 0.08


def weight_shapes(config):
    """The name, number of rows and row length of every weight matrix, in the order of drawing."""
    c, f = config.n_embd, 4 * config.n_embd
    shapes = [
        ("wte", config.vocab_size, c),
        ("wpe", config.block_size, c),
        ("lm_head", config.vocab_size, c),
    ]
    for i in range(config.n_layer):
        shapes += [(f"layer{i}.attn_{name}", c, c) for name in ("wq", "wk", "wv", "wo")]
        shapes += [(f"layer{i}.mlp_fc1", f, c), (f"layer{i}.mlp_fc2", c, f)]
    return shapes


def init_weights(config, rng, scalar):
    """All weights as `scalar` objects, drawn from `rng` one by one in the order of the shapes."""
    return {
        name: [[scalar(rng.gauss(0, WEIGHT_STD)) for _ in range(n_in)] for _ in range(n_out)]
        for name, n_out, n_in in weight_shapes(config)
    }


def empty_cache(config):
    """`keys` and `values` before the first position."""
    return [[] for _ in range(config.n_layer)], [[] for _ in range(config.n_layer)]


def attention(q, keys, values, n_head):
    """Causal attention of one position's query `q` to `keys` and `values`, head by head.

    `q` has n_embd entries, `keys` and `values` one such vector for each position so far.
    Returns the heads' outputs one after the other: n_embd entries.
    """
    head_dim = len(q) // n_head
    out = []
    for start in range(0, len(q), head_dim):
        head = slice(start, start + head_dim)
        logits = [dot(q[head], k[head]) / head_dim**0.5 for k in keys]
        weights = softmax(logits)
        out += [dot(weights, column) for column in zip(*(v[head] for v in values))]
    return out


def forward(weights, config, token_id, pos_id, keys, values):
    """The logits (vocab_size of them) for what follows `token_id` at position `pos_id`."""
    x = [t + p for t, p in zip(weights["wte"][token_id], weights["wpe"][pos_id])]
    x = rmsnorm(x)
    for i in range(config.n_layer):
        residual, x = x, rmsnorm(x)
        q = linear(x, weights[f"layer{i}.attn_wq"])
        keys[i].append(linear(x, weights[f"layer{i}.attn_wk"]))
        values[i].append(linear(x, weights[f"layer{i}.attn_wv"]))
        x = attention(q, keys[i], values[i], config.n_head)
        x = linear(x, weights[f"layer{i}.attn_wo"])
        x = [a + b for a, b in zip(x, residual)]
        residual, x = x, rmsnorm(x)
        x = linear(x, weights[f"layer{i}.mlp_fc1"])
        x = [xi.relu() for xi in x]
        x = linear(x, weights[f"layer{i}.mlp_fc2"])
        x = [a + b for a, b in zip(x, residual)]
    return linear(x, weights["lm_head"])


def document_loss(weights, config, tokens):
    """The mean cross entropy, in nats, of predicting each of `tokens` from those before it.

    Documents longer than block_size are cut off there.
    """
    n = min(config.block_size, len(tokens) - 1)
    keys, values = empty_cache(config)
    losses = []
    for pos_id in range(n):
        logits = forward(weights, config, tokens[pos_id], pos_id, keys, values)
        probs = softmax(logits)
        losses.append(-probs[tokens[pos_id + 1]].log())
    return (1 / n) * sum(losses)
