"""Adam on compiled Values: the reference's class with its loops in C."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from . import _core, reference
from ._core import Value


class Adam(reference.Adam):
    __doc__ = reference.Adam.__doc__

    m: array[float]
    v: array[float]

    def __init__(
        self,
        params: Iterable[Value],
        lr: float = 0.01,
        betas: tuple[float, float] = (0.85, 0.99),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr, betas, eps)
        _core.check_params(self.params)
        self.m, self.v = array("d", self.m), array("d", self.v)

    def step(self, lr: float | None = None) -> None:
        """Move every parameter against its gradient, at rate `lr` or else `self.lr`."""
        self.steps += 1
        lr = self.lr if lr is None else lr
        beta1, beta2 = self.betas
        correction1, correction2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        _core.adam_update(
            self.params, self.m, self.v, lr, beta1, beta2, correction1, correction2, self.eps
        )

    def zero_grad(self) -> None:
        """Reset every parameter's gradient to 0."""
        _core.zero_grad(self.params)
