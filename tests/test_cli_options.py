"""Options of `isograd train` that change its numbers: what the command makes of them."""

import csv

import pytest
from bits import bits
from test_cli import NOT_WINDOWS, complaint, run, run_until, steps_in

import isograd
from isograd.model import TIERS
from isograd.options import RunOptions, stored_options
from isograd.runs import new_run

NAMES = ["ana", "bea", "abe", "ada", "dab", "cab", "dede", "eda", "bade", "bed"]
SMALL = ["--n-embd=4", "--n-head=2", "--block-size=5", "--lr=0.05", "--samples=2", "--steps=12"]
EVERYTHING = [
    *("--activation=relu2", "--tie-weights", "--init-std=0.5", "--schedule=cosine", "--warmup=3"),
    *("--beta1=0.9", "--beta2=0.95", "--eps=1e-6", "--weight-decay=0.1", "--clip-norm=0.5"),
]
JUDGED = ["--validation=0.2", "--eval-every=4", "--keep=best"]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "docs.txt"
    path.write_text("\n".join(NAMES))
    return path


def numbers_of(model, state):
    weights = [bits(float(x)) for x in model.read_data()]
    return weights, *(list(map(bits, numbers)) for numbers in (state.m, state.v, state.losses))


def loaded(path):
    return isograd.load_checkpoint(path)


@pytest.mark.parametrize("tier", TIERS)
def test_every_option_reaches_the_run(data, tmp_path, tier):
    kept = tmp_path / "run.safetensors"
    arguments = [*SMALL, *EVERYTHING, *JUDGED, "--data", data, "--tier", tier]
    process = run("train", *arguments, "--checkpoint", kept, "--history", tmp_path / "run.csv")
    assert (process.returncode, process.stderr) == (0, "")
    found = loaded(kept)
    options = stored_options(found.options, found.model.config)
    assert options == RunOptions(
        *(12, 1, 42, 1, 4, 2, 5, "relu2", True, 0.5, 0.05, "cosine", 3, 0.9, 0.95, 1e-6, 0.1, 0.5),
        *(0.2, 4, "best", None, 0.5, 2),
    )
    expected = new_run(options, NAMES, tier="reference")
    losses = expected.train(options)
    assert numbers_of(found.model, found.state) == numbers_of(expected.model, expected.state)
    assert found.state.validation == expected.state.validation
    with open(tmp_path / "run.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == losses
    assert [float(row["lr"]) for row in rows] == list(map(options.learning_rate, range(12)))
    judged = {int(row["step"]): float(row["validation"]) for row in rows if row["validation"]}
    assert list(judged) == [4, 8, 12]
    assert list(judged.items())[: len(found.state.validation)] == found.state.validation
    assert f" {found.state.steps}, the least" in process.stdout


@NOT_WINDOWS
@pytest.mark.parametrize("step, signal_name", [(6, "SIGKILL"), (8, "SIGINT"), (11, "SIGINT")])
@pytest.mark.parametrize("judged", [JUDGED, ["--validation=0.2", "--eval-every=4"]])
def test_a_judged_run_that_was_stopped_ends_the_same(data, tmp_path, judged, step, signal_name):
    arguments = [*SMALL, *EVERYTHING, *judged, "--data", data]
    whole, table = tmp_path / "whole.safetensors", tmp_path / "whole.csv"
    finished = run("train", *arguments, "--checkpoint", whole, "--history", table)
    assert (finished.returncode, finished.stderr) == (0, "")
    kept, part = tmp_path / "part.safetensors", tmp_path / "part.csv"
    files = ["--checkpoint", kept, "--history", part]
    run_until(step, signal_name, *arguments, *files, "--checkpoint-every=4")
    assert 0 < steps_in(kept) <= step
    process = run("train", "--resume", kept, *files)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-5:] == finished.stdout.splitlines()[-5:]
    assert kept.read_bytes() == whole.read_bytes()
    assert part.read_bytes() == table.read_bytes()


def test_patience_comes_to_an_end(data, tmp_path):
    kept = tmp_path / "run.safetensors"
    arguments = [*SMALL, "--lr=0.5", "--steps=200", "--validation=0.3", "--eval-every=2"]
    process = run("train", *arguments, "--patience=2", "--data", data, "--checkpoint", kept)
    state = loaded(kept).state
    best = state.best_step()
    assert state.steps == best + 4 < 200
    assert f"stopped at step {state.steps}: 2 validation losses in a row" in process.stdout
    assert f"at step {best}, the least\n" in process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_a_finished_run_is_extended(data, tmp_path, tier, schedule):
    kept, table = tmp_path / "run.safetensors", tmp_path / "run.csv"
    files = ["--checkpoint", kept, "--history", table, "--tier", tier]
    run("train", *SMALL, f"--schedule={schedule}", "--data", data, *files)
    process = run("train", "--resume", kept, "--steps=20", *files)
    assert (process.returncode, process.stderr) == (0, "")
    assert "goes on after step 12 of 12, to step 20: the learning rate is " in process.stdout
    again = run("train", "--resume", kept, "--steps=23", *files)
    assert again.returncode == 0

    options = RunOptions(steps=12, n_embd=4, n_head=2, block_size=5, lr=0.05, schedule=schedule)
    expected = new_run(options, NAMES, tier="reference")
    rates = list(map(options.learning_rate, range(12)))
    expected.train(options)
    for steps in (20, 23):
        options = options.extended_at(expected.state.steps, steps)
        rates += map(options.learning_rate, range(expected.state.steps, steps))
        expected.train(options)
    found = loaded(kept)
    assert numbers_of(found.model, found.state) == numbers_of(expected.model, expected.state)
    assert stored_options(found.options, found.model.config).extended == ((12, 12), (20, 20))
    with open(table) as file:
        assert [float(row["lr"]) for row in csv.DictReader(file)] == rates


def test_eval_takes_the_documents_of_the_run(data, tmp_path):
    kept = tmp_path / "run.safetensors"
    run("train", *SMALL, "--validation=0.2", "--data", data, "--checkpoint", kept)
    process = run("eval", kept)
    lines = process.stdout.splitlines()
    assert (process.returncode, lines[0], lines[5]) == (0, "learned from:", "held out:")
    assert (lines[1], lines[6]) == ("documents: 8", "documents: 2")
    found = loaded(kept)
    assert lines[8].startswith(f"loss: {found.state.validation[-1][1]:.4f} nats")
    data.write_text("\n".join(NAMES[1:]))
    assert "no longer holds the documents that" in complaint(run("eval", kept))
    data.unlink()
    assert "cannot read" in complaint(run("eval", kept))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--validation=0"], "validation must be a share between 0 and 1, or a file, not 0.0"),
        (["--validation=1.5"], "validation must be a share between 0 and 1"),
        (["--validation=nan"], "validation must be a share between 0 and 1"),
        (["--validation=0.999"], "a share of 0.999 of 10 documents leaves none to learn from"),
        (["--validation=none.txt"], "cannot read 'none.txt'"),
        (["--validation=odd.txt"], "'zoe' holds the character 'z'"),
        (["--patience=2"], "patience goes by the validation loss: give validation documents, too"),
        (["--keep=best"], "keep='best' goes by the validation loss"),
        (["--validation=0.2", "--eval-every=0"], "eval_every must be a whole number from 1 on"),
        (["--validation=0.2", "--patience=0"], "patience must be a whole number from 1 on"),
        (["--warmup=13"], "warmup must be at most the number of steps, 12, not 13"),
        (["--clip-norm=0"], "clip_norm must be a finite number above 0, not 0.0"),
        (["--beta2=1"], "betas must be two numbers from 0 to below 1"),
        (["--eps=-1"], "eps must be a number from 0 on, not -1.0"),
        (["--weight-decay=inf"], "weight_decay must be a finite number from 0 on, not inf"),
        (["--init-std=-1"], "init_std must be a finite number from 0 on, not -1.0"),
        (["--activation=gelu"], "'gelu' is not one of 'relu', 'relu2'"),
        (["--schedule=step"], "'step' is not one of 'linear', 'cosine', 'constant'"),
    ],
)
def test_what_cannot_be_is_refused(data, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.txt").write_text("zoe\n")
    assert words in complaint(run("train", *SMALL, "--data", data, *arguments))


def test_a_run_of_no_steps_has_no_validation_loss(data, tmp_path):
    pytest.importorskip("matplotlib")
    kept, plot = tmp_path / "run.safetensors", tmp_path / "loss.svg"
    process = run("train", *SMALL, "--validation=0.2", "--data", data, "--steps=0")
    assert "no validation loss: the run has no steps" in process.stdout
    files = ["--checkpoint", kept, "--plot", plot]
    assert run("train", *SMALL, "--validation=0.2", "--data", data, *files).returncode == 0
    assert "validation" in plot.read_text()
    found = loaded(kept)
    isograd.save_checkpoint(kept, found._replace(options={**found.options, "data": 5}))
    assert "names no file as its data; give one with --data" in complaint(run("eval", kept))
