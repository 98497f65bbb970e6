"""Adam on compiled Values: the reference's class with its loop in C."""

from array import array

from . import _core, reference


class Adam(reference.Adam):
    __doc__ = reference.Adam.__doc__

    def __init__(self, params, lr=0.01, betas=(0.85, 0.99), eps=1e-8):
        super().__init__(params, lr, betas, eps)
        _core.check_params(self.params)
        self._m, self._v = array("d", self._m), array("d", self._v)

    def _update(self, lr, correction1, correction2):
        _core.adam_update(
            self.params, self._m, self._v, lr, *self.betas, correction1, correction2, self.eps
        )

    def zero_grad(self):
        """Reset every parameter's gradient to 0."""
        _core.zero_grad(self.params)
