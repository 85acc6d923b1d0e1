"""Which annotation of a task is read, and which field of its data is the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pressgang.label_studio.problems import ProblemKind, ProblemLog, brief
from pressgang.label_studio.results import Marks

_SURROGATE = re.compile("[\ud800-\udfff]")


def chosen_annotation(record: Mapping[str, Any], log: ProblemLog) -> Mapping[str, Any] | None:
    """The annotation to read: ground truth first, then the latest; None if that is reported."""
    entries = _annotations(record)
    usable = [a for a in entries if isinstance(a, dict) and isinstance(a.get("result"), list)]
    if len(usable) < len(entries):
        n_bad = len(entries) - len(usable)
        log.report(ProblemKind.BAD_ANNOTATION, f"{n_bad} of {len(entries)} annotations")
    submitted = [annotation for annotation in usable if not annotation.get("was_cancelled")]
    if not submitted:
        if usable:
            log.report(ProblemKind.SKIPPED, f"{len(usable)} skipped")
        elif record.get("predictions"):
            log.report(ProblemKind.PREDICTIONS_ONLY, "accept or correct the predictions first")
        else:
            log.report(ProblemKind.UNANNOTATED, "no annotation")
        return None
    chosen = max(
        reversed(submitted), key=lambda a: (a.get("ground_truth") is True, _time_of_change(a))
    )
    if len(usable) > 1:
        why = "ground truth" if chosen.get("ground_truth") is True else "the latest"
        others = ", ".join(_called(a) for a in usable if a is not chosen)
        message = f"{_called(chosen)} is read ({why}); left aside: {others}"
        log.report(ProblemKind.SEVERAL_ANNOTATIONS, message)
    return chosen


def text_of(fields: object, key: str | None, marks: Marks, log: ProblemLog) -> str | None:
    """The text of a task; None, with all its marks reported as lost, if there is none."""
    text = fields.get(key) if isinstance(fields, dict) and key is not None else None
    if isinstance(text, str) and text.strip():
        if _SURROGATE.search(text):
            log.report(ProblemKind.LONE_SURROGATE, brief(text))
        return text
    kind = ProblemKind.NO_TEXT
    if not isinstance(fields, dict):
        message = f"data is {brief(fields)}, not an object"
    elif key is None or key not in fields:
        names = ", ".join(sorted(k for k, value in fields.items() if isinstance(value, str)))
        wanted = "which field is the text" if key is None else f"no field {key!r}"
        message = f"{wanted}; string fields: {names or 'none'}; give the labeling config"
    elif isinstance(text, str):
        message = f"field {key!r} is blank"
    else:
        kind = ProblemKind.TEXT_NOT_STRING
        message = f"field {key!r} is {brief(text)}"
    n_entities = sum(len(region.labels) for region in marks.regions)
    n_relations = sum(link.n_relations for link in marks.links)
    log.report(kind, message, lost_entities=n_entities, lost_relations=n_relations)
    return None


def readable_id(value: object) -> str | None:
    """A task's or annotation's id, for people."""
    is_id = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value) if is_id and value != "" else None


def likely_text_key(records: Iterable[object]) -> str | None:
    """The data field in which most regions find their marked text.

    Where no region decides, `text` if a task has it; else None.
    """
    n_found: Counter[str] = Counter()
    for record in records:
        fields = record.get("data") if isinstance(record, dict) else None
        if isinstance(record, dict) and isinstance(fields, dict):
            if "text" in fields:
                n_found["text"] += 0
            for place, marked in _marked(record):
                n_found.update(
                    key
                    for key, value in fields.items()
                    if isinstance(value, str) and value[place] == marked
                )
    if not n_found:
        return None
    most = max(n_found.values())
    winners = [key for key, n in n_found.items() if n == most]
    if "text" in winners:
        return "text"
    return winners[0] if len(winners) == 1 else None


def _annotations(record: Mapping[str, Any]) -> list[object]:
    # Label Studio before 1.0 wrote `completions`.
    written = record.get("annotations", record.get("completions"))
    if written is None:
        return []
    return written if isinstance(written, list) else [written]


def _time_of_change(annotation: Mapping[str, Any]) -> datetime:
    """When the annotation was last changed; the earliest time there is if it does not say."""
    for key in ("updated_at", "created_at"):
        try:
            time = datetime.fromisoformat(annotation[key])
        except (KeyError, TypeError, ValueError):
            continue
        return time.replace(tzinfo=time.tzinfo or UTC)
    return datetime.min.replace(tzinfo=UTC)


def _called(annotation: Mapping[str, Any]) -> str:
    skipped = " (skipped)" if annotation.get("was_cancelled") else ""
    return (readable_id(annotation.get("id")) or "one without id") + skipped


def _marked(record: Mapping[str, Any]) -> Iterator[tuple[slice, str]]:
    """The places and marked texts of all regions that have integer offsets."""
    for annotation in _annotations(record):
        result = annotation.get("result") if isinstance(annotation, dict) else None
        for entry in result if isinstance(result, list) else ():
            value = entry.get("value") if isinstance(entry, dict) else None
            if isinstance(value, dict) and isinstance(marked := value.get("text"), str) and marked:
                start, end = value.get("start"), value.get("end")
                if isinstance(start, int) and isinstance(end, int):
                    yield slice(start, end), marked
