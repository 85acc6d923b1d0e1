"""What the marks of an annotation become over its text: entities and relations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pressgang.document import Entity, Relation
from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.label_studio.offsets import fit
from pressgang.label_studio.problems import ProblemKind, ProblemLog, brief
from pressgang.label_studio.results import Link, Marks, Region


@dataclass(frozen=True, slots=True)
class Mentions:
    """The entities of one annotation, and by which ids relations may name them.

    `by_id` holds the first entity of a region; `ambiguous` are ids that regions at different
    places share.
    """

    entities: dict[Entity, None] = field(default_factory=dict)
    by_id: dict[str, Entity] = field(default_factory=dict)
    ambiguous: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)


def read_mentions(
    marks: Marks, text: str, config: LabelingConfig | None, log: ProblemLog
) -> Mentions:
    """The entities that the regions mark in the text; what they cannot mark is reported."""
    mentions = Mentions(left_out=set(marks.left_out))
    _check_ids(marks.regions, mentions.ambiguous, log)
    for region in marks.regions:
        _check_names(region, config, log)
        span = _place(region, text, log)
        if span is None:
            mentions.left_out.add(region.id or "")
            continue
        for label in region.labels:
            entity = Entity(span.start, span.stop, label)
            if entity in mentions.entities:
                log.report(ProblemKind.DUPLICATE_ENTITY, str(region), lost_entities=1)
            mentions.entities[entity] = None
            if region.id is not None:
                mentions.by_id.setdefault(region.id, entity)
    _report_overlaps(mentions.entities, text, log)
    return mentions


def read_relations(
    links: Iterable[Link], mentions: Mentions, config: LabelingConfig | None, log: ProblemLog
) -> tuple[Relation, ...]:
    """The relations that the links state; what they cannot state is reported."""
    relations: dict[Relation, None] = {}
    for link in links:
        obstacle = _obstacle(link, mentions)
        if obstacle is not None:
            log.report(obstacle, str(link), lost_relations=link.n_relations)
            continue
        if link.direction not in ("right", "left", "bi"):
            log.report(ProblemKind.BAD_DIRECTION, f"{link}: direction {brief(link.direction)}")
        for label in link.labels:
            if config and label not in config.relation_labels:
                log.report(ProblemKind.UNKNOWN_RELATION_LABEL, f"{link}: {brief(label)}")
        for relation in _stated(link, mentions):
            if relation in relations:
                log.report(ProblemKind.DUPLICATE_RELATION, str(link), lost_relations=1)
            relations[relation] = None
    return tuple(relations)


def _check_ids(regions: Iterable[Region], ambiguous: set[str], log: ProblemLog) -> None:
    """Report missing and shared ids, and add to `ambiguous` those that say no single place.

    Regions at one place with one id are one region marked with two `<Labels>` tags.
    """
    first: dict[str, Region] = {}
    for region in regions:
        if region.id is None:
            log.report(ProblemKind.NO_REGION_ID, str(region))
            other = region
        else:
            other = first.setdefault(region.id, region)
        if not region.has_place_of(other):
            log.report(ProblemKind.DUPLICATE_REGION_ID, f"{region} and {other}")
            ambiguous.add(region.id or "")
        elif len(set(region.labels) | set(other.labels)) > 1:
            log.report(ProblemKind.SEVERAL_LABELS, str(region))


def _check_names(region: Region, config: LabelingConfig | None, log: ProblemLog) -> None:
    """Report labels and tag names that the labeling config does not have."""
    if config is None:
        return
    for label in region.labels:
        if label not in config.entity_labels:
            log.report(ProblemKind.UNKNOWN_LABEL, f"{region}: {brief(label)}")
    if region.from_name not in config.control_names or region.to_name != config.text_name:
        names = f"from_name {brief(region.from_name)}, to_name {brief(region.to_name)}"
        log.report(ProblemKind.UNKNOWN_TAG, f"{region}: {names}")


def _place(region: Region, text: str, log: ProblemLog) -> slice | None:
    """The characters that a region marks, without outer white space; None if that is reported."""
    start, end, n_lost = region.start, region.end, len(region.labels)
    # bool is an int to isinstance, but no offset.
    if type(start) is not int or type(end) is not int:
        kind = ProblemKind.HTML_OFFSETS if region.is_html else ProblemKind.OFFSETS_NOT_INTEGERS
        log.report(kind, str(region), lost_entities=n_lost)
        return None
    found = fit(text, start, end, marked=region.marked)
    if region.is_html and (not region.marked or found is None or found.repair):
        log.report(ProblemKind.HTML_OFFSETS, str(region), lost_entities=n_lost)
        return None
    if found is None:
        is_inside = 0 <= start < end <= len(text)
        kind = ProblemKind.TEXT_MISMATCH if is_inside else ProblemKind.BAD_OFFSETS
        there = f"there is {brief(text[start:end])}" if is_inside else f"text ends at {len(text)}"
        log.report(kind, f"{region}: {there}", lost_entities=n_lost)
        return None
    surface = text[found.start : found.end]
    if not surface.strip():
        log.report(ProblemKind.BAD_OFFSETS, f"{region}: blank", lost_entities=n_lost)
        return None
    if found.repair:
        log.report(found.repair, f"{region}: read as [{found.start}, {found.end})")
    if surface != surface.strip():
        log.report(ProblemKind.TRIMMED, f"{region}: {brief(surface)}")
    stripped_start = found.end - len(surface.lstrip())
    return slice(stripped_start, stripped_start + len(surface.strip()))


def _report_overlaps(entities: Iterable[Entity], text: str, log: ProblemLog) -> None:
    """Report each entity that shares characters with one that begins before or with it."""
    furthest: Entity | None = None
    for entity in sorted(entities):
        if furthest is not None and entity.overlaps(furthest):
            how = (
                "crosses" if furthest.start < entity.start < furthest.end < entity.end else "nests"
            )
            log.report(
                ProblemKind.OVERLAP,
                f"{brief(text[entity.start : entity.end])} ({entity.label}) [{entity.start}, "
                f"{entity.end}) {how} with {brief(text[furthest.start : furthest.end])} "
                f"({furthest.label}) [{furthest.start}, {furthest.end})",
            )
        if furthest is None or entity.end > furthest.end:
            furthest = entity


def _obstacle(link: Link, mentions: Mentions) -> ProblemKind | None:
    """Why a relation cannot be read, None if it can."""
    for name in (link.from_id, link.to_id):
        if name in mentions.ambiguous:
            return ProblemKind.AMBIGUOUS_ARGUMENT
        if name is None or name not in mentions.by_id:
            is_left_out = name in mentions.left_out
            return ProblemKind.ARGUMENT_LEFT_OUT if is_left_out else ProblemKind.UNKNOWN_ARGUMENT
    is_self = mentions.by_id[link.from_id or ""] == mentions.by_id[link.to_id or ""]
    return ProblemKind.SELF_RELATION if is_self else None


def _stated(link: Link, mentions: Mentions) -> Iterator[Relation]:
    """The relations of a link: a direction other than left and bi is read as right."""
    head, tail = mentions.by_id[link.from_id or ""], mentions.by_id[link.to_id or ""]
    for label in link.labels:
        if link.direction != "left":
            yield Relation(head, tail, label)
        if link.direction in ("left", "bi"):
            yield Relation(tail, head, label)
