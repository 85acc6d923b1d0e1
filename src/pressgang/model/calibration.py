"""Scores that mean what they say: of what is given 0.8, eight in ten are right.

A logistic map from the model's own scores to probabilities (Platt, 1999), fitted on what models
predicted that had not seen the documents. A relation is right only if its arguments are, so their
scores go into its probability too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pressgang.document import Document, Entity, Relation

Floats = npt.NDArray[np.float64]

_EDGE = 1e-6
_RIDGE = 1e-3
_NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of the log-odds of scores, the last one being the bias.

    `entity` weighs an entity's own score; `relation` a relation's own, its head's and its tail's.
    """

    entity: tuple[float, ...]
    relation: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.entity) != 2 or len(self.relation) != 4:
            raise ValueError("a calibration has two weights for entities and four for relations")

    @classmethod
    def fit(cls, gold: Sequence[Document], predicted: Sequence[Document]) -> Calibration:
        """The maps under which the predictions, matched with gold by id, are most likely.

        Raises ValueError if there is no scored entity or no scored relation, or all of them are
        right or wrong, so that there is nothing to tell them apart by.
        """
        entities, relations = _outcomes(gold, predicted)
        return cls(_logistic(*entities, name="entities"), _logistic(*relations, name="relations"))

    def apply(self, document: Document, *, given_entities: bool = False) -> Document:
        """The document with probabilities for scores; what has no score keeps none.

        The scores of `given_entities`, which were not predicted, stay what they are.
        """
        new = {
            e: e
            if e.score is None or given_entities
            else replace(e, score=_probability(_entity_row(e), self.entity))
            for e in document.entities
        }
        relations = (
            replace(
                r,
                head=new[r.head],
                tail=new[r.tail],
                score=r.score if r.score is None else _probability(_relation_row(r), self.relation),
            )
            for r in document.relations
        )
        return replace(document, entities=tuple(new.values()), relations=tuple(relations))

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """The calibration in a JSON file.

        Raises ValueError naming the file if it holds none.
        """
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a calibration ({error!r})") from None

    def to_dict(self) -> dict[str, Any]:
        """The weights as JSON types."""
        return {"entity": list(self.entity), "relation": list(self.relation)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_dict` wrote."""
        return cls(tuple(map(float, record["entity"])), tuple(map(float, record["relation"])))


def _truths(
    gold: Sequence[Document], predicted: Sequence[Document]
) -> tuple[list[set[Entity]], list[set[Relation]]]:
    """What is right in each predicted document."""
    by_id = {document.id: document for document in gold}
    return (
        [set(by_id[d.id].entities) for d in predicted],
        [set(by_id[d.id].relations) for d in predicted],
    )


def _outcomes(
    gold: Sequence[Document], predicted: Sequence[Document]
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Rows of log-odds, and whether they were right, of all scored entities and relations."""
    right_entities, right_relations = _truths(gold, predicted)
    entities = [
        (_entity_row(e), e in truth)
        for document, truth in zip(predicted, right_entities, strict=True)
        for e in document.entities
        if e.score is not None
    ]
    relations = [
        (_relation_row(r), r in truth)
        for document, truth in zip(predicted, right_relations, strict=True)
        for r in document.relations
        if r.score is not None
    ]
    return _columns(entities), _columns(relations)


def _columns(rows: Sequence[tuple[list[float], bool]]) -> tuple[Floats, Floats]:
    return (
        np.array([row for row, _ in rows], dtype=np.float64),
        np.array([right for _, right in rows], dtype=np.float64),
    )


def _entity_row(entity: Entity) -> list[float]:
    return [_log_odds(entity.score), 1.0]


def _relation_row(relation: Relation) -> list[float]:
    scores = (relation.score, relation.head.score, relation.tail.score)
    return [*map(_log_odds, scores), 1.0]


def _log_odds(score: float | None) -> float:
    inside = min(max(1.0 if score is None else score, _EDGE), 1 - _EDGE)
    return float(np.log(inside) - np.log1p(-inside))


def _probability(row: list[float], weights: tuple[float, ...]) -> float:
    return float(1 / (1 + np.exp(-np.dot(row, weights))))


def _logistic(rows: Floats, right: Floats, *, name: str) -> tuple[float, ...]:
    """Logistic regression by Newton's method, with a slight pull towards zero."""
    if not len(rows) or right.min() == right.max():
        raise ValueError(f"calibration: the {name} predicted are none, all right or all wrong")
    weights = np.zeros(rows.shape[1])
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-rows @ weights))
        gradient = rows.T @ (p - right) + _RIDGE * weights
        curvature = (rows.T * (p * (1 - p))) @ rows + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return tuple(float(w) for w in weights)
