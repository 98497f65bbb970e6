"""bench/study.py writes its document, in seconds here, and none where a tier differs in a bit."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"
sys.path.append(str(BENCH))
pytest.importorskip("isograd._core", reason="the study compares compiled tiers")
pytest.importorskip("pyperf")

import ladder  # noqa: E402
import same  # noqa: E402
import study  # noqa: E402


class OneBitOff(ladder.Trainer):
    """Tier value as if it were wrong in the last bit of its last weight."""

    def run(self, n):
        seconds, bits = super().run(n)
        if self.model.tier == "value":
            weights = list(self.model.read_data())
            weights[-1] *= 1 + 2**-52
            bits = bits._replace(weights=same.bits_of([], weights).weights)
        return seconds, bits


@pytest.mark.slow
def test_the_document_has_its_parts(tmp_path):
    command = [sys.executable, str(BENCH / "study.py"), "--tiny", "--output", str(tmp_path)]
    done = subprocess.run([*command, "ladder", "growth"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"the tiny study will take about \d+:\d\d min", done.stderr)
    assert re.search(r"ladder: all rungs, 1 of 1; \d+:\d\d left", done.stderr)
    text, page = ((tmp_path / name).read_text("utf-8") for name in ("study.md", "study.html"))
    assert done.stdout == text
    for part in ("vector unit", "load before", "date", "left out"):
        assert part in text and part in page
    for section in ("ladder", "growth"):
        assert f"`python bench/study.py {section}`" in text
        assert f'<section id="{section}">' in page
        with open(tmp_path / f"{section}.csv", encoding="utf-8") as file:
            heading, *rows = csv.reader(file)
        assert rows and all(len(row) == len(heading) and float(row[-1]) > 0 for row in rows)
    for rung in ("interpreter", "class", "script as it is", "fused functions", "native, plain C"):
        assert f"| {rung} | " in text
    assert page.count("<svg") == 4  # two pictures, each for wide and narrow screens
    assert not re.search(r'(src|href)="(?!#|\w+\.csv")', page)  # it needs no other file


def test_a_wrong_bit_ends_the_study(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(ladder, "Trainer", OneBitOff)
    with pytest.raises(SystemExit) as end:
        study.main(["--tiny", "--output", str(tmp_path), "ladder"])
    assert re.match(
        r"rung 'class' differs from the reference: the weights after step 2 have the SHA-256 "
        r"[0-9a-f]{16}\.\., not [0-9a-f]{16}\.\.\. So no speed means anything",
        end.value.code,
    )
    assert not list(tmp_path.iterdir()) and not capsys.readouterr().out


def test_a_loss_that_differs_is_named():
    right = same.bits_of([3.5, 3.25], [0.5])
    wrong = same.bits_of([3.5, 3.2500000000000004], [0.5])
    with pytest.raises(same.DifferentBits) as error:
        same.check("tier x", wrong, right)
    assert str(error.value) == (
        "tier x differs from the reference: the loss of step 2 is 0x1.a000000000001p+1, "
        "not 0x1.a000000000000p+1"
    )
    same.check("tier x", right, right)
    with pytest.raises(same.DifferentBits, match="weights after step 2"):
        same.check("tier x", same.bits_of([3.5, 3.25], [-0.5]), right)


def test_unknown_sections_are_refused(capsys):
    with pytest.raises(SystemExit):
        study.main(["laddder"])
    assert "no such section: laddder; there are ladder, programs" in capsys.readouterr().err
