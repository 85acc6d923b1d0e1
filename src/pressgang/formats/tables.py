"""CSV: a table of entities and a table of relations, a row each, for spreadsheets and databases."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from pressgang.document import Document, Entity

ENTITY_COLUMNS = ("document", "entity", "start", "end", "label", "text", "score")
RELATION_COLUMNS = (
    *("document", "label", "score"),
    *("head", "head_start", "head_end", "head_label", "head_text"),
    *("tail", "tail_start", "tail_end", "tail_label", "tail_text"),
)


def write_tables(paths: Sequence[Path], documents: Iterable[Document]) -> None:
    """Write the entities to the first path and the relations to the second, UTF-8 (RFC 4180).

    `entity`, `head` and `tail` are positions among the document's entities; an unknown score is an
    empty cell.
    """
    entity_path, relation_path = paths
    with (
        entity_path.open("w", encoding="utf-8", newline="") as entity_file,
        relation_path.open("w", encoding="utf-8", newline="") as relation_file,
    ):
        entities, relations = csv.writer(entity_file), csv.writer(relation_file)
        entities.writerow(ENTITY_COLUMNS)
        relations.writerow(RELATION_COLUMNS)
        for document in documents:
            position = {entity: index for index, entity in enumerate(document.entities)}
            for entity in document.entities:
                entities.writerow(
                    [document.id, *_cells(document, position, entity), _score(entity.score)]
                )
            for relation in document.relations:
                relations.writerow(
                    [
                        *(document.id, relation.label, _score(relation.score)),
                        *_cells(document, position, relation.head),
                        *_cells(document, position, relation.tail),
                    ]
                )


def _cells(
    document: Document, position: dict[Entity, int], entity: Entity
) -> tuple[int, int, int, str, str]:
    surface = document.surface(entity)
    return position[entity], entity.start, entity.end, entity.label, surface


def _score(score: float | None) -> float | str:
    return "" if score is None else round(score, 4)
