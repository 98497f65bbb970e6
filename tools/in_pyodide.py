"""What check_pyodide.mjs runs in Pyodide: the recorded run `record`, a JSON text, on each tier.

Its value is 0, or 1 if tiers differ in a bit. Says how far the record is, made with another libm.
"""

import hashlib
import io
import json
import platform
import random
import struct
import sys
from contextlib import redirect_stdout

import isograd
from isograd.commands import cli


def numbers_of(tier: str, config: dict) -> list[float]:
    """All losses of the run, then all weights."""
    rng = random.Random(config["seed"])
    docs = isograd.load_docs()
    rng.shuffle(docs)
    tokenizer = isograd.CharTokenizer(docs)
    sizes = {name: config[name] for name in ("n_layer", "n_embd", "n_head", "block_size")}
    model_config = isograd.GPTConfig(tokenizer.vocab_size, **sizes)
    model = isograd.GPT(model_config, rng=rng, tier=tier)
    tokens = [tokenizer.encode(doc) for doc in docs[: config["steps"]]]
    losses = isograd.train(model, tokens, config["steps"], config["lr"])
    return [*losses, *model.read_data()]


def printed(config: dict) -> bytes:
    """What the command prints."""
    sys.argv = ["isograd", "train", *(f"--{k.replace('_', '-')}={x}" for k, x in config.items())]
    with redirect_stdout(io.StringIO()) as output:
        try:
            cli.main()
        except SystemExit as end:
            assert not end.code, end.code
    return output.getvalue().encode()


def ulps(a: float, b: float) -> int:
    """How many doubles lie between two of the same sign."""
    i, j = struct.unpack("<2q", struct.pack("<2d", a, b))
    return abs(i - j)


def bits(numbers: list[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)


def main(record: dict) -> int:
    config, steps = record["config"], record["config"]["steps"]
    print(f"Pyodide with CPython {platform.python_version()}: backend {isograd.backend}")
    reference, *others = (numbers_of(tier, config) for tier in ("reference", "value", "fused"))
    same = all(bits(numbers) == bits(reference) for numbers in others)
    print(f"  {steps} steps: {len(reference)} losses and weights of three tiers: same bits: {same}")
    there = [float.fromhex(loss) for loss in record["losses"]]
    apart = [ulps(a, b) for a, b in zip(there, reference)]
    print(
        f"  losses with other bits than with glibc: {steps - apart.count(0)}, by {max(apart)} ulps"
    )
    printed_there = hashlib.sha256(printed(config)).hexdigest() == record["stdout_sha256"]
    print(f"  the command prints the same bytes as with glibc: {printed_there}")
    return 0 if same else 1


main(json.loads(record))  # noqa: F821  # its value is the program's
