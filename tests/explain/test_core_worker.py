"""The worker answers short questions while long ones run, and says in a sentence what it cannot."""

import pytest
from runs import payload
from worker import ask, conversation

pytestmark = [pytest.mark.once, pytest.mark.javascript]


def test_open_says_what_is_there():
    (opened,) = conversation(payload("cut"), [])["answers"]
    answer = opened["answer"]
    assert answer["intact"] is True
    assert answer["header"]["format"] == "isograd run"
    assert len(answer["losses"]) == answer["header"]["options"]["steps"]
    assert sorted(answer["textAt"]) == answer["textAt"]
    assert set(answer["order"]) <= set(answer["textAt"])


def test_bytes_other_than_those_recorded_are_opened_and_called_so():
    found = conversation(payload("cut"), [["verify"]], sha256="0" * 64)["answers"]
    assert found[0]["answer"]["intact"] is False
    assert found[1]["answer"]["first"]["what"] == "SHA-256 of the record"


def test_a_short_question_is_answered_while_a_long_one_runs():
    found = conversation(payload("default"), [["verify"], ["history", "wte", 0, 0], ["step", 2]])
    assert found["order"].index(3) < found["order"].index(1)
    assert found["progress"] > 0
    assert found["answers"][1]["answer"]["different"] == 0


def test_a_long_question_can_be_abandoned():
    questions = [["history", "wte", 0, 0], ["verify"], ["abandon", 1], ["abandon", 99]]
    found = conversation(payload("layers"), questions)
    assert found["answers"][1] == {"error": "abandoned"}
    assert found["answers"][2]["answer"]["different"] == 0
    assert [found["answers"][i]["answer"] for i in (3, 4)] == [True, False]


def test_questions_of_one_step_share_its_replay():
    asked = [["node", 30, 5], ["weight", "wte", 0, 0, 30], ["node", 30, 5]]
    first, _, second = ask("default", *asked)
    assert first == second


SENTENCES = {
    "There is no question": ["toString"],
    "A step is a whole number from 1 to 12": ["step", 0],
    "A step is a whole number from 0 to 12": ["predict", [3], 1, 13],
    "The model has no weights named": ["weight", "wtf", 0, 0, 1],
    "wte has": ["weight", "wte", 0, 99, 1],
    "The numbers of this step are": ["node", 1, -1],
    "Step 1 has the documents 0 to 2": ["document", 1, 3],
    "The model reads 1 to 4 tokens": ["predict", [1, 2, 3, 1, 2], 1, 1],
    "Tokens are whole numbers": ["predict", [-1], 1, 1],
    "This page's record of the run is damaged": ["compareWith", "bm8="],
    "There is no reading": ["expression", "2 § 3"],
    'There is no reading ")"': ["expression", "2)"],
    "The expression ends too early": ["expression", "2 +"],
    'Expected ")"': ["expression", "(2"],
    "This divides by zero": ["expression", "1/(a-a)"],
    "The logarithm needs": ["expression", "log(-1)"],
    "An exponent is a plain number": ["expression", "2**a"],
    "A negative number to a fractional power": ["expression", "(0-a)**0.5"],
    "exp of 1000 is too large": ["expression", "exp(1000)"],
    '"foo" is no name': ["expression", "foo + 1"],
    "An expression has 500 characters at most": ["expression", "1+" * 300 + "1"],
}


def test_what_cannot_be_answered_is_said_in_a_sentence():
    answers = conversation(payload("cut"), list(SENTENCES.values()))["answers"][1:]
    for sentence, answer in zip(SENTENCES, answers):
        assert answer["error"].startswith(sentence) and answer["error"].endswith("."), answer


@pytest.mark.parametrize("content", [b"", b"no payload", b'\x10\0\0\0{"format": 3}    '])
def test_what_is_no_run_is_refused_in_a_sentence(content):
    (opened,) = conversation(content, [])["answers"]
    assert opened["error"].startswith("This page's record of the run is damaged")
