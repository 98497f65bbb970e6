"""The `isograd` command: its commands, their options and their help. What they do is elsewhere.

Results go to standard output; complaints, one sentence each, to standard error with exit status 2.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from .. import __version__, _start
from .._backend import backend, compiler, vector_unit
from ..checks import (
    ACTIVATIONS,
    KEPT,
    SCHEDULES,
    check_prompt,
    check_temperature,
    check_whole,
)
from ..model import DEFAULT_TIER, TIERS
from ..training import Evaluation, evaluate, sample
from .endings import ending_the_process, giving_up, refusing_bad_input

# Commands import in their functions what only they need, so that the others start quickly.


def about() -> str:
    """Version, backend, compiler, vector unit and Python, a line each."""
    import platform

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
@click.option("--version", is_flag=True, is_eager=True, help="the same as the command info")
@click.pass_context
def cli(context: click.Context, version: bool) -> None:
    """microgpt, compiled: the same numbers as pure Python, to the last bit."""
    if version:
        click.echo(about())
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
def info() -> None:
    """Say what is installed here."""
    click.echo(about())


def path(name: str) -> str:
    """The name of a file: any but the empty one, which an unset shell variable leaves behind."""
    if not name:
        raise click.BadParameter("expected a path, not an empty one")
    return name


def threads(number: str) -> int | str:
    """How many threads: a whole number or "auto"."""
    try:
        return number if number == "auto" else int(number)
    except ValueError:
        raise click.BadParameter(f"{number!r} is neither a whole number nor auto.") from None


def share_or_path(text: str) -> float | str:
    """A share of the documents, or the path of others."""
    try:
        return float(text)
    except ValueError:
        return path(text)


def tier_option(command: Any) -> Any:
    """The option --tier, which several commands have."""
    kind = click.Choice(list(TIERS))
    return click.option("--tier", default=DEFAULT_TIER, show_default=True, type=kind)(command)


def choice(name: str, choices: Sequence[str], help: str) -> Callable[[Any], Any]:
    """An option that takes one of `choices`, by default the first."""
    kind = click.Choice(list(choices))
    return click.option(name, default=choices[0], show_default=True, type=kind, help=help)


def several(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator that gives a command these options, in this order."""
    return lambda command: reduce(lambda inner, option: option(inner), reversed(options), command)


# What a run's numbers depend on: the commands that train share it.
schedule_options = several(
    click.option("--data", type=path, help="UTF-8 text, a document a line [default: the names]"),
    click.option("--steps", default=1000, show_default=True, help="training steps, a batch each"),
    click.option("--batch-size", default=1, show_default=True, help="documents in a step"),
    click.option("--seed", default=42, show_default=True, help="of the random number generator"),
)
model_options = several(
    click.option("--n-layer", default=1, show_default=True, help="transformer layers"),
    click.option("--n-embd", default=16, show_default=True, help="features"),
    click.option("--n-head", default=4, show_default=True, help="attention heads"),
    click.option("--block-size", default=16, show_default=True, help="positions at most"),
    choice("--activation", ACTIVATIONS, "of the MLP; relu2 is the square of relu"),
    click.option("--tie-weights", is_flag=True, help="let the embedding be lm_head, too"),
    click.option("--init-std", default=0.08, show_default=True, help="spread of first weights"),
    click.option("--lr", default=0.01, show_default=True, help="learning rate at its highest"),
    choice("--schedule", SCHEDULES, "how the learning rate goes on to 0, or not"),
    click.option("--warmup", default=0, show_default=True, help="steps in which it rises first"),
    click.option("--beta1", default=0.85, show_default=True, help="Adam's, of first moments"),
    click.option("--beta2", default=0.99, show_default=True, help="Adam's, of second moments"),
    click.option("--eps", default=1e-8, show_default=True, help="Adam's, beside the root"),
    click.option("--weight-decay", default=0.0, show_default=True, help="AdamW's, times the rate"),
    click.option(
        "--clip-norm", type=float, help="length that gradients have at most [default: none]"
    ),
    click.option(
        "--validation",
        type=share_or_path,
        help="share of documents to hold out, or a file of others",
    ),
    click.option(
        "--eval-every", default=100, show_default=True, help="steps between validation losses"
    ),
    choice("--keep", KEPT, "last weights, or those of the least validation loss"),
    click.option(
        "--patience", type=int, help="stop after so many validation losses that are no better"
    ),
    click.option("--temperature", default=0.5, show_default=True, help="of sampling; 0 is greedy"),
    click.option("--samples", default=20, show_default=True, help="documents to invent at the end"),
)


def given(context: click.Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Those of the parameters that stand on the command line."""
    return {
        name: value
        for name, value in parameters.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


@cli.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--why", is_flag=True, help="say on standard error what is compiled and what not")
@click.option("--explain", "why", is_flag=True, hidden=True)
@click.option("--any-order", is_flag=True, help="children in a set: take the order of insertion")
@click.argument("script", type=path)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run_command(
    why: bool, any_order: bool, script: str, args: tuple[str, ...]
) -> Callable[[], NoReturn]:
    """Run a Python script, with compiled definitions where its own are the same program.

    Its output is byte for byte that of plain Python. Arguments after SCRIPT are the script's.
    """
    from ..run import Script

    with refusing_bad_input(script):
        return partial(Script(script, args, any_order).run, why)


@cli.command("train")
@schedule_options
@tier_option
@click.option("--threads", default=1, show_default=True, type=threads, help="at most, or auto")
@model_options
@click.option("--checkpoint", type=path, help="new safetensors file to keep the run in")
@click.option("--checkpoint-every", default=100, show_default=True, help="steps between writes")
@click.option("--resume", type=path, help="go on from a checkpoint; --steps may be others")
@click.option("--history", type=path, help="new table of the losses, .csv or .jsonl")
@click.option("--plot", type=path, help="picture of the losses, such as loss.png")
@click.option("--plain", is_flag=True, help="print what the original prints, byte for byte")
@click.pass_context
def train_command(context: click.Context, /, **parameters: Any) -> None:
    """Train a character GPT, then let it invent some documents.

    Piped output, like --plain, is byte for byte the original program's. A run that goes on from a
    checkpoint ends in the same bits as one that never stopped. To go on writing the file, name it
    with --checkpoint again.
    """
    from .options import train_options
    from .outputs import Files
    from .train import how_it_goes_on, set_up, train_to_the_end

    options, resumed = train_options(parameters, given(context, parameters))
    run = set_up(options, resumed)
    files = Files(options, run)
    held_out = f" and {len(run.held_out)} held out" if run.held_out else ""
    print(f"num docs: {len(run.docs)}{held_out}")
    print(f"vocab size: {run.tokenizer.vocab_size}")
    print(f"num params: {run.model.num_params}")
    if options.run.extended:
        print(how_it_goes_on(run, options))
    train_to_the_end(run, options, files)
    print("\n--- inference (new, hallucinated names) ---")
    draw = partial(sample, rng=run.rng, temperature=options.run.temperature)
    print_samples(partial(draw, run.model, run.tokenizer), options.run.samples)


@cli.command("explain")
@click.argument("checkpoint", type=path, required=False)
@click.option("--output", "-o", type=path, default="run.html", show_default=True, help="the page")
@schedule_options
@model_options
@click.option("--compare", type=path, help="another page, whose run is compared with this one")
@click.option("--withhold-documents", is_flag=True, help="leave out those that no step used")
@click.option("--times", is_flag=True, help="measure what a step takes on each tier")
@click.option("--open", "opens", is_flag=True, help="show the page in the browser")
@click.pass_context
def explain_command(context: click.Context, /, **parameters: Any) -> None:
    """Train a run and make a page that explains every number of it.

    With CHECKPOINT, of `isograd train`, the page is about its whole run, which is trained again
    from the beginning. The page needs no network and computes the run itself: its receipt says
    whether to the bit.
    """
    from .explain import make_page

    make_page(**{"output": parameters["output"], **given(context, parameters)})


@cli.command("sweep")
@click.argument("space", type=path)
@click.option("--data", type=path, help="UTF-8 text, a document a line [default: as SPACE says]")
@click.option("--workers", type=int, help="processes [default: one for each processor]")
@click.option("--storage", type=path, help="file to keep the sweep in, which machines may share")
@click.option("--csv", type=path, help="table of all trials")
@click.option("--plot", type=path, help="picture of all trials, such as sweep.png")
@click.option("--best", type=path, help="safetensors file for the best model")
def sweep_command(space: str, **parameters: Any) -> None:
    """Try many options, as the TOML file SPACE says, and find the best.

    With --storage, the same command goes on where it was interrupted, and may run several times at
    once, on several machines: they share the trials. The table is the same for all.
    """
    from .sweep import make_sweep

    make_sweep(space, **parameters)


@cli.command("sample")
@click.argument("checkpoint", type=path)
@click.option("--samples", "--count", default=20, show_default=True, help="documents to invent")
@click.option("--prompt", default="", help="what they begin with")
@click.option("--top-k", type=int, help="draw from that many likeliest tokens [default: all]")
@click.option("--seed", type=int, help="of the random number generator [default: its state there]")
@click.option("--temperature", default=0.5, show_default=True, help="0 is greedy")
@tier_option
def sample_command(
    checkpoint: str,
    samples: int,
    prompt: str,
    top_k: int | None,
    seed: int | None,
    temperature: float,
    tier: str,
) -> None:
    """Invent documents with the model in CHECKPOINT.

    Without --seed, the same documents as its training run printed, or would have printed there.
    """
    from .options import load

    loaded = load(checkpoint, tier)
    with refusing_bad_input():
        check_temperature(temperature)
        check_whole("samples", samples, 0)
        if top_k is not None:
            check_whole("top_k", top_k, 1)
        check_prompt(len(loaded.tokenizer.encode(prompt)) - 2, loaded.model.config.block_size)
    rng = random.Random(seed)
    if seed is None:
        rng.setstate(loaded.random_state)
    draw = partial(sample, rng=rng, temperature=temperature, prompt=prompt, top_k=top_k)
    print_samples(partial(draw, loaded.model, loaded.tokenizer), samples)


@cli.command("eval")
@click.argument("checkpoint", type=path)
@click.option("--data", type=path, help="UTF-8 text, a document a line [default: its run's]")
@tier_option
def eval_command(checkpoint: str, data: str | None, tier: str) -> None:
    """Say how well the model in CHECKPOINT predicts the documents in a file.

    Without --data these are the documents of its run; those held out count by themselves.
    """
    from .evaluation import groups_of
    from .options import load

    loaded = load(checkpoint, tier)
    for name, docs in groups_of(loaded, checkpoint, data):
        if name:
            print(f"{name}:")
        with refusing_bad_input(data):
            block_size = loaded.model.config.block_size
            tokens = loaded.tokenizer.encode_beginnings(docs, block_size)
        with giving_up("the evaluation"):
            print_evaluation(evaluate(loaded.model, tokens))


def print_evaluation(result: Evaluation) -> None:
    print(f"documents: {result.documents}")
    print(f"predictions: {result.predictions} (characters and ends of documents)")
    print(f"loss: {result.loss:.4f} nats (mean of the documents' means, as in training)")
    print(f"a prediction: {result.nats:.4f} nats, {result.bits:.4f} bits")


@cli.command("verify")
@click.option("--seconds", default=60.0, show_default=True, help="time to take, about")
def verify_command(seconds: float) -> None:
    """Compare every tier with the reference, bit for bit, on this machine.

    Ends with status 1 if there is any difference.
    """
    from .. import verify
    from .progress import show_live, show_plain

    if not 0 < seconds < float("inf"):
        raise click.UsageError(f"seconds must be a finite number above 0, not {seconds}")
    if backend != "c":
        raise click.UsageError(f"nothing is compiled here (backend: {backend}), nothing to verify")
    tiers = [tier for tier in TIERS if tier != "reference"]
    comparisons = [verify.Comparison(tier) for tier in tiers]
    show = show_live if sys.stdout and sys.stdout.isatty() else show_plain
    status = 0
    try:
        show(comparisons, verify.verify(comparisons, seconds))
    except KeyboardInterrupt:
        status = 130
    if show is show_plain:
        rows = verify.table(comparisons)
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            print("  ".join(map(str.ljust, row, widths)).rstrip())
    for comparison in comparisons:
        if comparison.difference:
            print(verify.complaint(comparison))
            status = 1
    sys.exit(status)


def print_samples(draw: Callable[[], str], samples: int) -> None:
    for i in range(samples):
        with giving_up(f"sample {i + 1} of {samples}"):
            text = draw()
        print(f"sample {i + 1:2d}: {text}")


def main() -> None:
    """Run the command line and end the process with its status."""
    with ending_the_process():
        _start.loaded()
        rest = cli.main(standalone_mode=False)
    if callable(rest):  # a script: it ends in its own way, not in one of ours
        rest()
