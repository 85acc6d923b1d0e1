"""The annotations of a project, annotator by annotator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.label_studio.selection import readable_id
from pressgang.label_studio.tasks import Reading, read_tasks

UNNAMED = "nobody"


def read_annotators(
    records: Iterable[object], *, config: LabelingConfig | None = None
) -> dict[str, Reading]:
    """What each annotator finished, as if nobody else had annotated.

    An annotator is named by number, as in exports; annotations that name none are `UNNAMED`'s.
    Skipped annotations are nobody's.
    """
    apart: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        if not isinstance(record, dict) or not isinstance(record.get("annotations"), list):
            continue
        own: dict[str, list[Any]] = {}
        for annotation in record["annotations"]:
            if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
                own.setdefault(_annotator(annotation), []).append(annotation)
        for name, theirs in own.items():
            apart.setdefault(name, []).append(record | {"annotations": theirs})
    names = sorted(apart, key=lambda name: (len(name), name))
    return {name: read_tasks(apart[name], config=config) for name in names}


def _annotator(annotation: Mapping[str, Any]) -> str:
    written = annotation.get("completed_by")
    if isinstance(written, Mapping):  # some exports hold the whole user
        written = written.get("id")
    return readable_id(written) or UNNAMED
