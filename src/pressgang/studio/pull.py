"""Finished annotations to an export file: what changed since the last time, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pressgang.files import write_json
from pressgang.label_studio.exports import load_records
from pressgang.label_studio.tasks import Reading, read_tasks
from pressgang.studio.project import Project, export_tasks, list_tasks


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did, and how `check` reads the whole file.

    `n_gone` tasks were in the file and are finished no more; `n_skipped` tasks were skipped by all
    who saw them.
    """

    n_fetched: int
    n_gone: int
    n_skipped: int
    reading: Reading


def pull(project: Project, path: Path) -> Pulled:
    """Bring an export file up to date: the finished tasks, with every annotator's annotation.

    Skipped annotations are left out. The file is replaced whole, at the end.

    Raises ValueError if nothing is finished, or the file is not of this project.
    """
    kept = _kept(path, project)
    listed = list_tasks(project)
    finished = [task for task in listed if task.n_finished]
    if not finished:
        raise ValueError(f"project {project.title!r}: no task is annotated yet; nothing is written")
    stale = [
        task.id
        for task in finished
        if task.id not in kept or kept[task.id]["updated_at"] != task.changed
    ]
    fetched = {record["id"]: _without_skipped(record) for record in export_tasks(project, stale)}
    records = [
        fetched[task.id] if task.id in fetched else kept[task.id]
        for task in finished
        if task.id in fetched or task.id in kept  # else deleted in this very moment
    ]
    if fetched or len(records) != len(kept):
        write_json(path, records)
    return Pulled(
        len(fetched),
        len(kept.keys() - {task.id for task in finished}),
        sum(bool(task.n_skipped and not task.n_finished) for task in listed),
        read_tasks(records, config=project.config, file=str(path)),
    )


def _kept(path: Path, project: Project) -> dict[int, dict[str, Any]]:
    """The tasks that the file holds from an earlier pull."""
    if not path.exists():
        return {}
    kept: dict[int, dict[str, Any]] = {}
    for record in load_records(path):
        if not isinstance(record, dict) or not {"id", "project", "updated_at"} <= record.keys():
            raise ValueError(f"{path}: is no earlier pull; give another file")
        if record["project"] != project.id:
            raise ValueError(
                f"{path}: holds tasks of project {record['project']}, not {project.id}; "
                "give another file"
            )
        kept[record["id"]] = record
    return kept


def _without_skipped(record: dict[str, Any]) -> dict[str, Any]:
    annotations = [a for a in record["annotations"] if not a.get("was_cancelled")]
    return record | {"annotations": annotations}
