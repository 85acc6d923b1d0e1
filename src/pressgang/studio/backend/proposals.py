"""Predictions in Label Studio's terms: for whole tasks, and beside regions that are there."""

from __future__ import annotations

import functools
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pressgang.document import Document
from pressgang.label_studio.labeling_config import LabelingConfig, parse_labeling_config
from pressgang.label_studio.tasks import to_result
from pressgang.studio.outgoing import faults


@dataclass(slots=True)
class Tally:
    """What was proposed, and what was left out and why; added to as tasks are worked on."""

    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{n} {what}" for what, n in self.counts.items() if n)


@functools.lru_cache(maxsize=16)
def read_target(label_config: str) -> LabelingConfig:
    """What the results for a project refer to, from the labeling config that comes with a request.

    Raises ValueError if it is no config for plain text with one `<Labels>` tag.
    """
    config = parse_labeling_config(label_config)
    if len(config.control_names) > 1:
        names = ", ".join(config.control_names)
        raise ValueError(f"labeling config: several <Labels> tags ({names}), expected one")
    if "<hypertext" in label_config.lower():
        raise ValueError("labeling config: marks <HyperText>; proposals are made for <Text>")
    return config


def task_text(task: object, target: LabelingConfig) -> str | None:
    """The text of a task; None if it has none that can be marked."""
    fields = task.get("data") if isinstance(task, dict) else None
    text = fields.get(target.text_key) if isinstance(fields, dict) else None
    return text if isinstance(text, str) and text.strip() else None


def propose(
    document: Document,
    target: LabelingConfig,
    tally: Tally,
    *,
    taken: Sequence[tuple[int, int]] = (),
) -> list[dict[str, Any]]:
    """The document as regions and relations with ids that no other answer has.

    Left out, and counted, are labels that the project does not have and entities that share a
    character with a place in `taken` (half-open, in characters), with the relations of both.
    Two labels on one pair are one relation with two labels.

    Raises ValueError if the page could not show the results.
    """
    entities = []
    for entity in document.entities:
        if entity.label not in target.entity_labels:
            tally.counts["entities with a label unknown to the project"] += 1
        elif any(entity.start < end and start < entity.end for start, end in taken):
            tally.counts["entities where a region is already"] += 1
        else:
            entities.append(entity)
    kept = set(entities)
    relations = []
    for relation in document.relations:
        if relation.label not in target.relation_labels:
            tally.counts["relations with a label unknown to the project"] += 1
        elif relation.head not in kept or relation.tail not in kept:
            tally.counts["relations of entities left out"] += 1
        else:
            relations.append(relation)
    tally.counts["entities"] += len(entities)
    tally.counts["relations"] += len(relations)
    proposed = Document(document.id, document.text, tuple(entities), tuple(relations))
    result = to_result(proposed, from_name=target.control_names[0], to_name=target.text_name)
    fresh = list(_with_fresh_ids(result))
    for fault in faults(fresh, document.text, target):  # nothing is sent that was not looked at
        raise ValueError(f"a proposal that would spoil the labelling page: {fault}")
    return fresh


def taken_places(task: Mapping[str, Any], context: object) -> list[tuple[int, int]]:
    """Where regions are already, in all that an interactive request knows of the task.

    The context holds the regions of the label just drawn with; drafts, annotations and predictions
    of the task hold the others.
    """
    places = list(_places(context))
    for name in ("drafts", "annotations", "predictions"):
        listed = task.get(name)
        for entry in listed if isinstance(listed, list) else ():
            places += _places(entry)
    return places


def _places(marked: object) -> Iterator[tuple[int, int]]:
    """The offsets in the result list of an annotation, draft, prediction or context."""
    result = marked.get("result") if isinstance(marked, dict) else None
    for entry in result if isinstance(result, list) else ():
        value = entry.get("value") if isinstance(entry, dict) else None
        if isinstance(value, dict):
            start, end = value.get("start"), value.get("end")
            if type(start) is int and type(end) is int and start < end:
                yield start, end


def _with_fresh_ids(result: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The results with ids of their own: an id that an annotation has crashes the editor."""
    prefix = uuid.uuid4().hex[:12]
    for entry in result:
        names = {k: f"{prefix}-{entry[k]}" for k in ("id", "from_id", "to_id") if k in entry}
        yield entry | names
