"""The `isograd` command. Results go to standard output; complaints, one sentence each, to standard
error with exit status 2."""

import platform
import random
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager

import click

from . import __version__
from .backend import backend, compiler, vector_unit
from .model import GPT, SCALARS, GPTConfig
from .text import CharTokenizer, load_docs
from .training import sample, train

SMOOTHING = 0.98


def about() -> str:
    """Version, backend, compiler, vector unit and Python, a line each."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return "\n".join(
        [
            f"isograd {__version__}",
            f"backend: {backend}",
            f"compiler: {compiler}",
            f"vector unit: {vector_unit}",
            f"Python: {python} on {platform.system()} {platform.machine()}",
        ]
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(message=about())
def cli() -> None:
    """microgpt, compiled: the same numbers as pure Python, to the last bit."""


@cli.command()
def info() -> None:
    """Say which version, backend, compiler, vector unit and Python this is."""
    click.echo(about())


@cli.command("train")
@click.option("--data", metavar="PATH", help="UTF-8 text, a document a line [default: the names]")
@click.option("--steps", default=1000, show_default=True, help="training steps, a document each")
@click.option("--seed", default=42, show_default=True, help="of the random number generator")
@click.option("--tier", default="value", show_default=True, type=click.Choice(list(SCALARS)))
@click.option("--n-layer", default=1, show_default=True, help="transformer layers")
@click.option("--n-embd", default=16, show_default=True, help="features")
@click.option("--n-head", default=4, show_default=True, help="attention heads")
@click.option("--block-size", default=16, show_default=True, help="positions at most")
@click.option("--lr", default=0.01, show_default=True, help="learning rate at the first step")
@click.option("--temperature", default=0.5, show_default=True, help="of sampling, above 0")
@click.option("--samples", default=20, show_default=True, help="documents to invent at the end")
@click.option("--plain", is_flag=True, help="print what the original prints, byte for byte")
def train_command(
    data: str | None,
    steps: int,
    seed: int,
    tier: str,
    lr: float,
    temperature: float,
    samples: int,
    plain: bool,
    **sizes: int,
) -> None:
    """Train a character GPT, then let it invent some documents.

    Piped output, like --plain, is byte for byte the original program's.
    """
    plain = plain or not sys.stdout.isatty()
    with bad_input():
        rng = random.Random(seed)
        docs = load_docs(data)
        rng.shuffle(docs)
        tokenizer = CharTokenizer(docs)
        config = GPTConfig(vocab_size=tokenizer.vocab_size, **sizes)
        check_run(steps, lr, temperature, samples)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {tokenizer.vocab_size}")
    model = GPT(config, rng=rng, tier=tier)
    print(f"num params: {model.num_params}")
    tokens = [tokenizer.encode(doc) for doc in docs]
    with Progress(steps, plain) as progress:
        train(model, tokens, steps, lr, progress)
    print("\n--- inference (new, hallucinated names) ---")
    for i in range(samples):
        print(f"sample {i + 1:2d}: {sample(model, tokenizer, rng=rng, temperature=temperature)}")


def main() -> None:
    """Run the command line and end the process with its status."""
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        print(f"isograd: {error.format_message()}", file=sys.stderr)
        sys.exit(2)
