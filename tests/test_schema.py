import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation
from pressgang.schema import Schema
from tests.test_document import documents

NAMED = {
    "entity_labels": ("PERSON", "PLACE"),
    "relation_labels": ("LIVES_IN",),
    "triples": frozenset({("PERSON", "LIVES_IN", "PLACE")}),
    "colors": {"PLACE": "#00ff00"},
}


def test_labels_and_triples_come_from_the_documents_in_alphabetical_order() -> None:
    zoe, osh, boss = Entity(0, 3, "PERSON"), Entity(4, 7, "PLACE"), Entity(8, 9, "AGE")
    document = Document(
        "a",
        "Zoe Osh 9",
        (zoe, osh, boss),
        (Relation(zoe, osh, "LIVES_IN"), Relation(zoe, boss, "HAS_AGE")),
    )
    schema = Schema.from_documents([document, Document("b", "")], colors={"AGE": "red", "X": "tan"})
    assert schema.entity_labels == ("AGE", "PERSON", "PLACE")
    assert schema.relation_labels == ("HAS_AGE", "LIVES_IN")
    assert schema.triples == {("PERSON", "LIVES_IN", "PLACE"), ("PERSON", "HAS_AGE", "AGE")}
    assert schema.colors == {"AGE": "red"}


def test_no_documents_have_an_empty_schema() -> None:
    assert Schema.from_documents([]) == Schema((), (), frozenset())


@given(st.lists(documents(), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_documents_does_not_matter(found: list[Document], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    schema = Schema.from_documents(found)
    assert Schema.from_documents(shuffled) == schema
    assert list(schema.entity_labels) == sorted({e.label for d in found for e in d.entities})
    assert list(schema.relation_labels) == sorted({r.label for d in found for r in d.relations})


@given(st.lists(documents(), max_size=3))
@settings(max_examples=30, deadline=None)
def test_a_schema_survives_json(found: list[Document]) -> None:
    schema = Schema.from_documents(found, colors={"PLACE": "#00ff00"})
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entity_labels": ("PERSON", "PLACE", "PERSON")}, "a label occurs twice: PERSON, PLACE"),
        ({"relation_labels": ("LIVES_IN", "LIVES_IN")}, "a label occurs twice: LIVES_IN"),
        ({"triples": frozenset({("MAN", "LIVES_IN", "PLACE")})}, "MAN, LIVES_IN, PLACE"),
        ({"triples": frozenset({("PERSON", "LIVES_IN", "LAKE")})}, "LIVES_IN, LAKE"),
        ({"triples": frozenset({("PERSON", "OWNS", "PLACE")})}, "OWNS"),
        ({"colors": {"LAKE": "blue"}}, "colours for unknown labels: LAKE"),
    ],
)
def test_a_label_unknown_or_twice_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schema(**(NAMED | changes))
