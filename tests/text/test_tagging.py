import functools
import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.scheme import IOB2
from seqeval.scheme import Entities as SeqevalEntities

from pressgang.document import Entity
from pressgang.schema import Schema
from pressgang.text.encoding import EncodedText
from pressgang.text.tagging import Spans, decode, entity_of, log_softmax, spans_of, tags_of
from tests import bio
from tests.text.test_windows import encoded_of

LABELS = ("PERSON", "PLACE")
SCHEMA = Schema(LABELS, (), frozenset())
N_TAGS = 5

seeds = st.integers(0, 2**32 - 1)


@functools.cache
def legal_sequences(n_words: int) -> np.ndarray:
    """All tag sequences `[n, n_words]` in which I-x stands only after B-x or I-x."""
    sequences = [
        tags
        for tags in itertools.product(range(N_TAGS), repeat=n_words)
        if all(
            tag == 0 or tag % 2 == 1 or before in (tag - 1, tag)
            for before, tag in itertools.pairwise((0, *tags))
        )
    ]
    return np.array(sequences)


def random_scores(n_words: int, seed: int, *, n_tags: int = N_TAGS) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).normal(size=(n_words, n_tags)) * 2)


def rows(spans: Spans) -> list[tuple[int, int, int]]:
    return list(zip(spans.start.tolist(), spans.end.tolist(), spans.label.tolist(), strict=True))


def of_rows(found: list[tuple[int, int, int]]) -> Spans:
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    return Spans(table[:, 0], table[:, 1], table[:, 2], np.ones(len(table)))


@st.composite
def flat_spans(draw: st.DrawFn) -> tuple[list[tuple[int, int, int]], int]:
    """Spans in order that share no word, and the number of words."""
    found, at = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 1)), max_size=8)
    ):
        found.append((at + gap, at + gap + length - 1, label))
        at += gap + length
    return found, at + draw(st.integers(0, 2))


def one_sentence(n_words: int) -> np.ndarray:
    return np.zeros(n_words, dtype=np.int64)


def certain(tags: np.ndarray) -> np.ndarray:
    """Log probabilities that leave no doubt of the tags."""
    return log_softmax(9.0 * np.eye(N_TAGS)[tags])


@given(st.integers(1, 5), seeds)
@settings(max_examples=60, deadline=None)
def test_decode_finds_the_best_of_all_legal_sequences(n_words: int, seed: int) -> None:
    scores = random_scores(n_words, seed)
    sequences = legal_sequences(n_words)
    best = sequences[scores[np.arange(n_words), sequences].sum(axis=1).argmax()]
    spans = decode(scores, one_sentence(n_words))
    assert tags_of(spans, one_sentence(n_words))[0].tolist() == best.tolist()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), seeds)
@settings(max_examples=40, deadline=None)
def test_sentences_together_are_decoded_as_one_by_one(lengths: list[int], seed: int) -> None:
    check_together_as_one_by_one(lengths, seed)


def test_hundreds_of_sentences_together_are_decoded_as_one_by_one() -> None:
    lengths = np.random.default_rng(5).integers(1, 40, size=300).tolist()
    check_together_as_one_by_one([*lengths, 900], 5)


def check_together_as_one_by_one(lengths: list[int], seed: int) -> None:
    scores = random_scores(sum(lengths), seed)
    sentences = np.repeat(np.arange(len(lengths)) * 2 + 3, lengths)
    together = decode(scores, sentences)
    alone = Spans.none()
    for start, length in zip(np.cumsum([0, *lengths]), lengths, strict=False):
        found = decode(scores[start : start + length], np.zeros(length, dtype=np.int64))
        alone = alone.joined(found.moved(int(start)))
    assert rows(together) == rows(alone)
    np.testing.assert_allclose(together.score, alone.score)


def test_no_span_crosses_the_border_of_a_sentence() -> None:
    scores = certain(np.array([1, 2, 2, 2]))
    assert rows(decode(scores, np.array([0, 0, 1, 1]))) == [(0, 1, 0), (2, 3, 0)]


def test_no_words_have_no_spans() -> None:
    assert len(decode(np.zeros((0, N_TAGS)), np.zeros(0, dtype=np.int64))) == 0


def test_without_labels_there_are_no_spans() -> None:
    assert len(decode(np.zeros((3, 1)), np.zeros(3, dtype=np.int64))) == 0


@given(st.integers(1, 12), seeds)
@settings(max_examples=40, deadline=None)
def test_a_score_is_the_product_of_the_probabilities_of_the_tags(n_words: int, seed: int) -> None:
    scores = random_scores(n_words, seed)
    spans = decode(scores, np.zeros(n_words, dtype=np.int64))
    tags, _ = tags_of(spans, one_sentence(n_words))
    for index, (start, end, _) in enumerate(rows(spans)):
        probabilities = [np.exp(scores[word, tags[word]]) for word in range(start, end + 1)]
        assert spans.score[index] == pytest.approx(np.prod(probabilities))
        assert 0 <= spans.score[index] <= 1


def test_scores_stay_probabilities_where_logits_are_huge() -> None:
    logits = np.zeros((6, N_TAGS))
    logits[:, 1] = 1e4
    spans = decode(log_softmax(logits), np.zeros(6, dtype=np.int64))
    assert spans.score.tolist() == [1.0] * 6


@given(flat_spans())
@settings(max_examples=60, deadline=None)
def test_decode_finds_the_spans_that_tags_of_wrote(
    written: tuple[list[tuple[int, int, int]], int],
) -> None:
    found, n_words = written
    tags, is_tagged = tags_of(of_rows(found), one_sentence(n_words))
    assert is_tagged.all()
    assert rows(decode(certain(tags), np.zeros(n_words, dtype=np.int64))) == found


def test_adjacent_entities_of_one_label_stay_apart() -> None:
    tags, is_tagged = tags_of(of_rows([(0, 1, 1), (2, 2, 1), (3, 4, 1)]), one_sentence(5))
    assert (tags.tolist(), is_tagged.tolist()) == ([3, 4, 3, 3, 4], [True] * 3)
    spans = decode(certain(tags), np.zeros(5, dtype=np.int64))
    assert rows(spans) == [(0, 1, 1), (2, 2, 1), (3, 4, 1)]


def test_of_overlapping_spans_the_longest_is_tagged_and_the_others_are_counted() -> None:
    tags, is_tagged = tags_of(
        of_rows([(0, 1, 0), (1, 3, 1), (3, 3, 0), (4, 4, 0)]), one_sentence(5)
    )
    assert tags.tolist() == [0, 3, 4, 4, 1]
    assert is_tagged.tolist() == [False, True, False, True]


def test_a_span_across_sentences_is_not_tagged() -> None:
    tags, is_tagged = tags_of(of_rows([(0, 1, 0), (2, 2, 1)]), np.array([0, 1, 1]))
    assert (tags.tolist(), is_tagged.tolist()) == ([0, 0, 3], [False, True])


def test_of_equally_long_overlapping_spans_the_earlier_is_tagged() -> None:
    tags, is_tagged = tags_of(of_rows([(1, 2, 1), (0, 1, 0)]), one_sentence(3))
    assert (tags.tolist(), is_tagged.tolist()) == ([1, 2, 0], [False, True])


spans_of_words = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 1)).filter(
        lambda s: s[0] <= s[1]
    ),
    unique=True,
    max_size=6,
)


@given(spans_of_words)
@settings(max_examples=60, deadline=None)
def test_every_span_is_tagged_or_counted(found: list[tuple[int, int, int]]) -> None:
    tags, is_tagged = tags_of(of_rows(found), one_sentence(6))
    kept = rows(decode(certain(tags), np.zeros(6, dtype=np.int64)))
    assert set(kept) <= set(found)
    assert len(kept) == is_tagged.sum()
    for start, end, _ in set(found) - set(kept):
        assert any(a <= end and start <= b and b - a >= end - start for a, b, _ in kept), (
            "a span gives way only to one at least as long"
        )


@given(flat_spans())
@settings(max_examples=40, deadline=None)
def test_tags_are_those_of_bio(written: tuple[list[tuple[int, int, int]], int]) -> None:
    found, n_words = written
    encoded = words_apart(n_words)
    entities = [
        Entity(int(encoded.words[start, 0]), int(encoded.words[end, 1]), LABELS[label])
        for start, end, label in found
    ]
    spans, kept = spans_of(entities, encoded, SCHEMA)
    names = bio.tag_names(LABELS)
    assert kept == entities
    assert [names[tag] for tag in tags_of(spans, one_sentence(n_words))[0]] == bio.encode(
        entities, encoded.words
    )


@given(st.integers(1, 12), seeds)
@settings(max_examples=40, deadline=None)
def test_decoded_spans_are_those_that_seqeval_and_bio_read_from_the_tags(
    n_words: int, seed: int
) -> None:
    spans = decode(random_scores(n_words, seed), np.zeros(n_words, dtype=np.int64))
    tags = [bio.tag_names(LABELS)[tag] for tag in tags_of(spans, one_sentence(n_words))[0]]
    strict = SeqevalEntities([tags], IOB2).entities[0]
    assert [(e.start, e.end - 1, LABELS.index(e.tag)) for e in strict] == rows(spans)
    encoded = words_apart(n_words)
    assert bio.decode(tags, encoded.words) == [
        entity_of(spans, index, encoded, SCHEMA) for index in range(len(spans))
    ]


def words_apart(n_words: int) -> EncodedText:
    """Words of one letter with a blank between them, all in one sentence."""
    return encoded_of([[1] * n_words])


def test_entities_off_the_words_or_of_unknown_labels_have_no_span() -> None:
    encoded = EncodedText(np.array([[0, 3], [4, 8]]), *(np.arange(2) for _ in range(5)))
    entities = [
        Entity(0, 8, "PERSON", 0.5),
        Entity(1, 3, "PERSON"),
        Entity(4, 7, "PLACE"),
        Entity(3, 8, "PLACE"),
        Entity(4, 8, "SHIP"),
        Entity(4, 8, "PLACE"),
    ]
    spans, kept = spans_of(entities, encoded, SCHEMA)
    assert kept == [entities[0], entities[5]]
    assert rows(spans) == [(0, 1, 0), (1, 1, 1)]
    assert spans.score.tolist() == [0.5, 1.0]


def test_no_entities_have_no_spans() -> None:
    spans, kept = spans_of([], words_apart(3), SCHEMA)
    assert (len(spans), kept) == (0, [])


@given(flat_spans())
@settings(max_examples=40, deadline=None)
def test_entity_of_gives_back_what_spans_of_read(
    written: tuple[list[tuple[int, int, int]], int],
) -> None:
    found, n_words = written
    encoded = words_apart(n_words)
    spans = of_rows(found)
    entities = [entity_of(spans, index, encoded, SCHEMA) for index in range(len(spans))]
    again, kept = spans_of(entities, encoded, SCHEMA)
    assert rows(again) == found
    assert kept == entities


def peak_memory(lengths: list[int]) -> int:
    scores = random_scores(sum(lengths), 0)
    sentences = np.repeat(np.arange(len(lengths)), lengths)
    tracemalloc.start()
    decode(scores, sentences)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_one_long_sentence_among_short_ones_costs_no_more_memory_than_alone() -> None:
    assert peak_memory([1] * 100 + [2000]) < 5 * peak_memory([2000])
