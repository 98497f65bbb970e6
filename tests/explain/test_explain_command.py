"""`isograd explain` and `isograd.explain`: what they accept, write, refuse and say."""

import os
import random
import re
import signal
import subprocess
import sys
import time
import webbrowser
from contextlib import suppress

import pytest

import isograd
from isograd.commands.explain import open_in_browser
from isograd.explain import page
from isograd.explain.payload import read_header

TINY = ["--n-embd=4", "--n-head=2", "--block-size=4", "--steps=6", "--samples=2"]
OPTIONS = {"n_embd": 4, "n_head": 2, "block_size": 4, "steps": 6, "samples": 2}


def run(*arguments, folder, **environment):
    """The finished process, with its output as text."""
    return subprocess.run(
        [sys.executable, "-m", "isograd", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **environment},
    )


def header_in(path):
    return read_header(page.found_in(path.read_text("utf-8"))[1])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "docs.txt").write_text("ann\nbob\ncrl\n")
    return tmp_path


@pytest.fixture
def checkpoint(folder):
    """A checkpoint after 4 of 6 steps of a run."""
    path = folder / "run.safetensors"
    docs = isograd.load_docs(folder / "docs.txt")
    rng = random.Random(7)
    rng.shuffle(docs)
    tokenizer = isograd.CharTokenizer(docs)
    config = isograd.GPTConfig(tokenizer.vocab_size, n_embd=4, n_head=2, block_size=4)
    model = isograd.GPT(config, rng=rng)
    state = isograd.TrainingState(model.num_params)
    isograd.train(model, [tokenizer.encode(doc) for doc in docs], 6, state=state, until=4)
    options = {"steps": 6, "lr": 0.01, "batch_size": 1, "seed": 7, "temperature": 0.5}
    options |= {"samples": 2, "data": str(folder / "docs.txt")}
    content = isograd.Checkpoint(
        model, tokenizer, state, rng.getstate(), options, isograd.docs_sha256(docs)
    )
    isograd.save_checkpoint(path, content)
    return path


# The command


def test_it_writes_a_page_and_says_what_takes_the_room(folder):
    process = run("explain", "--data=docs.txt", *TINY, "-o", "a.html", folder=folder)
    assert (process.returncode, process.stderr) == (0, "")
    size, documents, keyframes = process.stdout.splitlines()
    text = (folder / "a.html").read_bytes()
    assert size.startswith(f"a.html: {len(text) / 1e6:.2f} MB: the program ")
    assert "documents 1 kB" in size
    assert documents == "It contains all 3 documents; whoever gets the page can read them."
    assert (
        keyframes == "It keeps where the run stood at the end, and computes all other steps again."
    )
    header = header_in(folder / "a.html")
    assert header["options"]["steps"] == 6 and header["texts"] == ["ann", "bob", "crl"]
    expected = isograd.explain(data=folder / "docs.txt", **OPTIONS)
    assert text.decode() == expected.html
    assert header["command"] == (
        "isograd explain --data docs.txt --steps 6 --n-embd 4 --n-head 2 --block-size 4 --samples 2"
    )


def test_documents_that_are_cut_are_told_of_once(folder):
    process = run("explain", "--data=docs.txt", *TINY, "--block-size=3", folder=folder)
    assert (process.returncode, process.stderr) == (
        0,
        "isograd: 3 of 3 documents have more than 2 characters and are cut; "
        "--block-size 4 holds the longest\n",
    )


def test_the_samples_are_those_of_train(folder):
    run("explain", "--data=docs.txt", *TINY, "-o", "a.html", folder=folder)
    trained = run("train", "--data=docs.txt", *TINY, "--plain", folder=folder).stdout
    assert header_in(folder / "a.html")["samples"] == drawn(trained)


def test_without_the_extension_it_writes_the_same(folder):
    arguments = ["explain", "--data=docs.txt", *TINY, "-o"]
    run(*arguments, "a.html", folder=folder)
    process = run(*arguments, "b.html", folder=folder, ISOGRAD_BACKEND="python")
    assert (process.returncode, process.stderr) == (0, "")
    assert (folder / "a.html").read_bytes() == (folder / "b.html").read_bytes()


def test_a_page_may_be_replaced_and_nothing_else(folder):
    for _ in range(2):
        assert run("explain", "--data=docs.txt", *TINY, folder=folder).returncode == 0
    process = run("explain", "--data=docs.txt", *TINY, "-o", "docs.txt", folder=folder)
    assert process.returncode == 2
    assert process.stderr == (
        "isograd: 'docs.txt' exists and is no page of isograd explain; name a new file\n"
    )
    assert (folder / "docs.txt").read_text() == "ann\nbob\ncrl\n"
    assert sorted(path.name for path in folder.iterdir()) == ["docs.txt", "run.html"]


@pytest.mark.parametrize(
    ["arguments", "sentence"],
    [
        (["--steps=0"], "steps must be a whole number from 1 on, not 0"),
        (["--data=none.txt"], "cannot read 'none.txt': No such file or directory"),
        (["none.safetensors"], "cannot read 'none.safetensors': No such file or directory"),
        (["docs.txt"], "'docs.txt' is no safetensors file, or a damaged one"),
        (["--validation=none.txt"], "cannot read 'none.txt': No such file or directory"),
        (
            ["--validation=0.99", "--data=docs.txt"],
            "a share of 0.99 of 3 documents leaves none to learn from",
        ),
        (["-o", "none/a.html"], "cannot write 'none/a.html': No such file or directory"),
        (["--compare=none.html"], "cannot read 'none.html': No such file or directory"),
        (
            ["--compare=docs.txt"],
            "cannot compare with 'docs.txt': it is no page of isograd explain",
        ),
    ],
)
def test_what_it_refuses(folder, arguments, sentence):
    process = run("explain", *arguments, folder=folder)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == f"isograd: {sentence}\n"
    assert [path.name for path in folder.iterdir()] == ["docs.txt"]


def test_a_run_that_diverges_writes_nothing(folder):
    process = run("explain", "--data=docs.txt", *TINY, "--lr=1e300", folder=folder)
    assert process.returncode == 1
    assert process.stderr.startswith(
        "\nisograd: numbers left the finite in step 3 of 6: the loss is nan"
    )
    assert [path.name for path in folder.iterdir()] == ["docs.txt"]


def test_withheld_documents_are_not_there(folder):
    arguments = ["explain", "--data=docs.txt", *TINY, "--steps=1", "--withhold-documents"]
    process = run(*arguments, folder=folder)
    assert "It contains the 1 documents that steps used, of 3." in process.stdout
    header = header_in(folder / "run.html")
    assert len(header["texts"]) == 1 and header["withheld"]


def test_times_are_measured_on_each_tier(folder):
    process = run("explain", "--data=docs.txt", *TINY, "--times", folder=folder)
    assert process.returncode == 0
    times = header_in(folder / "run.html")["times"]
    assert list(times) == sorted(isograd.model.TIERS) and min(times.values()) > 0


def test_open_shows_the_page(folder):
    browser = f"{sys.executable} -c \"print('shown', r'%s')\""
    process = run("explain", "--data=docs.txt", *TINY, "--open", folder=folder, BROWSER=browser)
    assert process.returncode == 0
    assert f"shown {(folder / 'run.html').as_uri()}" in process.stdout


def test_without_a_browser_open_says_so(monkeypatch, capsys):
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    open_in_browser("run.html")
    assert capsys.readouterr().err == "isograd: there is no browser to open it with\n"


# From a checkpoint


def test_from_a_checkpoint_it_is_the_page_of_its_whole_run(folder, checkpoint):
    process = run("explain", "run.safetensors", "-o", "a.html", folder=folder)
    assert (process.returncode, process.stderr) == (0, "")
    arguments = ["explain", "--data=docs.txt", *TINY, "--seed=7"]
    run(*arguments, "-o", "b.html", folder=folder)
    assert (folder / "a.html").read_bytes() == (folder / "b.html").read_bytes()
    loaded = isograd.load_checkpoint(checkpoint)
    assert isograd.explain(loaded).html == (folder / "a.html").read_text("utf-8")


def test_what_contradicts_a_checkpoint(folder, checkpoint):
    process = run("explain", "run.safetensors", "--lr=0.1", folder=folder)
    assert process.returncode == 2
    assert process.stderr == "isograd: lr 0.1 contradicts the checkpoint, whose run has 0.01\n"
    (folder / "docs.txt").write_text("ann\nbob\n")
    with pytest.raises(ValueError, match="not the documents that the checkpoint was trained on"):
        isograd.explain(checkpoint)


def test_a_checkpoint_that_is_not_of_its_run(checkpoint):
    loaded = isograd.load_checkpoint(checkpoint)
    loaded.model.state_dict()["wte"][0][0] += 1
    with pytest.raises(ValueError, match="trained again, the checkpoint's run has other weights"):
        isograd.explain(loaded)
    loaded = isograd.load_checkpoint(checkpoint)
    loaded.state.losses[2] += 1
    with pytest.raises(ValueError, match="has another loss at step 3"):
        isograd.explain(loaded)


def test_a_checkpoint_that_does_not_say_enough(checkpoint):
    loaded = isograd.load_checkpoint(checkpoint)
    options = {name: value for name, value in loaded.options.items() if name != "seed"}
    with pytest.raises(ValueError, match="does not say with which seed its run was made"):
        isograd.explain(loaded._replace(options=options))
    assert isograd.explain(loaded._replace(options=options), seed=7).html


# From Python


VALIDATED = ("--data=names.txt", "--steps=60", "--n-embd=4", "--n-head=2", "--samples=3",
             "--lr=0.1", "--validation=0.3", "--eval-every=5", "--keep=best", "--patience=2",
             "--tie-weights", "--activation=relu2", "--warmup=3", "--clip-norm=1",
             "--weight-decay=0.1")  # fmt: skip


def drawn(output):
    """The samples in what `isograd train` prints."""
    return [line.partition(": ")[2] for line in output.splitlines() if line.startswith("sample")]


def test_a_checkpoint_of_the_best_step_is_explained_with_the_whole_run(folder):
    (folder / "names.txt").write_text("\n".join(isograd.load_docs()[:20]))
    trained = run("train", *VALIDATED, "--plain", "--checkpoint=a.safetensors", folder=folder)
    process = run("explain", "a.safetensors", "-o", "a.html", folder=folder)
    assert (process.returncode, process.stderr) == (0, "")
    header = header_in(folder / "a.html")
    kept = isograd.load_checkpoint(folder / "a.safetensors").state.steps
    assert (header["kept"], header["samples"]) == (kept, drawn(trained.stdout))
    assert kept < header["steps"] < 60
    ended = f"Its patience came to an end after step {header['steps']}."
    best = f"Its result is what it was after step {kept}, the best one."
    assert process.stdout.splitlines()[-2:] == [ended, best]
    run("explain", *VALIDATED, "-o", "b.html", folder=folder)
    assert (folder / "a.html").read_bytes() == (folder / "b.html").read_bytes()


def test_an_extended_run_is_explained_from_its_checkpoint(folder):
    tiny = [word for word in TINY if not word.startswith("--steps")]
    keep = "--plain", "--checkpoint=a.safetensors"
    run("train", "--data=docs.txt", *tiny, "--steps=6", *keep, folder=folder)
    trained = run("train", "--resume=a.safetensors", "--steps=9", *keep, folder=folder)
    process = run("explain", "a.safetensors", "-o", "a.html", folder=folder)
    assert (process.returncode, process.stderr) == (0, "")
    header = header_in(folder / "a.html")
    assert header["options"]["extended"] == [[6, 6]] and header["steps"] == 9
    assert header["samples"] == drawn(trained.stdout)
    words = "isograd explain --data docs.txt a.safetensors --samples 2"
    assert header["command"] == words


def test_an_explanation_saves_itself(folder):
    explanation = isograd.explain(data=["ann", "bob"], **OPTIONS)
    explanation.save(folder / "a.html")
    assert (folder / "a.html").read_text("utf-8") == explanation.html
    assert repr(explanation).startswith("<Explanation of 6 steps, ")


def test_the_callback_sees_each_step():
    seen = []
    explanation = isograd.explain(
        data=["ann", "bob"], callback=lambda *step: seen.append(step), **OPTIONS
    )
    assert seen == list(enumerate(explanation.recording.losses, 1))


def test_an_unknown_option_is_an_error():
    with pytest.raises(TypeError, match="'step' is no option of a run; there are steps, batch_"):
        isograd.explain(step=3)


def test_documents_given_as_a_list_need_not_be_the_users_last():
    docs = ["ann", "bob"]
    explanation = isograd.explain(data=docs, **OPTIONS)
    docs.append("carol")
    assert explanation.recording.texts == ["ann", "bob"]


# Sizes


@pytest.mark.parametrize(
    ["options", "most", "sentence"],
    [
        ({"steps": 10_000}, 6e6, "every 400 steps and computes the others again: a run of this"),
        ({"n_embd": 64, "steps": 1000}, 6e6, "size has room for 2 such places."),
        ({"n_embd": 96, "steps": 20}, 8e6, "at the end, and computes all other steps again."),
    ],
    ids=["long", "wide", "wider"],
)
def test_larger_runs_have_fewer_keyframes_and_say_so(options, most, sentence):
    explanation = isograd.explain(**options)
    assert len(explanation.html) < most
    assert sentence in explanation.summary()


def test_a_run_that_is_too_large_says_so(folder):
    process = run("explain", "--data=docs.txt", "--steps=10000000", folder=folder)
    assert process.returncode == 1
    assert process.stderr == (
        "\nisograd: 10,000,000 steps of 1 documents, with a model of 3,584 weights, would make a "
        "page too large for a browser\n"
    )
    assert [path.name for path in folder.iterdir()] == ["docs.txt"]


# Signals and terminals


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_leaves_nothing_behind(folder):
    command = [sys.executable, "-m", "isograd", "explain", "--steps=1000000"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate()
    assert process.returncode == 130
    assert re.fullmatch(r"\nisograd: interrupted in step \d+ of 1000000\n", complaint)
    assert [path.name for path in folder.iterdir()] == ["docs.txt"]


@pytest.mark.skipif(os.name != "posix", reason="needs terminals")
def test_a_terminal_shows_progress(folder):
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "isograd", "explain", "--data=docs.txt", *TINY]
    process = subprocess.Popen(
        command, cwd=folder, stdout=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    output = b""
    with suppress(OSError):  # at the end
        while part := os.read(ours, 1024):
            output += part
    assert process.wait() == 0
    assert re.search(
        rb"step 6/6 .* loss \d\.\d{4}", re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", output)
    )
    assert b"run.html: " in output
