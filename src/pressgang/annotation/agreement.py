"""How far two annotations of the same documents agree, and where they do not."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.evaluate import evaluate
from pressgang.printable import printable
from pressgang.text.segmentation import words

Labels = frozenset[str]
Choices = Counter[tuple[Labels, Labels]]
"""How often the first annotation chose these labels for a thing where the second chose those."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What only one of two annotations holds. `start` counts characters."""

    document: str
    start: int
    only_in: str
    what: str


def agreement_table(first: Sequence[Document], second: Sequence[Document]) -> Table:
    """Strict F1 and Cohen's kappa by label.

    F1 is the same whichever of the two is taken for the right one. Kappa (Cohen, 1960) needs things
    that both could have labelled and did not: for entities these are the words of the texts, for
    relations the ordered pairs of mentions that both annotations have. It is a dash where one
    choice is all that was ever made.

    Raises ValueError if the two are not annotations of the same texts under the same ids.
    """
    scores = evaluate(first, second).model
    pairs = list(zip(*in_common(first, second), strict=True))
    chosen = _words_chosen(pairs), _pairs_chosen(pairs)
    table = Table("", "first", "second", "both", "F1", "kappa")
    for name, part, choices in (
        ("entities", scores.entities, chosen[0]),
        ("relations", scores.relations, chosen[1]),
    ):
        for label, score in [(None, part.micro), *part.by_label.items()]:
            c = score.counts
            numbers = (c.n_gold, c.n_predicted, c.n_correct)
            agreed = kappa(choices if label is None else _of_label(choices, label))
            table.add_row(
                printable(f"all {name}" if label is None else label),
                *map(str, numbers),
                f"{c.f1:.3f}",
                "–" if agreed is None else f"{agreed:.3f}",
            )
    return table


def print_agreement(
    annotators: Mapping[str, Sequence[Document]], *, source: str, show: bool
) -> None:
    """Print how far each two annotators agree on the documents that both finished.

    Raises ValueError naming the source if there are no two such annotators.
    """
    n_compared = 0
    for one, two in itertools.combinations(annotators, 2):
        first, second = in_common(annotators[one], annotators[two])
        if first:
            n_compared += 1
            names = f"annotator {one}", f"annotator {two}"
            title = f"{names[0]} and {names[1]}: {len(first)} documents by both"
            print_pair(first, second, names, title=title, show=show)
    if not n_compared:
        who = ", ".join(f"{name} ({len(own)})" for name, own in annotators.items())
        known = f"; annotators: {who}" if who else ""
        raise ValueError(f"{source}: no two annotators finished the same task{known}")


def print_pair(
    first: Sequence[Document],
    second: Sequence[Document],
    names: tuple[str, str],
    *,
    title: str = "",
    show: bool,
) -> None:
    """Print the agreement of two annotations and, to `show`, each difference, tab-separated.

    Raises ValueError if the two are not annotations of the same texts under the same ids.
    """
    console = Console(markup=False, highlight=False)
    table = agreement_table(first, second)
    if title:
        console.print(printable(title))
    console.print(table)
    if not show:
        return
    called = dict(zip(("first", "second"), names, strict=True))
    for d in differences(first, second):
        fields = (d.document, str(d.start), f"only in {called[d.only_in]}", d.what)
        print("\t".join(map(printable, fields)))  # noqa: T201


def kappa(choices: Mapping[tuple[Labels, Labels], int]) -> float | None:
    """Cohen's kappa: agreement beyond what the two margins give by chance, 1 at the most.

    None where there is nothing to choose between, or nothing at all.
    `{({"A"}, {"A"}): 2, ({"A"}, {}): 1, ({}, {}): 1}` -> `0.5`
    """
    total = sum(choices.values())
    if not total:
        return None
    margins: tuple[Counter[Labels], Counter[Labels]] = Counter(), Counter()
    for pair, n in choices.items():
        for margin, labels in zip(margins, pair, strict=True):
            margin[labels] += n
    observed = sum(n for (one, two), n in choices.items() if one == two) / total
    by_chance = sum(n * margins[1][labels] for labels, n in margins[0].items()) / total**2
    return None if by_chance == 1 else (observed - by_chance) / (1 - by_chance)


def in_common(
    first: Iterable[Document], second: Iterable[Document]
) -> tuple[list[Document], list[Document]]:
    """The documents that both hold, by id, in the order of the first."""
    others = {d.id: d for d in second}
    both = [d for d in first if d.id in others]
    return both, [others[d.id] for d in both]


def _words_chosen(pairs: Iterable[tuple[Document, Document]]) -> Choices:
    """The labels of each word in both annotations; an overlap gives a word several."""
    choices: Choices = Counter()
    for one, two in pairs:
        for start, end in words(one.text).tolist():
            choices[_labels_at(one, start, end), _labels_at(two, start, end)] += 1
    return choices


def _labels_at(document: Document, start: int, end: int) -> Labels:
    return frozenset(e.label for e in document.entities if e.start < end and start < e.end)


def _pairs_chosen(pairs: Sequence[tuple[Document, Document]]) -> Choices:
    """The relations of each ordered pair of mentions that both have.

    Only pairs of labels that are related somewhere: all others agree in having nothing.
    """
    related = {(r.head.label, r.tail.label) for pair in pairs for d in pair for r in d.relations}
    choices: Choices = Counter()
    for one, two in pairs:
        stated = _stated(one), _stated(two)
        both = sorted(set(one.entities) & set(two.entities))
        for head, tail in itertools.permutations(both, 2):
            if (head.label, tail.label) in related:
                chosen = tuple(s.get((head, tail), frozenset()) for s in stated)
                choices[chosen[0], chosen[1]] += 1
    return choices


def _stated(document: Document) -> dict[tuple[Entity, Entity], Labels]:
    labels: dict[tuple[Entity, Entity], Labels] = {}
    for r in document.relations:
        labels[r.head, r.tail] = labels.get((r.head, r.tail), frozenset()) | {r.label}
    return labels


def _of_label(choices: Choices, label: str) -> Choices:
    """The same choices as yes or no to one label."""
    reduced: Choices = Counter()
    for (one, two), n in choices.items():
        reduced[one & {label}, two & {label}] += n
    return reduced


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
