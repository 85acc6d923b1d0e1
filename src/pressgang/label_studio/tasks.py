"""Label Studio tasks <-> Documents: nothing is left out of an export without being named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pressgang.document import Document, Entity
from pressgang.label_studio.exports import load_records
from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.label_studio.mentions import read_mentions, read_relations
from pressgang.label_studio.problems import Problem, ProblemKind, ProblemLog, brief
from pressgang.label_studio.results import read_marks
from pressgang.label_studio.selection import (
    chosen_annotation,
    likely_text_key,
    readable_id,
    text_of,
)

_ID_KEYS = ("id", "doc_id", "document_id")


@dataclass(frozen=True, slots=True)
class Reading:
    """The documents of one or several exports, and all that could not be read as it was written.

    Each region and relation of an annotation that is read is in a document or counted as lost by a
    problem. A task annotated with an empty result is a document without entities.
    """

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    n_files: int
    n_tasks: int

    @property
    def n_left_out(self) -> int:
        """How many tasks became no document."""
        return self.n_tasks - len(self.documents)

    @property
    def n_lost_entities(self) -> int:
        """How many marked entities are in no document."""
        return sum(problem.lost_entities for problem in self.problems)

    @property
    def n_lost_relations(self) -> int:
        """How many marked relations are in no document."""
        return sum(problem.lost_relations for problem in self.problems)

    def problem_counts(self) -> Counter[ProblemKind]:
        """How many problems there are of each kind."""
        return Counter(problem.kind for problem in self.problems)


def read_export(path: Path, *, config: LabelingConfig | None = None) -> Reading:
    """The documents of a full JSON export.

    With a labeling config the text is the field that it names, and unknown labels and tag names
    are reported. Without it the text is the field in which most regions find their marked text,
    and `text` where they decide nothing. Scores are not read: what a person marked is certain.

    Raises ExportError if the file is no full JSON export.
    """
    return read_exports([path], config=config)


def read_exports(paths: Iterable[Path], *, config: LabelingConfig | None = None) -> Reading:
    """The documents of several exports together; ids and texts that occur twice are reported.

    Raises ExportError if one of the files is no full JSON export.
    """
    exports = [(str(path), load_records(path)) for path in paths]
    return _read(exports, config)


def read_tasks(
    records: Sequence[object], *, config: LabelingConfig | None = None, file: str = ""
) -> Reading:
    """The documents of the entries of one export; `file` names it in problems."""
    return _read([(file, records)], config)


def to_task(
    document: Document, *, from_name: str = "label", to_name: str = "text"
) -> dict[str, Any]:
    """The document as an annotated task, which `read_tasks` reads back as the same document."""
    return {
        "data": {"id": document.id, "text": document.text},
        "annotations": [{"result": to_result(document, from_name=from_name, to_name=to_name)}],
    }


def to_result(
    document: Document, *, from_name: str = "label", to_name: str = "text"
) -> list[dict[str, Any]]:
    """The result list of an annotation or prediction: the entities, then the relations.

    Label Studio drops the second of two relations between the same head and tail, so they are one
    relation with several labels, whose score is the lowest of theirs.
    """
    ids = {entity: f"e{position}" for position, entity in enumerate(document.entities)}
    spans = [
        {
            "id": ids[entity],
            "from_name": from_name,
            "to_name": to_name,
            "type": "labels",
            "value": {
                "start": entity.start,
                "end": entity.end,
                "text": document.surface(entity),
                "labels": [entity.label],
            },
        }
        | _score_field([entity.score])
        for entity in document.entities
    ]
    pairs: dict[tuple[Entity, Entity], dict[str, float | None]] = {}
    for relation in document.relations:
        pairs.setdefault((relation.head, relation.tail), {})[relation.label] = relation.score
    relations = [
        {
            "type": "relation",
            "from_id": ids[head],
            "to_id": ids[tail],
            "direction": "right",
            "labels": list(scores),
        }
        | _score_field(scores.values())
        for (head, tail), scores in pairs.items()
    ]
    return spans + relations


def _score_field(scores: Iterable[float | None]) -> dict[str, float]:
    known = [score for score in scores if score is not None]
    return {"score": round(min(known), 4)} if known else {}


def _read(
    exports: Sequence[tuple[str, Sequence[object]]], config: LabelingConfig | None
) -> Reading:
    """The documents of the entries of named exports together."""
    problems: list[Problem] = []
    drafts = [
        draft for file, records in exports for draft in _drafts(records, config, file, problems)
    ]
    documents = tuple(_told_apart(drafts))
    n_tasks = sum(len(records) for _, records in exports)
    return Reading(documents, tuple(problems), len(exports), n_tasks)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A document whose id may still be taken, and the id it gets then."""

    document: Document
    task_id: str
    log: ProblemLog


def _drafts(
    records: Sequence[object], config: LabelingConfig | None, file: str, problems: list[Problem]
) -> Iterator[_Draft]:
    text_key = config.text_key if config else likely_text_key(records)
    for position, record in enumerate(records, start=1):
        log = ProblemLog(file, _task_name(record, position), problems)
        if not isinstance(record, dict):
            log.report(ProblemKind.NOT_A_TASK, brief(record))
            continue
        annotation = chosen_annotation(record, log)
        if annotation is None:
            continue
        log.annotation = readable_id(annotation.get("id"))
        marks = read_marks(annotation["result"], log)
        text = text_of(record.get("data"), text_key, marks, log)
        if text is None:
            continue
        mentions = read_mentions(marks, text, config, log)
        relations = read_relations(marks.links, mentions, config, log)
        task_id = f"task-{log.task.removeprefix('#')}"
        name = _document_name(record["data"]) or task_id
        yield _Draft(Document(name, text, tuple(mentions.entities), relations), task_id, log)


def _told_apart(drafts: Iterable[_Draft]) -> Iterator[Document]:
    """The documents with an id each; ids and texts that occur twice are reported."""
    ids: set[str] = set()
    texts: dict[str, str] = {}
    for draft in drafts:
        document = draft.document
        if document.id in ids:
            name = draft.task_id
            n_copies = 1
            while name in ids:
                n_copies += 1
                name = f"{draft.task_id}-{n_copies}"
            draft.log.report(ProblemKind.DUPLICATE_ID, f"{brief(document.id)} becomes {name}")
            document = replace(document, id=name)
        ids.add(document.id)
        other = texts.setdefault(document.text, document.id)
        if other != document.id:
            draft.log.report(
                ProblemKind.SAME_TEXT, f"{brief(document.id)} has the text of {brief(other)}"
            )
        yield document


def _task_name(record: object, position: int) -> str:
    name = readable_id(record.get("id")) if isinstance(record, dict) else None
    return f"#{position}" if name is None else name


def _document_name(fields: Mapping[str, Any]) -> str | None:
    named = (fields.get(key) for key in _ID_KEYS)
    return next((name for name in named if isinstance(name, str) and name), None)
