"""The `isograd` command. Results go to standard output; complaints, one sentence each, to standard
error with exit status 2."""

import os
import platform
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

import click

from . import __version__
from ._backend import backend, compiler, vector_unit
from .model import GPT, TIERS, GPTConfig
from .text import CharTokenizer, load_docs
from .training import check_temperature, check_training, sample, train

SMOOTHING = 0.98  # weight of the past in the smoothed loss


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


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=about())
@click.pass_context
def cli(context: click.Context) -> None:
    """microgpt, compiled: the same numbers as pure Python, to the last bit."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
def info() -> None:
    """Say what is installed here."""
    click.echo(about())


@cli.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--explain", is_flag=True, help="say on standard error what is compiled and what not")
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run_command(explain: bool, script: str, args: tuple[str, ...]) -> Callable[[], NoReturn]:
    """Run a Python script, with compiled definitions where its own are the same program.

    Its output is byte for byte that of plain Python. Arguments after SCRIPT are the script's.
    """
    from .script import Script

    with refusing_bad_input(script):
        return partial(Script(script, args).run, explain)


@cli.command("train")
@click.option("--data", metavar="PATH", help="UTF-8 text, a document a line [default: the names]")
@click.option("--steps", default=1000, show_default=True, help="training steps, a document each")
@click.option("--seed", default=42, show_default=True, help="of the random number generator")
@click.option("--tier", default="fused", show_default=True, type=click.Choice(list(TIERS)))
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
    plain = plain or not (sys.stdout and sys.stdout.isatty())
    with refusing_bad_input(data):
        check_training(steps, lr)
        check_temperature(temperature)
        if samples < 0:
            raise ValueError(f"samples must be a whole number from 0 on, not {samples}")
        rng = random.Random(seed)
        docs = load_docs(data)
        rng.shuffle(docs)
        tokenizer = CharTokenizer(docs)
        config = GPTConfig(vocab_size=tokenizer.vocab_size, **sizes)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {tokenizer.vocab_size}")
    model = GPT(config, rng=rng, tier=tier)
    print(f"num params: {model.num_params}")
    tokens = [tokenizer.encode(doc) for doc in docs]
    run(model, tokens, steps, lr, Progress(steps) if plain else LiveProgress(steps))
    print("\n--- inference (new, hallucinated names) ---")
    for i in range(samples):
        with giving_up(f"sample {i + 1} of {samples}"):
            text = sample(model, tokenizer, rng=rng, temperature=temperature)
        print(f"sample {i + 1:2d}: {text}")


@contextmanager
def refusing_bad_input(path: str | None) -> Iterator[None]:
    """Turns what the library says of unusable input into the command's one sentence."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"cannot read {path!r}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def run(model: GPT, tokens: list[list[int]], steps: int, lr: float, progress: "Progress") -> None:
    """Train with `progress`; ends the command where training is interrupted or diverges."""
    with giving_up(progress), progress:
        train(model, tokens, steps, lr, progress.step)


@contextmanager
def giving_up(place: object) -> Iterator[None]:
    """Ends the command with one sentence on Ctrl-C, or where numbers have left the finite."""
    try:
        yield
    except KeyboardInterrupt:
        message, status = f"interrupted in {place}", 130
    except (ArithmeticError, ValueError) as error:
        message, status = f"numbers left the finite in {place}: {error.args[-1]}", 1
    else:
        return
    flush()
    print(f"\nisograd: {message}", file=sys.stderr)
    sys.exit(status)


class Progress:
    """What the original prints while it trains: step and loss, over and over on one line."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __str__(self) -> str:
        return f"step {self.done + 1} of {self.steps}"

    def step(self, step: int, loss: float) -> None:
        self.done = step
        self.show(loss)

    def show(self, loss: float) -> None:
        print(f"step {self.done:4d} / {self.steps:4d} | loss {loss:.4f}", end="\r")


class LiveProgress(Progress):
    """A bar with the loss, its exponential moving average, steps a second and the time left."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        from rich import progress

        self.smoothed = 0.0
        self.bar = progress.Progress(
            progress.TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            progress.BarColumn(),
            progress.TextColumn("loss {task.fields[loss]:.4f}"),
            progress.TextColumn("smoothed {task.fields[smoothed]:.4f}"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
        )
        self.task = self.bar.add_task("train", total=steps, loss=0.0, smoothed=0.0, rate="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def show(self, loss: float) -> None:
        first = self.done == 1
        self.smoothed = loss if first else SMOOTHING * self.smoothed + (1 - SMOOTHING) * loss
        speed = self.bar.tasks[self.task].speed
        self.bar.update(
            self.task,
            completed=self.done,
            loss=loss,
            smoothed=self.smoothed,
            rate=f"{speed:.1f} steps/s" if speed else "",
        )


def flush() -> None:
    if sys.stdout:
        sys.stdout.flush()


def main() -> None:
    """Run the command line and end the process with its status."""
    rest = None
    try:
        rest = cli.main(standalone_mode=False)  # a script is left to run, outside of this try
        flush()
    except click.ClickException as error:
        print(f"isograd: {error.format_message()}", file=sys.stderr)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except UnicodeEncodeError as error:
        missing = error.object[error.start]
        print(f"isograd: the output's encoding has no {missing!a}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        # Nobody can read what is still to be written; keep Python from trying at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"isograd: cannot write the output: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    if callable(rest):
        rest()
