"""The one currency of the package: a text with its entities and relations, gold or predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A labelled span of a text.

    `start` and `end` count characters (Python code points), half-open. `score` is a probability in
    [0, 1], or None for gold; it takes no part in equality, order or hash.

    Raises ValueError if the span is empty, reversed or negative, the label empty, or the score no
    probability.
    """

    start: int
    end: int
    label: str
    score: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"entity [{self.start}, {self.end}) is empty, reversed or negative")
        _check_label_and_score(self.label, self.score)

    def overlaps(self, other: Entity) -> bool:
        """Whether the two spans share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A labelled, directed pair of entities of one document.

    Raises ValueError if head and tail are the same entity, the label is empty, or the score is no
    probability.
    """

    head: Entity
    tail: Entity
    label: str
    score: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.head == self.tail:
            raise ValueError(
                f"relation {self.label}: head and tail are the same entity {self.head}"
            )
        _check_label_and_score(self.label, self.score)


@dataclass(frozen=True, slots=True)
class Document:
    """A text with the entities and relations marked in it.

    Entities and relations are kept sorted, so that two documents with the same content are equal
    in whatever order it was given. Entities may overlap: gold is never filtered.

    Raises ValueError if an entity lies outside the text, an entity or relation occurs twice, or a
    relation's argument is not among the entities.
    """

    id: str
    text: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "entities", tuple(sorted(self.entities)))
        object.__setattr__(self, "relations", tuple(sorted(self.relations)))
        for entity in self.entities:
            if entity.end > len(self.text):
                raise ValueError(
                    f"document {self.id!r}: entity [{entity.start}, {entity.end}) lies outside "
                    f"the text of {len(self.text)} characters"
                )
        known = set(self.entities)
        if len(known) < len(self.entities):
            raise ValueError(f"document {self.id!r}: an entity occurs twice")
        if len(set(self.relations)) < len(self.relations):
            raise ValueError(f"document {self.id!r}: a relation occurs twice")
        for relation in self.relations:
            if relation.head not in known or relation.tail not in known:
                raise ValueError(
                    f"document {self.id!r}: relation {relation.label} has an argument "
                    "that is not among the entities"
                )

    def surface(self, entity: Entity) -> str:
        """The text under an entity."""
        return self.text[entity.start : entity.end]

    def to_dict(self) -> dict[str, Any]:
        """The document as JSON types; relations name their arguments by position in `entities`."""
        position = {entity: index for index, entity in enumerate(self.entities)}
        return {
            "id": self.id,
            "text": self.text,
            "entities": [
                {"start": e.start, "end": e.end, "label": e.label, "text": self.surface(e)}
                | _score_field(e.score)
                for e in self.entities
            ],
            "relations": [
                {"head": position[r.head], "tail": position[r.tail], "label": r.label}
                | _score_field(r.score)
                for r in self.relations
            ],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Document:
        """The document that `to_dict` wrote.

        Raises ValueError if a field is missing or of the wrong type, if an entity's `text` is not
        the slice at its offsets, or if the document is not valid.
        """
        name = record.get("id")
        try:
            return cls._from_dict(record)
        except KeyError as error:
            raise ValueError(f"document {name!r}: the field {error} is missing") from None
        except (TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"document {name!r}: a field has the wrong type ({error})") from None
        except ValueError as error:
            named = str(error).startswith("document ")
            raise ValueError(str(error) if named else f"document {name!r}: {error}") from None

    @classmethod
    def _from_dict(cls, record: Mapping[str, Any]) -> Document:
        name, text = record["id"], record["text"]
        marked, related = record.get("entities", []), record.get("relations", [])
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError("id and text must be strings")
        if not isinstance(marked, list) or not isinstance(related, list):
            raise TypeError("entities and relations must be lists")
        entities = [Entity(e["start"], e["end"], e["label"], e.get("score")) for e in marked]
        for entity, e in zip(entities, marked, strict=True):
            surface = text[entity.start : entity.end]
            if e.get("text", surface) != surface:
                place = f"[{entity.start}, {entity.end})"
                raise ValueError(f"entity {place} is {surface!r} in the text, not {e['text']!r}")
        relations = [
            Relation(
                _pick(entities, r["head"]), _pick(entities, r["tail"]), r["label"], r.get("score")
            )
            for r in related
        ]
        return cls(name, text, tuple(entities), tuple(relations))


def _pick(entities: list[Entity], position: int) -> Entity:
    """The entity at a position; negative positions are no positions."""
    if not 0 <= position < len(entities):
        raise ValueError(f"a relation names entity {position}, but there are {len(entities)}")
    return entities[position]


def _score_field(score: float | None) -> dict[str, float]:
    return {} if score is None else {"score": round(score, 4)}


def _check_label_and_score(label: str, score: float | None) -> None:
    if not isinstance(label, str) or not label:
        raise ValueError(f"label {label!r} is not a non-empty string")
    if score is not None and not 0.0 <= score <= 1.0:
        raise ValueError(f"score {score!r} is not a probability")
