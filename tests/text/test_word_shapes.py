"""Classes of words, against the rule written for one word."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.text.word_shapes import word_classes


def class_of(word: str) -> int:
    if not any(character.isalnum() for character in word):
        return 0
    if any(character.isdigit() for character in word):
        return 2 if any(character.isalpha() for character in word) else 1
    if word.islower():
        return 3
    if word.isupper():
        return 4 if len(word) > 1 else 5
    return 6 if word[0].isupper() and word[1:].islower() else 7


def classes_of(words: list[str]) -> list[int]:
    ends = np.cumsum([len(word) for word in words])
    starts = ends - [len(word) for word in words]
    return word_classes("".join(words), np.stack([starts, ends], axis=1)).tolist()


@pytest.mark.parametrize(
    ("word", "number"),
    [
        *((",", 0), ("66", 1), ("7th", 2), ("osh", 3), ("BBC", 4), ("U.S.", 4), ("A", 5)),
        *(("Osh", 6), ("McCain", 7), ("нет", 3), ("Ош", 6), ("俄", 7), ("½", 7), ("_", 0)),
    ],
)
def test_each_class_has_its_words(word: str, number: int) -> None:
    assert classes_of([word]) == [class_of(word)] == [number]


@given(st.lists(st.text(st.characters(), min_size=1, max_size=5), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_words_together_have_the_classes_that_each_has(words: list[str]) -> None:
    assert classes_of(words) == [class_of(word) for word in words]


def test_every_character_there_is_has_the_class_of_its_own_rule() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    assert classes_of(characters) == [class_of(character) for character in characters]


def test_blanks_between_words_and_around_them_have_no_part() -> None:
    text = "X  osh X"
    assert word_classes(text, np.array([[3, 6], [7, 8]])).tolist() == [3, 5]
