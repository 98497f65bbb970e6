"""What the page writes about numbers: decimals for people, and Python that prints the same bits."""

import contextlib
import io
import json

import pytest
from node import run_node

pytestmark = [pytest.mark.once, pytest.mark.javascript]


@pytest.fixture(scope="module")
def answers():
    return json.loads(run_node("page_texts.mjs"))


def printed(text):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(text, {})
    return output.getvalue().split()[-1]


def test_decimals_are_short_and_say_their_size(answers):
    signs = str.maketrans({"\N{MINUS SIGN}": "-", "\N{MULTIPLICATION SIGN}": "*"})
    short = [text.translate(signs) for text in answers["short"]]
    assert short[:9] == [
        "0",
        "-0",
        "1",
        "-14",
        "0.1000",
        "0.6667",
        "-1.23*10⁻⁴",
        "1.23*10⁶",
        "123.5",
    ]
    assert short[9:] == ["1.00*10⁻³⁰⁰", "∞", "nan", "29580"]
    plain = [text.translate(signs) for text in answers["plain"]]
    assert plain == ["0.15", "0.01", "2", "1.00*10⁻⁸", "120"]


def test_every_python_text_prints_the_bits_beside_it(answers):
    texts = answers["texts"]
    assert len(texts) > 60
    assert [(text["text"], printed(text["text"])) for text in texts] == [
        (text["text"], text["hex"]) for text in texts
    ]


def test_the_cause_of_a_difference_is_what_was_chosen_before_where_it_ran(answers):
    assert [(cause["key"], cause["names"]) for cause in answers["causes"]] == [
        ("Options", ["seed"]),
        ("Data", []),
        ("Both", ["steps", "lr"]),
        ("Machine", ["libm"]),
        ("Nothing", []),
    ]


def test_another_page_is_read_as_text(answers):
    found, refused = answers["found"]
    assert found == {"base64": "eJw=", "sha256": "0123456789abcdef" * 4}
    assert refused == "This file is not a page that isograd explain made."
