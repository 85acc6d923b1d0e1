from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pressgang.bulk.least_scores import LeastScores
from pressgang.document import Document, Entity, Relation
from tests.test_document import documents

PERSON, PLACE, GOLD = Entity(0, 5, "A", 0.9), Entity(6, 9, "B", 0.5), Entity(10, 12, "A")
DOCUMENT = Document(
    "x",
    "Askar Osh Us",
    (PERSON, PLACE, GOLD),
    (
        Relation(PERSON, PLACE, "R", 0.8),
        Relation(PERSON, GOLD, "R", 0.3),
        Relation(GOLD, PERSON, "R"),
    ),
)


def test_a_relation_falls_with_its_entity_or_alone() -> None:
    without_place = LeastScores(entity=0.6).apply(DOCUMENT)
    assert without_place.entities == (PERSON, GOLD)
    assert [r.tail for r in without_place.relations] == [GOLD, PERSON]
    likely = LeastScores(relation=0.4).apply(DOCUMENT)
    assert likely.entities == DOCUMENT.entities
    assert [(r.head, r.tail) for r in likely.relations] == [(PERSON, PLACE), (GOLD, PERSON)]


def test_a_score_that_is_the_least_is_enough() -> None:
    assert LeastScores(0.5, 0.3).apply(DOCUMENT) == DOCUMENT


@given(documents(), st.floats(0, 1), st.floats(0, 1))
def test_what_is_kept_is_what_was_there(document: Document, entity: float, relation: float) -> None:
    kept = LeastScores(entity, relation).apply(document)
    assert set(kept.entities) <= set(document.entities)
    assert set(kept.relations) <= set(document.relations)
    assert LeastScores().apply(document) == document


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_least_score_is_a_probability(least: float) -> None:
    with pytest.raises(ValueError, match=r"least score of a relation is .*, expected 0 to 1"):
        LeastScores(relation=least)
