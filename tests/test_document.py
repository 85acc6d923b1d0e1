from contextlib import suppress
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation

ASKAR = Entity(0, 5, "PERSON")
OSH = Entity(10, 13, "PLACE")
TEXT = "Askar ran Osh."
DOCUMENT = Document("news-1", TEXT, (ASKAR, OSH), (Relation(ASKAR, OSH, "LIVES_IN"),))

any_text = st.text(st.characters() | st.sampled_from("\ud83d\ude00\udfff\u2028\r\n\x00\u0301"))
"""Any code points, lone surrogates among them."""
labels = st.sampled_from(["PERSON", "PLACE", "Größe", "\ud800"])
scores = st.none() | st.floats(0, 1)


@st.composite
def documents(draw: st.DrawFn, texts: st.SearchStrategy[str] = any_text) -> Document:
    """Valid documents with overlapping entities and any relations between them."""
    text = draw(texts)
    entities: list[Entity] = []
    if text:
        entity = st.integers(0, len(text) - 1).flatmap(
            lambda start: st.builds(
                Entity, st.just(start), st.integers(start + 1, len(text)), labels, scores
            )
        )
        entities = draw(st.lists(entity, unique=True, max_size=5))
    relations: list[Relation] = []
    if len(entities) > 1:
        relation = st.builds(
            lambda pair, label, score: Relation(*pair, label, score),
            st.sampled_from(list(permutations(entities, 2))),
            labels,
            scores,
        )
        relations = draw(st.lists(relation, unique=True, max_size=4))
    return Document(draw(any_text), text, tuple(entities), tuple(relations))


def record(**changes: Any) -> dict[str, Any]:
    """What DOCUMENT is as JSON, with some fields changed."""
    return DOCUMENT.to_dict() | changes


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 2), (-1, 2), (-3, -1)])
def test_an_empty_reversed_or_negative_entity_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match=rf"entity \[{start}, {end}\) is empty"):
        Entity(start, end, "PERSON")


@pytest.mark.parametrize("label", ["", None, 3])
def test_a_label_is_a_non_empty_string(label: Any) -> None:
    with pytest.raises(ValueError, match="not a non-empty string"):
        Entity(0, 1, label)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_score_is_a_probability(score: float) -> None:
    with pytest.raises(ValueError, match="not a probability"):
        Relation(ASKAR, OSH, "LIVES_IN", score)


def test_a_relation_of_an_entity_to_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="the same entity"):
        Relation(ASKAR, Entity(0, 5, "PERSON", 0.5), "ALIAS")


@pytest.mark.parametrize(
    ("entities", "relations", "message"),
    [
        ((Entity(10, 15, "PLACE"),), (), r"\[10, 15\) lies outside the text of 14 characters"),
        ((ASKAR, Entity(0, 5, "PERSON", 0.5)), (), "an entity occurs twice"),
        ((ASKAR, OSH), (Relation(ASKAR, OSH, "R"), Relation(ASKAR, OSH, "R")), "relation occurs"),
        ((ASKAR,), (Relation(ASKAR, OSH, "R"),), "not among the entities"),
    ],
)
def test_what_is_wrong_with_a_document_is_said_with_its_name(
    entities: tuple[Entity, ...], relations: tuple[Relation, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=f"document 'news-1': .*{message}"):
        Document("news-1", TEXT, entities, relations)


def test_entities_may_overlap_and_share_a_span() -> None:
    entities = (Entity(0, 5, "PERSON"), Entity(0, 5, "ROLE"), Entity(3, 9, "PERSON"))
    assert Document("news-1", TEXT, entities).entities == entities


@given(documents(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_equality_ignores_order_and_score(document: Document, random: Any) -> None:
    entities = [Entity(e.start, e.end, e.label) for e in document.entities]
    relations = [Relation(r.head, r.tail, r.label, 0.25) for r in document.relations]
    random.shuffle(entities)
    random.shuffle(relations)
    other = Document(document.id, document.text, tuple(entities), tuple(relations))
    assert other == document
    assert hash(other) == hash(document)


@given(documents())
@settings(max_examples=60, deadline=None)
def test_from_dict_reads_what_to_dict_wrote(document: Document) -> None:
    read = Document.from_dict(document.to_dict())
    assert read == document
    for mine, other in zip(read.entities, document.entities, strict=True):
        assert mine.score == (None if other.score is None else round(other.score, 4))
        assert read.surface(mine) == document.surface(other)


def test_offsets_count_code_points() -> None:
    document = Document("emoji", "👩‍🚀 in Osh", (Entity(7, 10, "PLACE"),))
    assert document.to_dict()["entities"] == [
        {"start": 7, "end": 10, "label": "PLACE", "text": "Osh"}
    ]


def test_a_record_without_entities_is_a_document_without_entities() -> None:
    assert Document.from_dict({"id": "a", "text": "b"}) == Document("a", "b")


def test_an_entity_whose_text_is_not_at_its_offsets_is_refused() -> None:
    entities = [{"start": 10, "end": 13, "label": "PLACE", "text": "Oslo"}]
    with pytest.raises(ValueError, match=r"entity \[10, 13\) is 'Osh' in the text, not 'Oslo'"):
        Document.from_dict(record(entities=entities, relations=[]))


@pytest.mark.parametrize("position", [-1, 2])
def test_a_relation_names_its_arguments_by_their_position(position: int) -> None:
    relations = [{"head": position, "tail": 0, "label": "R"}]
    with pytest.raises(ValueError, match=f"a relation names entity {position}, but there are 2"):
        Document.from_dict(record(relations=relations))


@pytest.mark.parametrize("field", ["start", "end", "label"])
def test_a_missing_field_is_named(field: str) -> None:
    entity = {"start": 0, "end": 5, "label": "PERSON"}
    del entity[field]
    with pytest.raises(ValueError, match=f"document 'news-1': the field '{field}' is missing"):
        Document.from_dict(record(entities=[entity], relations=[]))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 3},
        {"id": None},
        {"text": None},
        {"text": ["Askar"]},
        {"entities": None},
        {"entities": 3},
        {"entities": ["PERSON"]},
        {"entities": [[0, 5, "PERSON"]]},
        {"entities": [{"start": "0", "end": 5, "label": "PERSON"}]},
        {"entities": [{"start": 0, "end": 5.0, "label": "PERSON"}]},
        {"entities": [{"start": None, "end": 5, "label": "PERSON"}]},
        {"entities": [{"start": 0, "end": 5, "label": ["PERSON"]}]},
        {"entities": [{"start": 0, "end": 5, "label": "PERSON", "score": "high"}]},
        {"relations": [{"head": "0", "tail": 1, "label": "R"}]},
        {"relations": [{"head": 0.0, "tail": 1, "label": "R"}]},
        {"relations": [3]},
    ],
)
def test_a_value_of_the_wrong_type_is_a_value_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any message will do
        Document.from_dict(record(relations=[]) | changes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 20) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(
    st.sampled_from(["id", "text", "entities", "relations"]),
    json_values,
    st.sampled_from([None, "start", "end", "label", "score", "text", "head", "tail"]),
)
@settings(max_examples=60, deadline=None)
def test_a_damaged_record_gives_a_document_or_a_value_error(
    field: str, value: Any, inner: str | None
) -> None:
    damaged = record()
    if inner is None or field in ("id", "text"):
        damaged[field] = value
    else:
        damaged[field][0][inner] = value
    with suppress(ValueError):
        assert Document.from_dict(damaged).id == "news-1" or field == "id"


def test_a_huge_whole_number_as_score_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not a probability"):
        Entity(0, 1, "PERSON", 10**400)


@pytest.mark.parametrize(
    "changes",
    [
        {"entities": [{"start": 4, "end": 2, "label": "PERSON"}]},
        {"entities": [{"start": 0, "end": 5, "label": ""}]},
        {"entities": [{"start": 0, "end": 5, "label": "PERSON", "text": "Aidar"}]},
        {"relations": [{"head": 0, "tail": 0, "label": "R"}]},
        {"relations": [{"head": -1, "tail": 0, "label": "R"}]},
        {"text": None},
    ],
)
def test_what_is_wrong_with_a_record_is_said_with_its_name(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="news-1"):
        Document.from_dict(record(relations=[]) | changes)


@pytest.mark.parametrize("field", ["entities", "relations"])
@pytest.mark.parametrize("value", ["", {}])
def test_entities_and_relations_are_lists(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="wrong type"):
        Document.from_dict({"id": "a", "text": "b", field: value})
