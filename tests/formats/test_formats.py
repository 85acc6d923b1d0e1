"""Each format is read back with a reader of its own world and compared with the Documents."""

from __future__ import annotations

import builtins
import csv
import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import conllu
import networkx
import pyarrow.parquet
import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from spacy.tokens import DocBin

from pressgang.bulk.writers import Form, writer_for
from pressgang.corpus import read_documents
from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.tasks import read_tasks
from pressgang.schema import Schema
from tests.test_document import documents

SCHEMA = Schema(("PERSON", "PLACE"), ("JAILED_IN", "KNOWS"), frozenset())

ASKAR, OSH = Entity(2, 7, "PERSON", 0.98765), Entity(24, 27, "PLACE", 0.5)
ODD = Document(
    'a "quoted", id\n& <so> on|%',
    '😀 Askar\r\nwas  jailed\tin Osh; "so", he said.\x00\n\nThen\ud800 = nothing\u2028.',
    (ASKAR, OSH),
    (
        Relation(ASKAR, OSH, "JAILED_IN", 0.75),
        Relation(ASKAR, OSH, "KNOWS", 0.25),
        Relation(OSH, ASKAR, "KNOWS", 1.0),
    ),
)
assert ODD.surface(ASKAR) == "Askar"
assert ODD.surface(OSH) == "Osh"
SAMPLES = [ODD, Document("empty", ""), Document("plain", "Nothing. Nobody was here.")]


def records(found: Sequence[Document]) -> list[dict[str, Any]]:
    return [document.to_dict() for document in found]


def document_of(
    name: str, text: str, entities: Sequence[Entity], relations: Sequence[tuple[Any, ...]]
) -> Document:
    """A Document whose relations are (head position, tail position, label, score)."""
    return Document(
        name,
        text,
        tuple(entities),
        tuple(Relation(entities[h], entities[t], label, score) for h, t, label, score in relations),
    )


def read_lines(paths: Sequence[Path], _: Sequence[Document]) -> Iterator[Document]:
    yield from read_documents(paths[0])


def read_csv(paths: Sequence[Path], written: Sequence[Document]) -> Iterator[Document]:
    """The tables hold no texts: those, and the ids, are taken from what was written."""
    tables = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            tables.append(list(csv.DictReader(file, strict=True)))

    def score(row: dict[str, str]) -> float | None:
        return float(row["score"]) if row["score"] else None

    for document in written:
        rows = [row for row in tables[0] if row["document"] == document.id]
        assert [int(row["entity"]) for row in rows] == list(range(len(rows)))
        entities = [Entity(int(r["start"]), int(r["end"]), r["label"], score(r)) for r in rows]
        assert [row["text"] for row in rows] == [document.surface(e) for e in entities]
        related = []
        for row in tables[1]:
            if row["document"] != document.id:
                continue
            for end in ("head", "tail"):
                entity = entities[int(row[end])]
                cells = (row[f"{end}_start"], row[f"{end}_end"], row[f"{end}_label"])
                assert cells == (str(entity.start), str(entity.end), entity.label)
                assert row[f"{end}_text"] == document.surface(entity)
            related.append((int(row["head"]), int(row["tail"]), row["label"], score(row)))
        yield document_of(document.id, document.text, entities, related)


def read_parquet(paths: Sequence[Path], _: Sequence[Document]) -> Iterator[Document]:
    for record in pyarrow.parquet.read_table(paths[0]).to_pylist():
        yield Document.from_dict(record)


def read_docbin(paths: Sequence[Path], _: Sequence[Document]) -> Iterator[Document]:
    for doc in DocBin().from_disk(paths[0]).get_docs(spacy.blank("xx").vocab):
        kept = doc.user_data["pressgang"]
        spans = list(doc.spans["entities"]) if "entities" in doc.spans else []
        entities = [
            Entity(span.start_char, span.end_char, span.label_, entity.get("score"))
            for span, entity in zip(spans, kept["entities"], strict=True)
        ]
        if not any(a.overlaps(b) for a in entities for b in entities if a is not b):
            assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == [
                (e.start, e.end, e.label) for e in entities
            ]
        related = [(r["head"], r["tail"], r["label"], r.get("score")) for r in kept["relations"]]
        yield document_of(kept["id"], doc.text, entities, related)


def read_conll(paths: Sequence[Path], written: Sequence[Document]) -> Iterator[Document]:
    """Neither texts nor scores are in it: those are taken from what was written."""
    with paths[0].open(encoding="utf-8", newline="\n") as file:
        sentences = list(conllu.parse_incr(file))
    groups: list[list[Any]] = []
    for sentence in sentences:
        if {"newdoc", "newdoc id"} & set(sentence.metadata):
            groups.append([])
            expected = written[len(groups) - 1]
            assert unquote(sentence.metadata.get("newdoc id", "")) == expected.id
        assert [token["id"] for token in sentence] == list(range(1, len(sentence) + 1))
        if len(sentence):
            groups[-1] += sentence
    assert len(groups) == len(written)
    for document, tokens in zip(written, groups, strict=True):
        entities: list[Entity] = []
        related: list[tuple[Any, ...]] = []
        for token in tokens:
            start, end = int(token["start"]), int(token["end"])
            assert token["form"] == document.text[start:end]
            kind, _, label = token["ner"].partition("-")
            if kind == "O":
                continue
            at = int(token["entity"])
            if kind == "B":
                assert at == len(entities)
                entities.append(Entity(start, end, unquote(label), document.entities[at].score))
            else:
                assert entities[at].label == unquote(label)
                entities[at] = dataclasses.replace(entities[at], end=end)
            for item in token["relations"].split("|") if token["relations"] != "_" else ():
                tail, _, name = item.partition(":")
                related.append((at, int(tail), unquote(name)))
        scores = {(r.head, r.tail, r.label): r.score for r in document.relations}
        rows = [(h, t, n, scores[entities[h], entities[t], n]) for h, t, n in related]
        yield document_of(document.id, document.text, entities, rows)


def read_graphml(paths: Sequence[Path], written: Sequence[Document]) -> Iterator[Document]:
    """A document without entities is not in the graph; nor are texts."""
    graph = networkx.read_graphml(paths[0], force_multigraph=True)
    assert graph.is_directed()
    for document in written:
        nodes = {n: v for n, v in graph.nodes(data=True) if v.get("document", "") == document.id}
        place = {node: int(node.rpartition(":")[2]) for node in nodes}
        values = [nodes[node] for node in sorted(nodes, key=place.__getitem__)]
        entities = [Entity(v["start"], v["end"], v["label"], v.get("score")) for v in values]
        assert [v["text"] for v in values] == [document.surface(e) for e in entities]
        related = [
            (place[head], place[tail], v["label"], v.get("score"))
            for head, tail, v in graph.edges(data=True)
            if head in nodes
        ]
        yield document_of(document.id, document.text, entities, related)


def read_label_studio(paths: Sequence[Path], written: Sequence[Document]) -> Iterator[Document]:
    """Predictions are read as annotations would be; the reader of those reads no scores."""
    tasks = json.loads(paths[0].read_text(encoding="utf-8"))
    for task in tasks:
        (prediction,) = task.pop("predictions")
        assert prediction["model_version"] == "tiny-1"
        task["annotations"] = [prediction]
    reading = read_tasks(tasks)
    found = {d.text: d for d in reading.documents}
    for document in written:
        if not document.text:  # Label Studio has nothing to show, and its reader says so
            yield document
            continue
        again = found[document.text]
        relations = {(r.head, r.tail, r.label) for r in again.relations}
        assert relations == {(r.head, r.tail, r.label) for r in document.relations}
        assert again.entities == document.entities
        yield document


Reader = Callable[[Sequence[Path], Sequence[Document]], Iterator[Document]]
READERS: dict[Form, Reader] = {
    Form.JSONL: read_lines,
    Form.CSV: read_csv,
    Form.PARQUET: read_parquet,
    Form.SPACY: read_docbin,
    Form.CONLL: read_conll,
    Form.GRAPHML: read_graphml,
    Form.LABEL_STUDIO: read_label_studio,
}


def assert_comes_back(form: Form, given: Sequence[Document]) -> None:
    writer = writer_for(form, SCHEMA, model_version="tiny-1")
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name.format(0)) for name in writer.names]
        expected = list(writer.fitted(given))
        writer.write(paths, expected)
        assert records(list(READERS[form](paths, expected))) == records(expected)


@pytest.mark.parametrize("form", READERS)
def test_what_is_written_is_read_back(form: Form) -> None:
    assert_comes_back(form, SAMPLES)


@pytest.mark.parametrize("form", READERS)
def test_no_document_is_a_file_too(form: Form) -> None:
    assert_comes_back(form, [])


def flat(document: Document) -> Document:
    """The document without the entities that CoNLL has no way to write, and their relations."""
    kept: list[Entity] = []
    for entity in document.entities:
        surface = document.surface(entity)
        if surface == surface.strip() and not (kept and kept[-1].overlaps(entity)):
            kept.append(entity)
    relations = tuple(r for r in document.relations if {r.head, r.tail} <= set(kept))
    return Document(document.id, document.text, tuple(kept), relations)


@pytest.mark.parametrize(
    "form", [form for form in READERS if form not in (Form.CONLL, Form.LABEL_STUDIO)]
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents())
def test_any_document_is_read_back(form: Form, document: Document) -> None:
    assert_comes_back(form, [document])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents())
def test_any_document_without_overlaps_is_read_back_from_conll(document: Document) -> None:
    assert_comes_back(Form.CONLL, [flat(document)])


def test_conll_refuses_what_it_cannot_hold() -> None:
    overlapping = Document("x", "Askar Usenov", (Entity(0, 5, "A"), Entity(0, 12, "B")))
    blank = Document("x", "Askar Usenov", (Entity(0, 6, "A"),))
    write = writer_for(Form.CONLL, SCHEMA).pieces
    assert write is not None
    with pytest.raises(ValueError, match=r"document 'x': entity \[0, 12\) overlaps another"):
        list(write([overlapping]))
    with pytest.raises(ValueError, match=r"entity \[0, 6\) begins or ends with white space"):
        list(write([blank]))


def test_conll_looks_as_its_docstring_says() -> None:
    head, tail = Entity(0, 5, "PERSON"), Entity(16, 19, "PLACE")
    document = Document("a", "Askar ran. From Osh", (head, tail), (Relation(head, tail, "LEFT"),))
    write = writer_for(Form.CONLL, SCHEMA).pieces
    assert write is not None
    assert "".join(write([document])).splitlines()[1:] == [
        "# newdoc id = a",
        "1\tAskar\t0\t5\tB-PERSON\t0\t1:LEFT",
        "2\tran\t6\t9\tO\t_\t_",
        "3\t.\t9\t10\tO\t_\t_",
        "",
        "1\tFrom\t11\t15\tO\t_\t_",
        "2\tOsh\t16\t19\tB-PLACE\t1\t_",
        "",
    ]


def test_documents_with_one_id_stay_two_in_a_graph() -> None:
    one = Document("x", "Askar", (Entity(0, 5, "A"),))
    two = Document("x", "Nurlan", (Entity(0, 6, "A"),))
    write = writer_for(Form.GRAPHML, SCHEMA).pieces
    assert write is not None
    root = ElementTree.fromstring("".join(write([one, two])).encode())
    nodes = root.findall(".//{*}node")
    assert len({node.get("id") for node in nodes}) == 2


def test_characters_that_a_file_cannot_hold_keep_every_offset() -> None:
    writer = writer_for(Form.GRAPHML, SCHEMA)
    assert not writer.fits(ODD)
    (fitted,) = writer.fitted([ODD])
    assert len(fitted.text) == len(ODD.text)
    assert re.sub("[\x00\ud800]", "\ufffd", ODD.text) == fitted.text
    assert fitted.entities == ODD.entities
    assert writer_for(Form.JSONL, SCHEMA).fits(ODD)


@pytest.mark.parametrize(("form", "package"), [(Form.PARQUET, "pyarrow"), (Form.SPACY, "spacy")])
def test_a_missing_package_is_named_with_its_extra(
    form: Form, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = builtins.__import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(ValueError, match=rf"{package} is not installed.*pressgang\[{form}\]"):
        writer_for(form, SCHEMA)
