"""The study's floor: a tier whose bits differ from the reference's ends it."""

import hashlib
import struct
from typing import NamedTuple


class Bits(NamedTuple):
    """What a run came to: the losses of its steps as hex, and the digest of its last weights."""

    losses: tuple[str, ...]
    weights: str


class DifferentBits(Exception):
    """Two tiers differ, so their speeds mean nothing. The message says where."""


def bits_of(losses, weights):
    """The Bits of a list of losses and an iterable of weights."""
    weights = list(weights)
    digest = hashlib.sha256(struct.pack(f"<{len(weights)}d", *weights)).hexdigest()
    return Bits(tuple(float(loss).hex() for loss in losses), digest)


def check(who, bits, expected, whose="the reference"):
    """Raises DifferentBits if `who` does not have the `expected` bits."""
    for step, (loss, right) in enumerate(zip(bits.losses, expected.losses, strict=True), 1):
        if loss != right:
            raise DifferentBits(
                f"{who} differs from {whose}: the loss of step {step} is {loss}, not {right}"
            )
    if bits.weights != expected.weights:
        raise DifferentBits(
            f"{who} differs from {whose}: the weights after step {len(bits.losses)} have the "
            f"SHA-256 {bits.weights[:16]}.., not {expected.weights[:16]}.."
        )
