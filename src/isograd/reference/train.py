"""Training and sampling: Adam, one batch of documents a step, and the draw of one name."""

from . import vector
from .gpt import batch_loss, empty_cache, forward


class Adam:
    """Adam (Kingma and Ba 2015) with bias correction, over the Values `params`.

    The original program's update and defaults. ValueError for no params, betas outside [0, 1) or a
    negative eps.
    """

    def __init__(self, params, lr=0.01, betas=(0.85, 0.99), eps=1e-8):
        self.params = tuple(params)
        if not self.params:
            raise ValueError("params must hold at least one Value")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be two numbers from 0 to below 1, not {betas!r}")
        if not eps >= 0:
            raise ValueError(f"eps must be a number from 0 on, not {eps!r}")
        self.lr = lr
        self.betas = tuple(betas)
        self.eps = eps
        self.steps = 0
        self._m = [0.0] * len(self.params)
        self._v = [0.0] * len(self.params)

    def step(self, lr=None):
        """Move every parameter against its gradient, at rate `lr` or else `self.lr`."""
        self.steps += 1
        beta1, beta2 = self.betas
        self._update(self.lr if lr is None else lr, 1 - beta1**self.steps, 1 - beta2**self.steps)

    def _update(self, lr, correction1, correction2):
        m, v, eps = self._m, self._v, self.eps
        beta1, beta2 = self.betas
        rest1, rest2 = 1 - beta1, 1 - beta2
        for i, p in enumerate(self.params):
            grad = p.grad
            m[i] = moment1 = beta1 * m[i] + rest1 * grad
            v[i] = moment2 = beta2 * v[i] + rest2 * grad**2
            m_hat, v_hat = moment1 / correction1, moment2 / correction2
            p.data -= lr * m_hat / (v_hat**0.5 + eps)

    def zero_grad(self):
        """Reset every parameter's gradient to 0."""
        for p in self.params:
            p.grad = 0

    def state_dict(self):
        """The number of steps and the moments, as plain lists: copies, ready to be saved."""
        return {"steps": self.steps, "m": list(self._m), "v": list(self._v)}

    def load_state_dict(self, state):
        """Go on from what `state_dict` returned; ValueError if it is for other parameters."""
        n = len(self.params)
        if len(state["m"]) != n or len(state["v"]) != n:
            raise ValueError(f"this state has {len(state['m'])} moments, not {n}")
        if state["steps"] < 0 or any(x < 0 for x in state["v"]):
            raise ValueError("neither steps nor second moments can be negative")
        self.steps = state["steps"]
        for i in range(n):
            self._m[i], self._v[i] = float(state["m"][i]), float(state["v"][i])


def batch(docs, step, batch_size):
    """The documents of the step `step`, counted from 0: the next ones, in order and round again."""
    return [docs[(step * batch_size + b) % len(docs)] for b in range(batch_size)]


def learning_rate(step, steps, lr):
    """What is left of `lr` in the step `step` of `steps`: it falls linearly to 0."""
    return lr * (1 - step / steps)


def training_step(weights, config, docs, optimizer, lr, vector=vector):
    """Learn from a batch of documents; their loss, a float. The graph ends with the step."""
    loss = batch_loss(weights, config, docs, vector)
    loss.backward()
    optimizer.step(lr)
    optimizer.zero_grad()
    return loss.data


def training_steps(weights, config, docs, steps, lr, vector=vector, adam=Adam, batch_size=1):
    """Train for `steps` steps; yields each one's loss, a float."""
    optimizer = adam(p for rows in weights.values() for row in rows for p in row)
    for step in range(steps):
        docs_now, lr_now = batch(docs, step, batch_size), learning_rate(step, steps, lr)
        yield training_step(weights, config, docs_now, optimizer, lr_now, vector)


def choose(logits, rng, temperature, vector=vector):
    """The id of one of the tokens that have these logits."""
    ids = range(len(logits))
    if temperature == 0:
        return max(ids, key=lambda i: logits[i].data)
    probs = vector.softmax([logit / temperature for logit in logits])
    return rng.choices(ids, weights=[p.data for p in probs])[0]


def sample_tokens(weights, config, bos, rng, temperature, vector=vector):
    """Draw tokens from the model until it ends the document or block_size is reached.

    At temperature 0 the likeliest token is taken, the first of equals, and nothing is drawn.
    """
    keys, values = empty_cache(config)
    token_id, sample = bos, []
    for pos_id in range(config.block_size):
        logits = forward(weights, config, token_id, pos_id, keys, values, vector)
        token_id = choose(logits, rng, temperature, vector)
        if token_id == bos:
            break
        sample.append(token_id)
    return sample
