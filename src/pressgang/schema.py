"""What can be predicted: entity labels, relation labels, and which triples of them are allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pressgang.document import Document


@dataclass(frozen=True, slots=True)
class Schema:
    """Entity labels, relation labels and the allowed (head label, relation, tail label) triples.

    `colors` maps entity labels to CSS colours where the labeling config gives one.

    Raises ValueError if a label occurs twice or a triple or colour names an unknown label.
    """

    entity_labels: tuple[str, ...]
    relation_labels: tuple[str, ...]
    triples: frozenset[tuple[str, str, str]]
    colors: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for labels in (self.entity_labels, self.relation_labels):
            if len(set(labels)) < len(labels):
                raise ValueError(f"a label occurs twice: {', '.join(labels)}")
        for head, relation, tail in self.triples:
            if {head, tail} - set(self.entity_labels) or relation not in self.relation_labels:
                raise ValueError(f"triple ({head}, {relation}, {tail}) names an unknown label")
        if unknown := set(self.colors) - set(self.entity_labels):
            raise ValueError(f"colours for unknown labels: {', '.join(sorted(unknown))}")

    @classmethod
    def from_documents(
        cls, documents: Iterable[Document], *, colors: Mapping[str, str] | None = None
    ) -> Schema:
        """The labels and triples that occur in the documents, labels in alphabetical order."""
        entities: set[str] = set()
        triples: set[tuple[str, str, str]] = set()
        for document in documents:
            entities |= {e.label for e in document.entities}
            triples |= {(r.head.label, r.label, r.tail.label) for r in document.relations}
        return cls(
            tuple(sorted(entities)),
            tuple(sorted({relation for _, relation, _ in triples})),
            frozenset(triples),
            {label: color for label, color in (colors or {}).items() if label in entities},
        )

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON types."""
        return {
            "entity_labels": list(self.entity_labels),
            "relation_labels": list(self.relation_labels),
            "triples": [list(triple) for triple in sorted(self.triples)],
            "colors": dict(self.colors),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Schema:
        """The schema that `to_dict` wrote."""
        return cls(
            tuple(record["entity_labels"]),
            tuple(record["relation_labels"]),
            frozenset((head, relation, tail) for head, relation, tail in record["triples"]),
            dict(record["colors"]),
        )
