"""What is sent to the server: tasks and predictions, each validated before anything leaves.

The server takes almost anything, and a relation to a missing id leaves the annotator a blank page.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pressgang.document import Document
from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.label_studio.problems import brief
from pressgang.label_studio.tasks import to_result
from pressgang.schema import Schema

if TYPE_CHECKING:  # what is checked here needs no connection
    from pressgang.studio.project import Project

ID_KEY = "id"
N_HASHED = 8


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model says of a text, and how sure it is on the whole: `score` in [0, 1]."""

    document: Document
    score: float


def version_of(model: Path) -> str:
    """The name of a model's predictions: its folder, and what its files hash to.

    A model trained anew is another version, so that the server asks for its predictions again.

    Raises ValueError if there is no model in the folder.
    """
    files = sorted(model.iterdir()) if model.is_dir() else []
    weights = [p for p in files if p.suffix in (".safetensors", ".onnx")]
    if not weights or model / "pressgang.json" not in files:
        raise ValueError(f"{model}: no pressgang model here")
    content = hashlib.sha256()
    told = [p for p in files if p.name in ("calibration.json", "pressgang.json")]
    for path in [*weights, *told]:
        with path.open("rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    return f"{model.resolve().name}-{content.hexdigest()[:N_HASHED]}"


def task_of(document: Document, project: Project) -> dict[str, Any]:
    """The document as a task without predictions, its id where the reader looks for it.

    Raises ValueError if the server cannot keep its text as it is.
    """
    key = project.config.text_key
    if key == ID_KEY:
        raise ValueError(f"the labeling config reads its text from ${key}, the field of the id")
    for name, text in (("id", document.id), ("text", document.text)):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"document {document.id!r}: its {name} holds half of a UTF-16 pair at character "
                f"{error.start}, which cannot be sent"
            ) from None
    if not document.text.strip():
        raise ValueError(f"document {document.id!r} has no text")
    if "\0" in document.text:
        at = document.text.index("\0")
        raise ValueError(f"document {document.id!r}: character {at} is NUL, which cannot be kept")
    return {"data": {ID_KEY: document.id, key: document.text}}


def prediction_of(proposal: Proposal, project: Project, version: str) -> dict[str, Any]:
    """The proposal as a prediction.

    Raises ValueError naming the document and all that is wrong if the project could not show it.
    """
    document = proposal.document
    result = to_result(document, from_name=project.from_name, to_name=project.config.text_name)
    wrong = list(faults(result, document.text, project.config))
    if not 0 <= proposal.score <= 1:  # also refuses what is no number
        wrong.append(f"score {proposal.score!r} is not between 0 and 1")
    if wrong:
        raise ValueError(f"document {document.id!r} cannot be sent: {'; '.join(wrong[:5])}")
    return {"result": result, "score": round(proposal.score, 6), "model_version": version}


def given_proposals(documents: Iterable[Document]) -> Iterator[Proposal]:
    """What is marked in the documents, whose score is the mean of its scores, 1 without any."""
    for document in documents:
        marked = [e.score for e in document.entities] + [r.score for r in document.relations]
        scores = [score for score in marked if score is not None]
        yield Proposal(document, sum(scores) / len(scores) if scores else 1.0)


def check_labels(project: Project, schema: Schema) -> None:
    """Raise ValueError if a model finds labels that the project does not have."""
    for kind, found, known in (
        ("entity", schema.entity_labels, project.config.entity_labels),
        ("relation", schema.relation_labels, project.config.relation_labels),
    ):
        if missing := [label for label in found if label not in known]:
            raise ValueError(
                f"project {project.title!r} has no {kind} label "
                f"{', '.join(map(brief, missing))}, which the model finds; it has: "
                f"{', '.join(known)}"
            )


def faults(result: Sequence[Mapping[str, Any]], text: str, config: LabelingConfig) -> Iterator[str]:
    """What would spoil a prediction on the labelling page, or be changed there without a word."""
    spans = [entry for entry in result if entry.get("type") != "relation"]
    links = [entry for entry in result if entry.get("type") == "relation"]
    ids = Counter(span.get("id") for span in spans)
    for span in spans:
        name = span.get("id")
        where = f"region {name!r}"
        if not isinstance(name, str) or not name or ids[name] > 1:
            yield f"{where}: the id is missing or taken"
        if span.get("type") != "labels" or span.get("from_name") not in config.control_names:
            yield f"{where}: type or from_name is not the project's"
        if span.get("to_name") != config.text_name:
            yield f"{where}: to_name is not the project's"
        value = span.get("value") or {}
        labels = value.get("labels")
        if not labels or len(labels) != 1 or labels[0] not in config.entity_labels:
            yield f"{where}: labels {brief(labels)}, expected one of the project's"
        start, end = value.get("start"), value.get("end")
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
            yield f"{where}: [{brief(start)}, {brief(end)}) is no span of {len(text)} characters"
        elif value.get("text") != text[start:end]:
            yield f"{where}: there is {brief(text[start:end])}, not {brief(value.get('text'))}"
        yield from _bad_score(span, where)
    pairs: set[tuple[Any, Any]] = set()
    for link in links:
        pair = link.get("from_id"), link.get("to_id")
        where = f"relation {pair[0]!r} -> {pair[1]!r}"
        if pair[0] not in ids or pair[1] not in ids or pair[0] == pair[1]:
            yield f"{where}: an argument is missing, or both are one"
        if pair in pairs:
            yield f"{where}: stands twice, of which the page keeps one"
        pairs.add(pair)
        labels = link.get("labels")
        if not labels or len(set(labels)) < len(labels):
            yield f"{where}: labels {brief(labels)}, expected some, each once"
        elif unknown := sorted(set(labels) - set(config.relation_labels)):
            yield f"{where}: {', '.join(map(brief, unknown))} is not among the project's labels"
        if link.get("direction") not in ("right", "left", "bi"):
            yield f"{where}: direction {brief(link.get('direction'))}"
        yield from _bad_score(link, where)


def _bad_score(entry: Mapping[str, Any], where: str) -> Iterator[str]:
    score = entry.get("score", 0.0)
    if not isinstance(score, float | int) or not math.isfinite(score) or not 0 <= score <= 1:
        yield f"{where}: score {brief(score)} is not between 0 and 1"
