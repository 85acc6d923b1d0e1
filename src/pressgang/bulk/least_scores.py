"""What scores too little is left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pressgang.document import Document


@dataclass(frozen=True, slots=True)
class LeastScores:
    """The least score that an entity and a relation must have to be kept.

    Raises ValueError if one is no probability.
    """

    entity: float = 0.0
    relation: float = 0.0

    def __post_init__(self) -> None:
        for what, least in (("an entity", self.entity), ("a relation", self.relation)):
            if not 0.0 <= least <= 1.0:
                raise ValueError(f"the least score of {what} is {least}, expected 0 to 1")

    def apply(self, document: Document) -> Document:
        """The document without what scores less; a relation falls with its head or tail.

        What has no score was not predicted, and stays.
        """
        entities = tuple(e for e in document.entities if _reaches(e.score, self.entity))
        kept = set(entities)
        relations = tuple(
            r
            for r in document.relations
            if _reaches(r.score, self.relation) and r.head in kept and r.tail in kept
        )
        return replace(document, entities=entities, relations=relations)


NO_LEAST = LeastScores()


def _reaches(score: float | None, least: float) -> bool:
    return score is None or score >= least
