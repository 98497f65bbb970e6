"""Adam on compiled Values: the reference's class with its loops in C."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from . import _core, reference
from ._core import Value


class Adam(reference.Adam):
    __doc__ = reference.Adam.__doc__

    params: tuple[Value, ...]
    m: array[float]
    v: array[float]

    def __init__(
        self,
        params: Iterable[Value],
        lr: float = 0.01,
        betas: tuple[float, float] = (0.85, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, clip_norm)
        _core.check_params(self.params)
        self.m, self.v = array("d", self.m), array("d", self.v)

    def update(self, lr: float, correction1: float, correction2: float) -> None:
        """Update the means, and by them the parameters."""
        beta1, beta2 = self.betas
        _core.adam_update(
            self.params, self.m, self.v, lr, beta1, beta2, correction1, correction2, self.eps
        )

    def clip_gradients(self, norm: float) -> None:
        """Scale all gradients by one factor, if together they are longer than `norm`."""
        _core.clip_gradients(self.params, norm)

    def decay_weights(self, rest: float) -> None:
        """Leave `rest` of every parameter."""
        _core.scale_data(self.params, rest)

    def zero_grad(self) -> None:
        """Reset every parameter's gradient to 0."""
        _core.zero_grad(self.params)
