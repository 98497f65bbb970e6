"""Training and sampling: Adam, one document a step, and the draw of one name."""

from .gpt import document_loss, empty_cache, forward
from .ops import softmax


class Adam:
    """Adam (Kingma and Ba 2015) with bias correction, one Python loop over `params`."""

    def __init__(self, params, betas=(0.85, 0.99), eps=1e-8):
        self.params = list(params)
        self.betas = betas
        self.eps = eps
        self.m = [0.0] * len(self.params)
        self.v = [0.0] * len(self.params)
        self.steps = 0

    def step(self, lr):
        """Move every parameter against its gradient, then reset the gradient to 0."""
        self.steps += 1
        m, v, eps = self.m, self.v, self.eps
        beta1, beta2 = self.betas
        rest1, rest2 = 1 - beta1, 1 - beta2
        correction1, correction2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        for i, p in enumerate(self.params):
            grad = p.grad
            m[i] = moment1 = beta1 * m[i] + rest1 * grad
            v[i] = moment2 = beta2 * v[i] + rest2 * grad**2
            m_hat, v_hat = moment1 / correction1, moment2 / correction2
            p.data -= lr * m_hat / (v_hat**0.5 + eps)
            p.grad = 0


def training_steps(weights, config, docs, steps, lr):
    """Train on one document a step, in order and round again; yields each step's loss, a float.

    The learning rate falls linearly from `lr` to 0 over `steps`.
    """
    optimizer = Adam(p for rows in weights.values() for row in rows for p in row)
    for step in range(steps):
        loss = document_loss(weights, config, docs[step % len(docs)])
        loss.backward()
        optimizer.step(lr * (1 - step / steps))
        yield loss.data


def sample_tokens(weights, config, bos, rng, temperature):
    """Draw tokens from the model until it ends the document or block_size is reached."""
    keys, values = empty_cache(config)
    token_id, sample = bos, []
    for pos_id in range(config.block_size):
        logits = forward(weights, config, token_id, pos_id, keys, values)
        probs = softmax([logit / temperature for logit in logits])
        token_id = rng.choices(range(config.vocab_size), weights=[p.data for p in probs])[0]
        if token_id == bos:
            break
        sample.append(token_id)
    return sample
