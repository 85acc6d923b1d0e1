"""Documents to tasks and back, and damage of every kind."""

import copy
import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.exports import ExportError
from pressgang.label_studio.problems import ProblemKind as Kind
from pressgang.label_studio.tasks import read_export, read_tasks, to_task
from tests.label_studio.marks import (
    CONFIG,
    TEXT,
    A,
    B,
    P,
    link,
    task,
)


@st.composite
def documents(draw):
    text = draw(st.text(st.sampled_from("Ab 😀\r\n.\u0301\\n"), min_size=3, max_size=30))
    text = text if text.strip() else "Ada" + text
    borders = st.integers(0, len(text))
    entities = {
        Entity(start, end, label)
        for start, end, label in draw(
            st.lists(st.tuples(borders, borders, st.sampled_from(["PER", "LOC"])), max_size=6)
        )
        if start < end and text[start:end] == text[start:end].strip()
    }
    pairs = [(head, tail) for head in sorted(entities) for tail in sorted(entities) if head != tail]
    relations = draw(
        st.sets(st.tuples(st.sampled_from(pairs), st.sampled_from(["r", "s"])), max_size=5)
        if pairs
        else st.just(set())
    )
    name = draw(st.text(min_size=1, max_size=5))
    triples = (Relation(head, tail, label) for (head, tail), label in relations)
    return Document(name, text, tuple(entities), tuple(triples))


@given(documents())
def test_a_task_reads_back_as_the_document_it_was_made_from(document):
    reading = read_tasks([json.loads(json.dumps(to_task(document)))])
    assert reading.documents == (document,)
    assert {p.kind for p in reading.problems} <= {Kind.OVERLAP, Kind.LONE_SURROGATE}


def test_two_labels_of_one_pair_are_one_relation_with_the_lower_score():
    ada, bob = Entity(0, 3, "PER", 0.9), Entity(8, 11, "PER", 0.8)
    relations = (
        Relation(ada, bob, "knows", 0.7),
        Relation(ada, bob, "likes", 0.6),
        Relation(bob, ada, "knows"),
    )
    written = to_task(Document("d", TEXT, (ada, bob), relations), from_name="tags", to_name="story")
    first, second, *links = written["annotations"][0]["result"]
    assert first == {
        "id": "e0",
        "from_name": "tags",
        "to_name": "story",
        "type": "labels",
        "score": 0.9,
        "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]},
    }
    assert second["score"] == 0.8
    assert links == [
        link("e0", "e1", "knows", "likes") | {"score": 0.6},
        link("e1", "e0", "knows"),
    ]


DAMAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40),
    st.floats(),
    st.sampled_from(
        ["", "a", "b", "p", "bi", "left", "labels", "relation", "Ada", "PER", "\ud83d"]
    ),
    st.lists(st.sampled_from(["PER", "", None, 3]), max_size=3),
    st.dictionaries(st.sampled_from(["start", "text", "labels"]), st.integers(0, 5), max_size=2),
)


def places(value):
    """All (container, key) pairs in a JSON value."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def n_marked(result):
    """How many entities and relations a result list marks, by a reading of its own."""
    n_entities = n_relations = 0
    for entry in result:
        if isinstance(entry, list):
            inner = n_marked(entry)
            n_entities, n_relations = n_entities + inner[0], n_relations + inner[1]
        elif isinstance(entry, dict) and (entry.get("type") == "relation" or "from_id" in entry):
            labels = entry.get("labels")
            n_labels = max(1, len(labels)) if isinstance(labels, list) else 1
            n_relations += n_labels * (2 if entry.get("direction") == "bi" else 1)
        else:
            value = entry.get("value") if isinstance(entry, dict) else None
            labels = value.get("labels") if isinstance(value, dict) else None
            n_entities += max(1, len(labels)) if isinstance(labels, list) else 1
    return n_entities, n_relations


@settings(max_examples=300)
@given(st.lists(DAMAGE, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_every_region_and_relation_is_read_or_named_as_lost(damages, chance: random.Random):
    result = copy.deepcopy(
        [A, B, P, link("a", "b", "knows"), link("b", "p", "r", "s", direction="bi"), [A, B]]
    )
    for damage in damages:
        container, key = chance.choice(list(places(result)))
        if isinstance(container, dict) and chance.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(damage)
    reading = read_tasks([task(*result)], config=chance.choice([None, CONFIG]))
    n_entities, n_relations = n_marked(result)
    entities = [e for d in reading.documents for e in d.entities]
    relations = [r for d in reading.documents for r in d.relations]
    assert len(entities) + reading.n_lost_entities == n_entities
    assert len(relations) + reading.n_lost_relations == n_relations


@settings(max_examples=300)
@given(st.lists(DAMAGE, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_damaged_file_raises_nothing_but_export_errors(tmp_path_factory, damages, chance):
    records = copy.deepcopy([task(A, B, link("a", "b", "knows")), task(P, name=2)])
    for damage in damages:
        container, key = chance.choice(list(places(records)) or [(records, 0)])
        container[key] = copy.deepcopy(damage)
    written = json.dumps(records).encode()
    if chance.random() < 0.3:
        written = written[: chance.randrange(len(written))]
    path = tmp_path_factory.mktemp("damage") / "export.json"
    path.write_bytes(written)
    try:
        reading = read_export(path)
    except ExportError:
        return
    assert reading.n_left_out <= len(reading.problems)
