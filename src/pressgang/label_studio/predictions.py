"""Documents as Label Studio tasks with predictions, checked before they are sent.

The server takes almost anything, and a relation to a missing region blanks its page, so nothing
leaves here unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pressgang.document import Document
from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.label_studio.tasks import to_result


def prediction_tasks(
    documents: Iterable[Document], *, model_version: str, config: LabelingConfig | None = None
) -> Iterator[str]:
    """The documents as the text of one importable JSON file, in pieces, a task a line.

    Raises ValueError if a document does not fit the labeling config.
    """
    separator = "[\n"
    for document in documents:
        task = to_prediction_task(document, model_version=model_version, config=config)
        yield separator + json.dumps(task)  # ASCII, so that a lone surrogate is kept
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def to_prediction_task(
    document: Document, *, model_version: str, config: LabelingConfig | None = None
) -> dict[str, Any]:
    """The document as a task with one prediction, whose score is the lowest in it.

    Two labels on one pair of entities become one relation with two labels. The names of the tags
    and of the text's field are those of the config, else `label`, `text` and `text`.
    Raises ValueError if the document does not fit the config, or the config has several tags of
    labels, of which each would want its own.
    """
    if config and len(config.control_names) > 1:
        names = ", ".join(config.control_names)
        raise ValueError(f"the labeling config has several <Labels> ({names}), expected one")
    from_name = config.control_names[0] if config else "label"
    to_name = config.text_name if config else "text"
    result = to_result(document, from_name=from_name, to_name=to_name)
    check_result(result, document, config)
    scores = [e.score for e in document.entities] + [r.score for r in document.relations]
    known = [score for score in scores if score is not None]
    score = {"score": round(min(known), 4)} if known else {}
    return {
        "data": {"id": document.id, config.text_key if config else "text": document.text},
        "predictions": [{"model_version": model_version, "result": result} | score],
    }


def check_result(
    result: Iterable[Mapping[str, Any]], document: Document, config: LabelingConfig | None
) -> None:
    """Check that a result list can be opened in Label Studio.

    Raises ValueError naming the document if two regions have the same id, one lies outside the
    text or has another's text, a relation's end is missing, or a label is not in the config.
    """
    place = f"document {document.id!r}"
    regions: set[str] = set()
    links: list[Mapping[str, Any]] = []
    for mark in result:
        if mark["type"] == "relation":
            links.append(mark)
            known = config.relation_labels if config else ()
        else:
            value = mark["value"]
            start, end = value["start"], value["end"]
            if mark["id"] in regions:
                raise ValueError(f"{place}: two regions have the id {mark['id']!r}")
            is_inside = 0 <= start < end <= len(document.text)
            if not is_inside or document.text[start:end] != value["text"]:
                raise ValueError(f"{place}: region [{start}, {end}) is not {value['text']!r}")
            regions.add(mark["id"])
            known = config.entity_labels if config else ()
        labels = mark["labels"] if mark["type"] == "relation" else mark["value"]["labels"]
        if unknown := [label for label in labels if config and label not in known]:
            raise ValueError(f"{place}: {unknown[0]!r} is not in the labeling config")
    for link in links:
        if link["from_id"] not in regions or link["to_id"] not in regions:
            raise ValueError(f"{place}: a relation leads to a region that is not there")
