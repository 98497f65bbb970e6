"""micrograd.engine: the class Value."""

from .._backend import MicrogradValue as Value

__all__ = ["Value"]
