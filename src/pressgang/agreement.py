"""How far two annotations of the same documents agree, and where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation import evaluate
from pressgang.printable import printable


@dataclass(frozen=True, slots=True)
class Difference:
    """What only one of two annotations holds. `start` counts characters."""

    document: str
    start: int
    only_in: str
    what: str


def agreement_table(first: Sequence[Document], second: Sequence[Document]) -> Table:
    """Strict F1 by label, which is the same whichever of the two is taken for the right one.

    Raises ValueError if the two are not annotations of the same texts under the same ids.
    """
    scores = evaluate(first, second).model
    table = Table("", "first", "second", "both", "F1")
    for name, part in (("entities", scores.entities), ("relations", scores.relations)):
        for label, score in [(f"all {name}", part.micro), *part.by_label.items()]:
            c = score.counts
            numbers = (c.n_gold, c.n_predicted, c.n_correct)
            table.add_row(printable(label), *map(str, numbers), f"{c.f1:.3f}")
    return table


def differences(first: Sequence[Document], second: Sequence[Document]) -> Iterator[Difference]:
    """Entities and relations of one annotation alone, by document and place."""
    others = {d.id: d for d in second}
    for one in first:
        two = others[one.id]
        found = []
        for name, document, other in (("first", one, two), ("second", two, one)):
            things: list[Entity | Relation] = [
                *set(document.entities) - set(other.entities),
                *set(document.relations) - set(other.relations),
            ]
            found += [Difference(one.id, _start(t), name, _shown(document, t)) for t in things]
        yield from sorted(found, key=lambda d: (d.start, d.only_in, d.what))


def _start(thing: Entity | Relation) -> int:
    return thing.start if isinstance(thing, Entity) else thing.head.start


def _shown(document: Document, thing: Entity | Relation) -> str:
    if isinstance(thing, Entity):
        return f"{document.surface(thing)} {thing.label}"
    return f"{document.surface(thing.head)} {thing.label} {document.surface(thing.tail)}"
