"""Likely label errors, written back: a view of tasks with the suspected spots named in each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pressgang.annotation.label_quality import Spot, find_spots, marks_key
from pressgang.evaluation.splits import text_key
from pressgang.label_studio.tasks import Reading, read_tasks
from pressgang.model.extractor import Extractor
from pressgang.printable import printable
from pressgang.studio.project import Project, export_tasks, list_tasks
from pressgang.studio.push import Tell

TITLE = "Review: likely errors"
SPOTS_KEY = "review"
SCORE_KEY = "review_score"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How many tasks are in the view, how many of them are new or changed, and where it is."""

    n_tasks: int
    n_changed: int
    address: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The spots by the task's number, worst first; how many tasks were judged, how many not.

    Not judged are those that the model knows from its training, or that no fold tested. `readings`
    holds what was read, a task each.
    """

    spots: Mapping[int, Sequence[Spot]]
    n_judged: int
    n_known: int
    readings: tuple[Reading, ...]


def review_with_model(
    project: Project, extractor: Extractor, folder: Path, *, tell: Tell = lambda _: None
) -> Judged:
    """What a model thinks of the annotations that it was not trained on.

    Raises ValueError if the model's folder does not say what it was trained on.
    """
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        known = set(run["trained_on"]["texts"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: does not say which texts the model was trained on") from None
    readings = _annotated(project)
    documents = {n: reading.documents[0] for n, reading in readings.items() if reading.documents}
    unseen = {n: d for n, d in documents.items() if text_key(d.text) not in known}
    spots: dict[int, Sequence[Spot]] = {}
    for (number, _), found in zip(
        unseen.items(), find_spots(extractor, unseen.values()), strict=True
    ):
        spots[number] = found
        tell(1)
    n_known = len(documents) - len(unseen)
    return Judged(spots, len(unseen), n_known, tuple(readings.values()))


def review_with_folds(project: Project, output: Path) -> Judged:
    """What the models of a cross-validation think of the documents that each was tested on.

    Raises ValueError if the folder has no such results, or from other annotations.
    """
    paths = sorted(output.glob("folds/*/spots.json"))
    if not paths:
        raise ValueError(f"{output}: no folds/*/spots.json; expected the output of cross-validate")
    by_text = {
        entry["text"]: entry
        for path in paths
        for entry in json.loads(path.read_text(encoding="utf-8"))
    }
    readings = _annotated(project)
    documents = {n: reading.documents[0] for n, reading in readings.items() if reading.documents}
    spots: dict[int, Sequence[Spot]] = {}
    for number, document in documents.items():
        entry = by_text.get(text_key(document.text))
        if entry is not None and entry["marks"] == marks_key(document):
            spots[number] = [Spot.from_dict(record) for record in entry["spots"]]
    n_known = len(documents) - len(spots)
    return Judged(spots, len(spots), n_known, tuple(readings.values()))


def _annotated(project: Project) -> dict[int, Reading]:
    """The finished tasks by number, each through the reader of `check`."""
    finished = [task.id for task in list_tasks(project) if task.n_finished]
    return {
        record["id"]: read_tasks([record], config=project.config)
        for record in export_tasks(project, finished)
    }


def write_review(project: Project, spots: Mapping[int, Sequence[Spot]]) -> Reviewed:
    """Name the spots in the data of their tasks, worst task first in a view of these tasks.

    `spots` holds, by the task's number, what was found, worst first; a task that is not in it, or
    has none, leaves the view. Annotations are not touched. The same call again changes nothing.
    """
    n_changed = 0
    tasks = list_tasks(project)
    for task in tasks:
        found = spots.get(task.id, ())
        wanted = _without_review(task.fields) | (_review(found) if found else {})
        if wanted != task.fields:
            project.studio.patch(f"tasks/{task.id}/", {"data": wanted})
            n_changed += 1
    n_tasks = sum(bool(spots.get(task.id)) for task in tasks)
    return Reviewed(n_tasks, n_changed, f"{project.address}?tab={_view(project)}")


def _without_review(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in (SPOTS_KEY, SCORE_KEY)}


def _review(found: Sequence[Spot]) -> dict[str, str]:
    """What the task says: text, because the server sorts fields of the data as text."""
    shown = [f"[{s.start}, {s.end}) {s.what} ({s.score:.3f})" for s in found[:_SHOWN]]
    if len(found) > _SHOWN:
        shown.append(f"and {len(found) - _SHOWN} more")
    return {
        SPOTS_KEY: " | ".join(" ".join(printable(spot).split()) for spot in shown),
        SCORE_KEY: f"{found[0].score:.4f}",
    }


def _view(project: Project) -> int:
    """The number of the view, made where it is missing."""
    content = {
        "title": TITLE,
        "ordering": [f"tasks:data.{SCORE_KEY}"],
        "filters": {
            "conjunction": "and",
            "items": [
                {
                    "filter": f"filter:tasks:data.{SPOTS_KEY}",
                    "operator": "empty",
                    "type": "String",
                    "value": False,
                }
            ],
        },
    }
    for view in project.studio.get("dm/views/", project=project.id):
        if view["data"].get("title") == TITLE:
            return int(view["id"])
    made = project.studio.post("dm/views/", {"project": project.id, "data": content})
    return int(made["id"])
