"""eval/benchmark: cutting documents into pieces, joining them, tags of words."""

from __future__ import annotations

import itertools
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from pressgang.document import Document, Entity, Relation
from tests.benchmark import BENCHMARK, GOLD

sys.path.append(str(BENCHMARK))

import bio
import pieces


def annotated(text: str, every: int) -> Document:
    """Every so many-th word an entity, each related to the next."""
    offsets = pieces.word_offsets(text)[:: every + 1]
    entities = tuple(Entity(start, end, "X") for start, end in offsets)
    relations = tuple(Relation(a, b, "NEXT") for a, b in itertools.pairwise(entities))
    return Document("d", text, entities, relations)


texts = st.lists(
    st.sampled_from(["Osh", "went", "U.S.", "well-known", ". ", "! ", "\n\n", " ", ", ", "Ünï’s"])
).map(" ".join)


@given(texts, st.integers(1, 12), st.integers(1, 3), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_pieces_hold_every_word_once_and_join_to_what_they_were_cut_from(
    text: str, max_words: int, max_sentences: int, every: int
) -> None:
    document = annotated(text, every)
    parts, losses = pieces.cut(document, max_words=max_words, max_sentences=max_sentences)
    moved = [
        (p.start + start, p.start + end)
        for p in parts
        for start, end in pieces.word_offsets(p.document.text)
    ]
    assert moved == pieces.word_offsets(text)
    assert all(len(pieces.word_offsets(p.document.text)) <= max_words for p in parts)
    joined = pieces.join(document, parts, [p.document for p in parts])
    assert set(joined.entities) <= set(document.entities)
    assert set(joined.relations) <= set(document.relations)
    assert losses.n_cut_entities == len(document.entities) - len(joined.entities)
    assert losses.n_cut_relations == len(document.relations) - len(joined.relations)


def test_a_document_that_fits_is_one_piece_and_loses_nothing() -> None:
    parts, losses = pieces.cut(GOLD, max_words=100)
    assert losses == pieces.Losses(1, 1, 0, 0, 0)
    assert pieces.join(GOLD, parts, [p.document for p in parts]) == GOLD


def test_sentences_keep_their_relations_and_lose_those_between_them() -> None:
    parts, losses = pieces.cut(GOLD, max_words=100, max_sentences=1)
    assert [p.document.text for p in parts] == [
        "Ann met Bob in Osh.",
        "Eve left.",
        "Bob, who was born in Osh, wrote to Ann and to Eve.",
    ]
    assert losses == pieces.Losses(1, 3, 0, 0, 1)
    joined = pieces.join(GOLD, parts, [p.document for p in parts])
    assert {r.label for r in joined.relations} == {"MET", "BORN_IN"}


def test_a_sentence_that_is_too_long_is_cut_between_words_and_counted() -> None:
    parts, losses = pieces.cut(GOLD, max_words=4)
    assert losses.n_cuts == 4  # 6 and 14 words
    assert parts[0].document.text == "Ann met Bob in"
    assert losses.n_cut_relations == 2


def test_predictions_for_another_text_are_refused() -> None:
    parts, _ = pieces.cut(GOLD, max_words=100)
    with pytest.raises(ValueError, match="another text"):
        pieces.join(GOLD, parts, [Document("one#0", "Ann")])


def test_an_entity_inside_a_word_is_refused() -> None:
    document = Document("d", "Annabel", (Entity(0, 3, "PERSON"),))
    with pytest.raises(ValueError, match="inside a word"):
        pieces.word_spans(document, pieces.word_offsets(document.text))


def test_pieces_longer_than_the_room_are_counted() -> None:
    parts, _ = pieces.cut_all([GOLD], max_words=100, max_sentences=1)
    assert pieces.n_longer(parts, len, 5) == 2  # a full stop is a word


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=12))
@settings(deadline=None)
def test_tags_are_read_as_seqeval_reads_them(tags: list[str]) -> None:
    spans = bio.to_spans(tags)
    assert [(label, start, end - 1) for start, end, label in spans] == get_entities(tags)
    assert bio.to_spans(bio.to_tags(spans, len(tags))) == spans


def test_overlapping_spans_have_no_tags() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        bio.to_tags([(0, 2, "X"), (1, 3, "Y")], 3)
