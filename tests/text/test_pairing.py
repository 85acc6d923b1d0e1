from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.schema import Schema
from pressgang.text.pairing import Pairs, allowed, candidates, has_relation, sentence_distance

LABELS = ("AGE", "PERSON", "PLACE")
RELATIONS = ("HAS_AGE", "LIVES_IN")

schemas = st.sets(st.sampled_from(list(product(LABELS, RELATIONS, LABELS)))).map(
    lambda triples: Schema(LABELS, RELATIONS, frozenset(triples))
)
span_lists = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 3), st.integers(0, 2)),
    max_size=10,
).map(sorted)
"""(window, first word, words more than one, label) of spans that may overlap."""


@given(schemas)
@settings(max_examples=40, deadline=None)
def test_the_mask_allows_the_triples_and_nothing_else(schema: Schema) -> None:
    mask = allowed(schema)
    assert mask.shape == (3, 3, 2)
    assert {
        (LABELS[head], RELATIONS[relation], LABELS[tail])
        for head, tail, relation in np.argwhere(mask)
    } == schema.triples


def test_a_schema_without_relations_allows_nothing() -> None:
    assert allowed(Schema(("PERSON",), (), frozenset())).shape == (1, 1, 0)


@given(span_lists, schemas)
@settings(max_examples=60, deadline=None)
def test_candidates_are_the_legal_pairs_of_spans_apart_in_one_window(
    spans: list[tuple[int, int, int, int]], schema: Schema
) -> None:
    row, start, more, label = np.array(spans, dtype=np.int64).reshape(-1, 4).T
    pairs = candidates(row, start, start + more, label, has_relation(allowed(schema)))
    expected = [
        (head, tail)
        for head, (row_h, start_h, more_h, label_h) in enumerate(spans)
        for tail, (row_t, start_t, more_t, label_t) in enumerate(spans)
        if row_h == row_t
        and not set(range(start_h, start_h + more_h + 1))
        & set(range(start_t, start_t + more_t + 1))
        and any((h, t) == (LABELS[label_h], LABELS[label_t]) for h, _, t in schema.triples)
    ]
    assert list(zip(pairs.head.tolist(), pairs.tail.tolist(), strict=True)) == expected


def test_no_spans_have_no_candidates() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert len(candidates(nothing, nothing, nothing, nothing, np.ones((3, 3), dtype=bool))) == 0


@pytest.mark.parametrize(
    ("head", "tail", "distance"), [(0, 0, 0), (2, 3, 1), (3, 1, 2), (0, 4, 4), (90, 2, 4)]
)
def test_sentence_distance_has_no_direction_and_ends_at_four(
    head: int, tail: int, distance: int
) -> None:
    pairs = Pairs(np.array([0]), np.array([1]))
    assert sentence_distance(np.array([head, tail]), pairs).tolist() == [distance]
