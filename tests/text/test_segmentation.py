import time
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pressgang.document import Document
from pressgang.label_studio.tasks import read_export
from pressgang.text.segmentation import MAX_WORD_CHARACTERS, sentence_starts, words
from tests.test_document import any_text

GOLD = read_export(Path(__file__).parents[2] / "annotations" / "gold.json").documents

fragments = st.sampled_from(
    [
        *("U.S.", "’s", "Mr.", "St.", "A", "b", "7", ".", "!?", "…", "”", '"', "("),
        *("-", "&", "'", "_", "é", "ө", "中"),
        *(" ", "\n", "\r\n", "\r", "\u2028", "e\u0301", "x" * 70, "\ud800", "\x00"),
    ]
)
texts = any_text | st.lists(fragments, max_size=30).map("".join)


def split_words(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text).tolist()]


def split_sentences(text: str) -> list[str]:
    edges = [*sentence_starts(text).tolist(), len(text)]
    return [text[start:end].strip() for start, end in pairwise(edges)]


@given(texts)
@example("")
@settings(max_examples=60, deadline=None)
def test_words_are_in_order_and_cover_all_but_white_space(text: str) -> None:
    spans = words(text)
    assert spans.shape == (len(spans), 2)
    at = 0
    for start, end in spans.tolist():
        assert at <= start < end <= len(text)
        assert end - start <= MAX_WORD_CHARACTERS
        assert not any(c.isspace() for c in text[start:end])
        assert text[at:start] == "" or text[at:start].isspace()
        at = end
    assert text[at:] == "" or text[at:].isspace()


@given(texts)
@example("")
@settings(max_examples=60, deadline=None)
def test_sentences_tile_the_text_and_begin_after_white_space(text: str) -> None:
    starts = sentence_starts(text).tolist()
    assert starts[0] == 0
    assert all(earlier < later for earlier, later in pairwise(starts))
    assert all(text[at - 1].isspace() and not text[at].isspace() for at in starts[1:])


@given(texts)
@settings(max_examples=60, deadline=None)
def test_no_word_crosses_the_border_of_a_sentence(text: str) -> None:
    starts = sentence_starts(text).tolist()
    for start, end in words(text).tolist():
        assert not any(start < border < end for border in starts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Osh’s U.S.-led", ["Osh", "’s", "U.S.", "-", "led"]),
        ("Osh's boss", ["Osh", "'s", "boss"]),
        ("NIGERIA’S SONS", ["NIGERIA", "’S", "SONS"]),
        ("the labourers' pay", ["the", "labourers", "'", "pay"]),
        ("don't stop", ["don't", "stop"]),
        ("O’Brien", ["O’Brien"]),
        ("BBC-run 24.kg", ["BBC", "-", "run", "24.kg"]),
        ("T.me, AT&T", ["T.me", ",", "AT&T"]),
        ("$3,100 (ten).", ["$", "3", ",", "100", "(", "ten", ")", "."]),
        ("e.g. six", ["e.g.", "six"]),
        ("He left.", ["He", "left", "."]),
        ("Größe өлкө мир 中国", ["Größe", "өлкө", "мир", "中国"]),
        ("", []),
        (" \n\t\u2028", []),
    ],
)
def test_words_of(text: str, expected: list[str]) -> None:
    assert split_words(text) == expected


def test_a_run_of_letters_without_end_is_cut() -> None:
    assert [len(word) for word in split_words("x" * 150)] == [64, 64, 22]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Usenov met Prof. Aliev on Sept. 5.",
        "P. Yu. Lomakin and M. Kh. Polonkoev were tried under art. 256.",
        "The court jailed J. K. Aliev.",
        "He lives in St. Petersburg.",
        "The U.S. President spoke.",
        "About approx. 60 men, e.g. Uzbeks, left.",
        "He was\nrecruited in\r\nearly May.",
        "It cost 3.5 million, 24.kg wrote.",
        "“Really?” he asked.",
        "Wait... what?",
        "No end",
        "   ",
        "",
    ],
)
def test_one_sentence(text: str) -> None:
    assert sentence_starts(text).tolist() == [0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He left. She stayed.", ["He left.", "She stayed."]),
        ("He left! Why? No one knows… Perhaps.", ["He left!", "Why?", "No one knows…", "Perhaps."]),
        ("“He left.” She stayed.", ["“He left.”", "She stayed."]),
        ('He said: "I left." "You?"', ['He said: "I left."', '"You?"']),
        ("(He left.) «Кто?» Ош молчит.", ["(He left.)", "«Кто?»", "Ош молчит."]),
        ("It was 2022. 66 men died.", ["It was 2022.", "66 men died."]),
        ("He left [1]. [2] She stayed.", ["He left [1].", "[2] She stayed."]),
        ("A title\nA text", ["A title", "A text"]),
        ("A title\r\nA text", ["A title", "A text"]),
        ("A title\n\na text", ["A title", "a text"]),
        ("A title\r\n\r\na text", ["A title", "a text"]),
        ("one\u2028Two\u2029Three", ["one", "Two", "Three"]),
        ("He\nleft. She\nstayed.", ["He\nleft.", "She\nstayed."]),
    ],
)
def test_sentences_of(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        " " * 1_000_000,
        "." * 1_000_000,
        "\n" * 1_000_000,
        "x" * 1_000_000,
        '"' * 1_000_000,
        "a." * 200_000,
        '."' * 200_000,
        "." + " " * 400_000,
        '."' + '"' * 400_000,
        ". " + '"' * 400_000,
    ],
    ids=lambda text: repr(text[:3]),
)
def test_a_million_characters_take_no_more_than_seconds(text: str) -> None:
    began = time.process_time()
    words(text)
    sentence_starts(text)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("document", GOLD, ids=lambda document: document.id)
def test_gold_mentions_lie_on_words_within_sentences(document: Document) -> None:
    assert document.entities
    starts, ends = (set(column.tolist()) for column in words(document.text).T)
    borders = sentence_starts(document.text).tolist()
    for entity in document.entities:
        assert entity.start in starts, document.surface(entity)
        assert entity.end in ends, document.surface(entity)
        crossed = [at for at in borders if entity.start < at < entity.end]
        assert not crossed, document.surface(entity)


@pytest.mark.parametrize("letter", "ёїөңūčşα")
def test_a_full_stop_before_lower_case_ends_no_sentence(letter: str) -> None:
    assert unicodedata.category(letter) == "Ll"
    assert sentence_starts(f"abc. {letter}bc").tolist() == [0]
