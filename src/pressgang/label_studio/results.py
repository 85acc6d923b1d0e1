"""The result list of one annotation: its regions and relations, as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pressgang.label_studio.problems import ProblemKind, ProblemLog, brief


@dataclass(frozen=True, slots=True)
class Region:
    """A labelled span as it is written: its offsets may be anything."""

    id: str | None
    labels: tuple[str, ...]
    start: object
    end: object
    marked: str | None
    is_html: bool
    from_name: object
    to_name: object

    def __str__(self) -> str:
        name = self.id or "without id"
        place = f"[{brief(self.start)}, {brief(self.end)})"
        return f"region {name} {brief(self.marked)} ({', '.join(self.labels)}) {place}"

    def has_place_of(self, other: Region) -> bool:
        """Whether both have the same offsets."""
        return self.start == other.start and self.end == other.end


@dataclass(frozen=True, slots=True)
class Link:
    """A relation as it is written: it names its arguments by the ids of regions."""

    from_id: str | None
    to_id: str | None
    labels: tuple[str, ...]
    direction: object

    def __str__(self) -> str:
        return f"relation {self.from_id} -> {self.to_id} ({', '.join(self.labels)})"

    @property
    def n_relations(self) -> int:
        """How many relations it states: one for each label, twice if it goes both ways."""
        return len(self.labels) * (2 if self.direction == "bi" else 1)


@dataclass(frozen=True, slots=True)
class Marks:
    """The regions and relations of one annotation, and the ids of regions that are left out."""

    regions: tuple[Region, ...]
    links: tuple[Link, ...]
    left_out: frozenset[str]


def read_marks(result: Sequence[object], log: ProblemLog) -> Marks:
    """The labelled spans and relations of a result list; all else is reported."""
    regions: list[Region] = []
    links: list[Link] = []
    left_out: set[str] = set()
    for entry in _flattened(result, log):
        if isinstance(entry, dict) and (entry.get("type") == "relation" or "from_id" in entry):
            links += _link(entry, log)
            continue
        region = _region(entry, log)
        if region is not None:
            regions.append(region)
        elif isinstance(entry, dict) and (name := _id(entry.get("id"))) is not None:
            left_out.add(name)
    return Marks(tuple(regions), tuple(links), frozenset(left_out))


def _flattened(result: Sequence[object], log: ProblemLog) -> Iterator[object]:
    """The entries in order; label-studio-sdk 2.1.2 writes relations in a list of their own."""
    waiting = list(reversed(result))
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, list):
            log.report(ProblemKind.NESTED_RESULT, f"a list of {len(entry)} in the result list")
            waiting += reversed(entry)
        else:
            yield entry


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def _region(entry: object, log: ProblemLog) -> Region | None:
    value = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(value, dict):
        log.report(ProblemKind.NOT_A_SPAN, f"{brief(entry)} has no value object", lost_entities=1)
        return None
    field_name = "hypertextlabels" if "hypertextlabels" in value else "labels"
    if field_name not in value and entry.get("type") not in ("labels", "hypertextlabels"):
        message = f"result {_id(entry.get('id'))} has the type {brief(entry.get('type'))}"
        log.report(ProblemKind.NOT_A_SPAN, message, lost_entities=1)
        return None
    written = value.get(field_name)
    labels = _labels(written)
    n_lost = _n_without_label(written, labels)
    if n_lost:
        message = f"region {_id(entry.get('id'))}: labels {brief(written)}"
        log.report(ProblemKind.NO_LABEL, message, lost_entities=n_lost)
    if not labels:
        return None
    is_html = isinstance(value.get("globalOffsets"), dict)
    place: Mapping[str, Any] = value["globalOffsets"] if is_html else value
    marked = value.get("text")
    return Region(
        _id(entry.get("id")),
        labels,
        place.get("start"),
        place.get("end"),
        marked if isinstance(marked, str) else None,
        is_html or _is_xpath(value.get("start")),
        entry.get("from_name"),
        entry.get("to_name"),
    )


def _is_xpath(start: object) -> bool:
    return isinstance(start, str) and start.startswith("/")


def _link(entry: Mapping[str, Any], log: ProblemLog) -> list[Link]:
    """The relation in a list, or an empty list if it has no label."""
    written = entry.get("labels")
    labels = _labels(written)
    link = Link(_id(entry.get("from_id")), _id(entry.get("to_id")), labels, entry.get("direction"))
    n_lost = _n_without_label(written, labels) * (2 if link.direction == "bi" else 1)
    if n_lost:
        message = f"{link}: labels {brief(written)}"
        log.report(ProblemKind.NO_RELATION_LABEL, message, lost_relations=n_lost)
    return [link] if labels else []


def _labels(written: object) -> tuple[str, ...]:
    entries = written if isinstance(written, list) else ()
    return tuple(label for label in entries if isinstance(label, str) and label)


def _n_without_label(written: object, labels: tuple[str, ...]) -> int:
    """How many entries are no labels; a region or relation without any entry counts for one."""
    n_entries = len(written) if isinstance(written, list) else 0
    return max(n_entries, 1) - len(labels)
