"""The `isograd` command. Results go to standard output; complaints, one sentence each, to standard
error with exit status 2."""

import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from . import __version__
from ._backend import backend, compiler, vector_unit
from .model import DEFAULT_TIER, GPT, TIERS, GPTConfig
from .text import CharTokenizer, load_docs
from .training import (
    TrainingState,
    check_temperature,
    check_training,
    check_until,
    check_whole,
    evaluate,
    sample,
    train,
)

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .verify import Comparison

# What only some commands need is imported there: checkpoint, history, verify, rich, matplotlib.

SIZES = ("n_layer", "n_embd", "n_head", "block_size")
FIXED = ("steps", "lr", "batch_size", "seed")  # what a resumed run cannot change
REMEMBERED = ("data", "temperature", "samples")  # what it has from its checkpoint if not told


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


def tier_option(command: Any) -> Any:
    """The option --tier, which several commands have."""
    kind = click.Choice(list(TIERS))
    return click.option("--tier", default=DEFAULT_TIER, show_default=True, type=kind)(command)


@cli.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--explain", is_flag=True, help="say on standard error what is compiled and what not")
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run_command(explain: bool, script: str, args: tuple[str, ...]) -> Callable[[], NoReturn]:
    """Run a Python script, with compiled definitions where its own are the same program.

    Its output is byte for byte that of plain Python. Arguments after SCRIPT are the script's.
    """
    from .run import Script

    with refusing_bad_input(script):
        return partial(Script(script, args).run, explain)


@cli.command("train")
@click.option("--data", metavar="PATH", help="UTF-8 text, a document a line [default: the names]")
@click.option("--steps", default=1000, show_default=True, help="training steps, a batch each")
@click.option("--batch-size", default=1, show_default=True, help="documents in a step")
@click.option("--seed", default=42, show_default=True, help="of the random number generator")
@tier_option
@click.option("--threads", default=1, show_default=True, help="at most; no bit depends on it")
@click.option("--n-layer", default=1, show_default=True, help="transformer layers")
@click.option("--n-embd", default=16, show_default=True, help="features")
@click.option("--n-head", default=4, show_default=True, help="attention heads")
@click.option("--block-size", default=16, show_default=True, help="positions at most")
@click.option("--lr", default=0.01, show_default=True, help="learning rate at the first step")
@click.option("--temperature", default=0.5, show_default=True, help="of sampling; 0 is greedy")
@click.option("--samples", default=20, show_default=True, help="documents to invent at the end")
@click.option("--checkpoint", metavar="PATH", help="new safetensors file to keep the run in")
@click.option("--checkpoint-every", default=100, show_default=True, help="steps between writes")
@click.option("--resume", metavar="PATH", help="go on from a checkpoint, with its options")
@click.option("--history", metavar="PATH", help="new table of the losses, .csv or .jsonl")
@click.option("--plot", metavar="PATH", help="picture of the losses, such as loss.png")
@click.option("--plain", is_flag=True, help="print what the original prints, byte for byte")
@click.pass_context
def train_command(context: click.Context, /, **options: Any) -> None:
    """Train a character GPT, then let it invent some documents.

    Piped output, like --plain, is byte for byte the original program's. A run that goes on from a
    checkpoint ends in the same bits as one that never stopped; to go on writing the file, name it
    with --checkpoint again.
    """
    plain = options["plain"] or not (sys.stdout and sys.stdout.isatty())
    every = context.get_parameter_source("checkpoint_every")
    if every is ParameterSource.COMMANDLINE and not options["checkpoint"]:
        raise click.UsageError(
            "--checkpoint-every says how often, --checkpoint which file: give it"
        )
    resumed = take_over(context, options) if options["resume"] else None
    steps = options["steps"]
    with refusing_bad_input():
        check_training(steps, options["lr"], options["batch_size"], options["threads"])
        check_temperature(options["temperature"])
        check_whole("samples", options["samples"], 0)
        check_whole("checkpoint_every", options["checkpoint_every"], 1)
    rng = random.Random(options["seed"])
    with refusing_bad_input(options["data"]):
        docs = load_docs(options["data"])
    rng.shuffle(docs)
    with refusing_bad_input():
        if resumed:
            check_same_documents(resumed, docs, options)
            model, tokenizer, state = resumed.model, resumed.tokenizer, resumed.state
            check_until(state, steps, steps)
            rng.setstate(resumed.random_state)
        else:
            tokenizer = CharTokenizer(docs)
            config = GPTConfig(tokenizer.vocab_size, *(options[size] for size in SIZES))
            model = GPT(config, rng=rng, tier=options["tier"])
            state = TrainingState(model.num_params)
    files = Files(options, model, tokenizer, state, rng, docs)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {tokenizer.vocab_size}")
    print(f"num params: {model.num_params}")
    needed = max(1, steps * options["batch_size"])
    tokens = [tokenizer.encode(doc) for doc in docs[:needed]]
    progress = (Progress if plain else LiveProgress)(steps, state.losses)
    run(model, tokens, state, options, files, progress)
    print("\n--- inference (new, hallucinated names) ---")
    print_samples(model, tokenizer, rng, options["samples"], options["temperature"])


@cli.command("sample")
@click.argument("checkpoint")
@click.option("--samples", default=20, show_default=True, help="documents to invent")
@click.option("--seed", type=int, help="of the random number generator [default: its state there]")
@click.option("--temperature", default=0.5, show_default=True, help="0 is greedy")
@tier_option
def sample_command(
    checkpoint: str, samples: int, seed: int | None, temperature: float, tier: str
) -> None:
    """Invent documents with the model in CHECKPOINT.

    Without --seed they are those that its training run printed, or would have printed there.
    """
    loaded = load(checkpoint, tier)
    with refusing_bad_input():
        check_temperature(temperature)
        check_whole("samples", samples, 0)
    rng = random.Random(seed)
    if seed is None:
        rng.setstate(loaded.random_state)
    print_samples(loaded.model, loaded.tokenizer, rng, samples, temperature)


@cli.command("eval")
@click.argument("checkpoint")
@click.option("--data", metavar="PATH", help="UTF-8 text, a document a line [default: the names]")
@tier_option
def eval_command(checkpoint: str, data: str | None, tier: str) -> None:
    """Say how well the model in CHECKPOINT predicts the documents in a file."""
    loaded = load(checkpoint, tier)
    with refusing_bad_input(data):
        tokens = [loaded.tokenizer.encode(doc) for doc in load_docs(data)]
    with giving_up("the evaluation"):
        result = evaluate(loaded.model, tokens)
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
    from . import verify

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


def show_plain(comparisons: "list[Comparison]", configurations: Iterator[str]) -> None:
    """A line for each configuration, when its first step has been compared."""
    for name, _ in groupby(configurations):
        print(f"comparing: {name}", flush=True)


def show_live(comparisons: "list[Comparison]", configurations: Iterator[str]) -> None:
    """A table on the terminal that changes with every step."""
    from rich.live import Live
    from rich.table import Table

    from .verify import table

    with Live(auto_refresh=False) as live:
        for name in configurations:
            heading, *rows = table(comparisons)
            view = Table(*heading, caption=f"now: {name}")
            for row in rows:
                view.add_row(*row)
            live.update(view, refresh=True)


@contextmanager
def refusing_bad_input(path: str | None = None, verb: str = "read") -> Iterator[None]:
    """Turns what the library says of unusable input into the command's one sentence."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"cannot {verb} {path!r}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        extra = {"matplotlib": "'isograd[plot]'"}.get(name, name)
        raise click.UsageError(
            f"this needs {name}, which is not installed: pip install {extra}"
        ) from None


def load(path: str, tier: str) -> "Checkpoint":
    """The checkpoint in the file `path`, or the command's end."""
    from .checkpoint import load_checkpoint

    with refusing_bad_input(path):
        return load_checkpoint(path, tier=tier)


def take_over(context: click.Context, options: dict[str, Any]) -> "Checkpoint":
    """Loads the checkpoint to go on from, and its options into `options`; refuses other ones."""
    path = options["resume"]
    resumed = load(path, options["tier"])
    stored = {**resumed.options, **{size: getattr(resumed.model.config, size) for size in SIZES}}
    for name in (*FIXED, *SIZES, *REMEMBERED):
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if name in REMEMBERED:
            if not given and name in stored:
                options[name] = stored[name]
            continue
        if not isinstance(stored.get(name), (int, float)):
            raise click.UsageError(f"{path!r} does not say with which {name} its run was made")
        if given and options[name] != stored[name]:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option} {options[name]} contradicts {path!r}, whose run has {stored[name]}"
            )
        options[name] = stored[name]
    if not isinstance(options["data"], str | None):
        raise click.UsageError(f"{path!r} names no file as its data; give it with --data")
    return resumed


def check_same_documents(resumed: "Checkpoint", docs: list[str], options: dict[str, Any]) -> None:
    from .checkpoint import docs_sha256

    if docs_sha256(docs) != resumed.docs_sha256:
        source = repr(options["data"]) if options["data"] else "the file of names"
        raise ValueError(
            f"{source} does not hold the documents that {options['resume']!r} was trained on"
        )


class Files:
    """The files that a run writes: checkpoint, history, plot, each only if its option is given.

    Refuses paths that cannot be written, or where something would be lost, before any is made.
    """

    def __init__(
        self,
        options: dict[str, Any],
        model: GPT,
        tokenizer: CharTokenizer,
        state: TrainingState,
        rng: random.Random,
        docs: list[str],
    ) -> None:
        self.state, self.history = state, None
        self.checkpoint, self.plot = options["checkpoint"], options["plot"]
        paths = [options[name] for name in ("checkpoint", "history", "plot") if options[name]]
        if len({*map(os.path.realpath, paths)}) < len(paths):
            raise click.UsageError("--checkpoint, --history and --plot must be different files")
        if self.checkpoint:
            from .checkpoint import Checkpoint, docs_sha256
            from .files import check_writable

            with refusing_bad_input(self.checkpoint, "write"):
                check_writable(self.checkpoint)
                check_replaceable(self.checkpoint, options["resume"])
            kept = {name: options[name] for name in (*FIXED, *REMEMBERED)}
            sha256 = docs_sha256(docs)
            self.content = Checkpoint(model, tokenizer, state, rng.getstate(), kept, sha256)
        if self.plot:
            from .history import check_plot

            with refusing_bad_input(self.plot, "write"):
                check_plot(self.plot)
        if options["history"]:
            from .history import History

            with refusing_bad_input(options["history"], "write"):
                resumed = options["resume"] is not None
                self.history = History(
                    options["history"],
                    options["steps"],
                    options["lr"],
                    state.losses,
                    resumed=resumed,
                )

    def write_history(self) -> None:
        if self.history:
            with ending_unwritable(self.history.path):
                self.history.write(self.state.losses)

    def write_checkpoint(self) -> None:
        if self.checkpoint:
            from .checkpoint import save_checkpoint

            with ending_unwritable(self.checkpoint):
                save_checkpoint(self.checkpoint, self.content)

    def finish(self) -> None:
        """Write what is written at a run's end, whatever ends it."""
        self.write_history()
        if self.history:
            self.history.file.close()
        if self.plot:
            from .history import save_plot

            with ending_unwritable(self.plot):
                save_plot(self.plot, self.state.losses)


def check_replaceable(path: str, resumed: str | None) -> None:
    """ValueError if there is a file `path` other than the one to go on from."""
    if os.path.exists(path) and not (resumed and os.path.samefile(path, resumed)):
        raise ValueError(f"{path!r} exists; go on from it with --resume, or name a new file")


@contextmanager
def ending_unwritable(path: str) -> Iterator[None]:
    """Ends the command with one sentence where the file `path` cannot be written any more."""
    try:
        yield
    except OSError as error:
        flush()
        print(f"\nisograd: cannot write {path!r}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def run(
    model: GPT,
    tokens: list[list[int]],
    state: TrainingState,
    options: dict[str, Any],
    files: Files,
    progress: "Progress",
) -> None:
    """Train with `progress`; ends the command where training is interrupted or diverges."""
    steps, every = options["steps"], options["checkpoint_every"]

    def callback(step: int, loss: float) -> None:
        files.write_history()
        progress.step(step, loss)

    with giving_up(progress), progress:
        try:
            while True:
                until = min(steps, state.steps + every) if files.checkpoint else steps
                train(
                    model,
                    tokens,
                    steps,
                    options["lr"],
                    callback,
                    batch_size=options["batch_size"],
                    threads=options["threads"],
                    state=state,
                    until=until,
                )
                files.write_checkpoint()
                if until == steps:
                    break
        except KeyboardInterrupt:
            files.write_checkpoint()
            raise
        finally:
            files.finish()


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


def print_samples(
    model: GPT, tokenizer: CharTokenizer, rng: random.Random, samples: int, temperature: float
) -> None:
    for i in range(samples):
        with giving_up(f"sample {i + 1} of {samples}"):
            text = sample(model, tokenizer, rng=rng, temperature=temperature)
        print(f"sample {i + 1:2d}: {text}")


class Progress:
    """What the original prints while it trains: step and loss, over and over on one line."""

    def __init__(self, steps: int, losses: Sequence[float]) -> None:
        self.steps = steps
        self.done = len(losses)

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

    def __init__(self, steps: int, losses: Sequence[float]) -> None:
        super().__init__(steps, losses)
        from rich import progress

        from .history import MovingAverage

        self.smoothed = MovingAverage()
        for loss in losses:
            self.smoothed.add(loss)
        self.bar = progress.Progress(
            progress.TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            progress.BarColumn(),
            progress.TextColumn("loss {task.fields[loss]:.4f}"),
            progress.TextColumn("smoothed {task.fields[smoothed]:.4f}"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
        )
        self.task = self.bar.add_task(
            "train", total=steps, completed=self.done, loss=0.0, smoothed=0.0, rate=""
        )

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def show(self, loss: float) -> None:
        speed = self.bar.tasks[self.task].speed
        self.bar.update(
            self.task,
            completed=self.done,
            loss=loss,
            smoothed=self.smoothed.add(loss),
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
