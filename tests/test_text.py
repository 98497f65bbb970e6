"""Reading documents from files, and characters as tokens."""

import hashlib
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import isograd

DATA = Path(isograd.__file__).parent / "data"


def written(tmp_path, text):
    path = tmp_path / "docs.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_bundled_names_are_the_file_described():
    described = re.search(r"sha256: `([0-9a-f]{64})`", (DATA / "README.md").read_text()).group(1)
    assert hashlib.sha256((DATA / "names.txt").read_bytes()).hexdigest() == described


def test_bundled_names_are_the_default():
    docs = isograd.load_docs()
    assert docs == isograd.load_docs(DATA / "names.txt")
    assert len(docs) == 32033
    assert docs[:3] == ["emma", "olivia", "ava"]


@pytest.mark.parametrize(
    "text, docs",
    [
        ("ann\nbob\n", ["ann", "bob"]),
        ("ann\nbob", ["ann", "bob"]),
        (" ann \t\n\u3000bob\u2028\n", ["ann", "bob"]),
        ("\n\nann\n \t \n\x0c\nbob\n\n", ["ann", "bob"]),
        ("ann\r\nbob\r\n", ["ann", "bob"]),
        ("ann\rbob\r", ["ann", "bob"]),
        ("ann lee\nbob\tray\n", ["ann lee", "bob\tray"]),
        ("ann\nann\n", ["ann", "ann"]),
        ("zoë\n日本\n🦊\n", ["zoë", "日本", "🦊"]),
        ("a\0b\n", ["a\0b"]),
        ("\ufeffann\n", ["ann"]),
        ("\ufeff\nann\n\ufeffbob\n", ["ann", "\ufeffbob"]),
    ],
)
def test_a_document_a_line(tmp_path, text, docs):
    assert isograd.load_docs(written(tmp_path, text)) == docs


@pytest.mark.parametrize("char", "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
def test_only_newlines_end_a_line(tmp_path, char):
    assert isograd.load_docs(written(tmp_path, f"ann{char}lee\nbob\n")) == [f"ann{char}lee", "bob"]


def test_a_path_may_be_text(tmp_path):
    assert isograd.load_docs(str(written(tmp_path, "ann\n"))) == ["ann"]


@pytest.mark.parametrize("text", ["", "\n", " \n\t\r\n\u2028\n"])
def test_a_file_without_documents(tmp_path, text):
    with pytest.raises(ValueError, match=r"docs\.txt' holds no documents"):
        isograd.load_docs(written(tmp_path, text))


@pytest.mark.parametrize(
    "text", [b"ann\n\xff\xfea\n", b"zo\xeb\n", b"ann\n\xe6\x97", b"\xed\xa0\x80"]
)
def test_a_file_that_is_not_utf_8(tmp_path, text):
    with pytest.raises(ValueError, match=r"docs\.txt' is not UTF-8 text") as caught:
        isograd.load_docs(written(tmp_path, text))
    assert type(caught.value) is ValueError


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        isograd.load_docs(tmp_path / "missing.txt")


def test_a_directory(tmp_path):
    with pytest.raises(OSError):
        isograd.load_docs(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_file_of_documents(path):
    with pytest.raises(ValueError, match=f"'{path}' is a device; expected a file"):
        isograd.load_docs(path)


@pytest.mark.skipif(os.name != "posix", reason="needs pipes with names")
def test_documents_may_come_through_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=["ann\nbob\n"])
    writer.start()
    assert isograd.load_docs(path) == ["ann", "bob"]
    writer.join()


def test_tokens_are_sorted_characters_and_bos():
    tokenizer = isograd.CharTokenizer(["cab", "a b"])
    assert tokenizer.chars == [" ", "a", "b", "c"]
    assert tokenizer.bos == 4
    assert tokenizer.vocab_size == 5
    assert tokenizer.encode("cab") == [4, 3, 1, 2, 4]
    assert tokenizer.encode("") == [4, 4]
    assert tokenizer.decode([4, 3, 1, 2, 4]) == "cab"
    assert tokenizer.decode([3, 4, 1]) == "ca"
    assert tokenizer.decode([]) == ""
    assert repr(tokenizer) == "CharTokenizer([' abc'])"


@pytest.mark.parametrize("chars", [" abc", "'\"", "\n\\", "zoë日本🦊", "\ud800"])
def test_the_repr_makes_the_same_tokenizer(chars):
    text = repr(isograd.CharTokenizer(list(chars)))
    assert eval(text, dict(vars(isograd))).chars == sorted(chars)


def test_documents_may_come_from_any_iterable():
    assert isograd.CharTokenizer(iter(["b", "a"])).chars == ["a", "b"]


@given(st.lists(st.text(), min_size=1).filter(any))
def test_round_trip(docs):
    tokenizer = isograd.CharTokenizer(docs)
    for doc in docs:
        ids = tokenizer.encode(doc)
        assert tokenizer.decode(ids) == doc
        assert len(ids) == len(doc) + 2
        assert ids[0] == ids[-1] == tokenizer.bos
        assert all(0 <= i < tokenizer.bos for i in ids[1:-1])
    assert len(tokenizer.chars) == tokenizer.bos == tokenizer.vocab_size - 1


@given(st.lists(st.text("abc", max_size=12)), st.integers(1, 12))
def test_beginnings_are_what_a_model_makes_use_of(docs, block_size):
    tokenizer = isograd.CharTokenizer(["abc"])
    beginnings = tokenizer.encode_beginnings(docs, block_size)
    assert max(map(len, beginnings), default=0) <= block_size + 2
    for doc, tokens in zip(docs, beginnings, strict=True):
        assert tokens[: block_size + 1] == tokenizer.encode(doc)[: block_size + 1]


@pytest.mark.parametrize("block_size", [1, 3, 4, 5, 9])
def test_a_character_outside_the_vocabulary_is_found_beyond_the_beginning(block_size):
    tokenizer = isograd.CharTokenizer(["abc"])
    with pytest.raises(ValueError, match="'abcxay' holds the character 'x', which"):
        tokenizer.encode_beginnings(["a", "abcxay"], block_size)


def test_a_long_document_is_not_repeated_whole_in_an_error():
    with pytest.raises(ValueError, match=r"'a+\.\.\.' holds the character 'x'") as caught:
        isograd.CharTokenizer(["a"]).encode("a" * 1000 + "x")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("doc, char", [("cax", "x"), ("A", "A"), ("a\n", "\n"), ("🦊", "🦊")])
def test_a_character_outside_the_vocabulary(doc, char):
    with pytest.raises(ValueError, match=re.escape(f"{doc!r} holds the character {char!r}")):
        isograd.CharTokenizer(["abc"]).encode(doc)


@pytest.mark.parametrize("ids", [[-1], [0, 4], [0, 1, 10**30]])
def test_ids_that_are_no_tokens(ids):
    with pytest.raises(ValueError, match=f"{ids[-1]} is no token: the vocabulary has 0 to 3"):
        isograd.CharTokenizer(["abc"]).decode(ids)


@pytest.mark.parametrize("ids", ["ab", 3, ["a"], [0.5], None])
def test_what_holds_no_tokens(ids):
    with pytest.raises(
        TypeError, match="ids must be tokens, whole numbers from 0 to 3, not"
    ) as said:
        isograd.CharTokenizer(["abc"]).decode(ids)
    assert str(said.value).endswith(f"not {ids!r}")


@pytest.mark.parametrize("doc", [3, None, [["a"]]])
def test_what_is_no_text(doc):
    tokenizer = isograd.CharTokenizer(["abc"])
    for encode in (tokenizer.encode, tokenizer.encode_prompt):
        with pytest.raises(TypeError) as said:
            encode(doc)
        assert str(said.value) == f"doc must be a text, not {doc!r}"


def test_documents_are_loaded_from_a_file_alone():
    with pytest.raises(TypeError, match=r"path must be that of a text file, not \['ab', 'c'\]"):
        isograd.load_docs(["ab", "c"])


@pytest.mark.parametrize("docs", [[], [""], ["", ""]])
def test_a_tokenizer_needs_a_character(docs):
    with pytest.raises(ValueError, match="at least one character"):
        isograd.CharTokenizer(docs)


def test_a_single_string_is_no_list_of_documents():
    with pytest.raises(TypeError, match="list of documents"):
        isograd.CharTokenizer("abc")


@pytest.mark.parametrize("n", [2, 3, 10, 101])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.9])
def test_held_out_documents_are_a_share_evenly_spread(n, share):
    expected = max(1, round(n * share))
    if expected == n:
        with pytest.raises(ValueError, match=f"a share of {share} of {n} documents leaves none"):
            isograd.hold_out(range(n), share)
        return
    rest, held_out = isograd.hold_out(range(n), share)
    assert sorted(rest + held_out) == list(range(n)) and rest == sorted(rest)
    assert len(held_out) == expected and held_out == sorted(held_out)
    gaps = [b - a for a, b in zip(held_out, held_out[1:])]
    assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_no_share_holds_out_all_or_nothing(share):
    with pytest.raises(ValueError, match="the share to hold out must be between 0 and 1, not"):
        isograd.hold_out(range(10), share)
