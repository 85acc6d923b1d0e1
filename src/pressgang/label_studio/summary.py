"""What `pressgang check` prints of a reading: what it holds, and what a model could not learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pressgang.document import Document, Entity
from pressgang.label_studio.problems import ProblemKind, brief
from pressgang.label_studio.tasks import Reading
from pressgang.printable import printable
from pressgang.text.segmentation import sentence_starts, words

N_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a reading; all are of its documents.

    `triples` counts (head label, relation, tail label). `off_words` describes the mentions that do
    not begin and end with a word, `broken` those with a sentence border inside: a model that tags
    the words of one sentence predicts neither.
    """

    n_characters: int
    n_words: int
    n_without_entities: int
    entities: Counter[str]
    triples: Counter[tuple[str, str, str]]
    across_sentences: Counter[str]
    off_words: tuple[str, ...]
    broken: tuple[str, ...]


def summarize(reading: Reading) -> Summary:
    """The counts of a reading."""
    documents = reading.documents
    relations = [relation for document in documents for relation in document.relations]
    return Summary(
        sum(len(document.text) for document in documents),
        sum(len(words(document.text)) for document in documents),
        sum(not document.entities for document in documents),
        Counter(entity.label for document in documents for entity in document.entities),
        Counter((r.head.label, r.label, r.tail.label) for r in relations),
        Counter(label for document in documents for label in _across_sentences(document)),
        tuple(_described(documents, _off_words)),
        tuple(_described(documents, _broken)),
    )


def render(reading: Reading, console: Console) -> None:
    """Print a reading as tables."""
    summary = summarize(reading)
    console.print(_overview(reading, summary))
    if summary.entities:
        console.print(_entity_table(summary))
    if summary.triples:
        console.print(_relation_table(summary))
    console.print(_limits_table(reading, summary))
    if not reading.problems:
        console.print("No problems.")
        return
    console.print(_problem_table(reading))
    for problem in reading.problems:
        line = f"{problem.place}: {problem.kind.value}: {problem.message}"
        console.print(_plain(" ".join(line.split("\n"))), soft_wrap=True)


def _across_sentences(document: Document) -> Iterator[str]:
    """The labels of the relations whose arguments begin in different sentences."""
    starts = sentence_starts(document.text)
    for relation in document.relations:
        places = [relation.head.start, relation.tail.start]
        head, tail = np.searchsorted(starts, places, side="right")
        if head != tail:
            yield relation.label


def _off_words(document: Document) -> list[Entity]:
    """The mentions that do not begin and end with a word."""
    starts, ends = (set(column.tolist()) for column in words(document.text).T)
    return [e for e in document.entities if e.start not in starts or e.end not in ends]


def _broken(document: Document) -> list[Entity]:
    """The mentions with a sentence border inside."""
    starts = sentence_starts(document.text)
    spans = np.array([(e.start, e.end) for e in document.entities]).reshape(-1, 2)
    first = np.searchsorted(starts, spans[:, 0], side="right")
    last = np.searchsorted(starts, spans[:, 1], side="left")
    return [e for e, is_broken in zip(document.entities, first < last, strict=True) if is_broken]


def _described(
    documents: Iterable[Document], find: Callable[[Document], list[Entity]]
) -> Iterator[str]:
    for document in documents:
        for e in find(document):
            yield f"{document.id}: {brief(document.surface(e))} ({e.label}) [{e.start}, {e.end})"


def _overview(reading: Reading, summary: Summary) -> Table:
    table = _table("Read", "", "in documents", "left out")
    table.add_row("files", f"{reading.n_files}", "")
    n_documents = len(reading.documents)
    table.add_row("tasks", f"{n_documents} of {reading.n_tasks}", f"{reading.n_left_out}")
    table.add_row("  without entities", f"{summary.n_without_entities}", "")
    table.add_row("entities", f"{summary.entities.total()}", f"{reading.n_lost_entities}")
    table.add_row("relations", f"{summary.triples.total()}", f"{reading.n_lost_relations}")
    table.add_row("words", f"{summary.n_words}", "")
    table.add_row("characters", f"{summary.n_characters}", "")
    return table


def _entity_table(summary: Summary) -> Table:
    table = _table("Entities", "label", "count")
    for label, n in summary.entities.most_common():
        table.add_row(_plain(label), f"{n}")
    return table


def _relation_table(summary: Summary) -> Table:
    table = _table("Relations", "label", "count", "across sentences", "head and tail labels")
    n_relations: Counter[str] = Counter()
    for (_, label, _), n in summary.triples.items():
        n_relations[label] += n
    for label, n in n_relations.most_common():
        pairs = ", ".join(
            f"{head} → {tail} {n_pair}"
            for (head, relation, tail), n_pair in summary.triples.most_common()
            if relation == label
        )
        table.add_row(_plain(label), f"{n}", f"{summary.across_sentences[label]}", _plain(pairs))
    return table


def _limits_table(reading: Reading, summary: Summary) -> Table:
    """Gold that a model over the words of a sentence never predicts: the bound on its recall."""
    overlaps = [p.message for p in reading.problems if p.kind is ProblemKind.OVERLAP]
    table = _table("Entities that a word tagger can never predict", "why", "count", "examples")
    for why, found in (
        ("overlap another entity", overlaps),
        ("begin or end inside a word", summary.off_words),
        ("cross a sentence border", summary.broken),
    ):
        table.add_row(why, f"{len(found)}", _plain("\n".join(found[:N_EXAMPLES])))
    return table


def _problem_table(reading: Reading) -> Table:
    table = _table("Problems", "kind", "count", "entities lost", "relations lost", "what")
    for kind, n in reading.problem_counts().most_common():
        problems = [problem for problem in reading.problems if problem.kind is kind]
        table.add_row(
            kind.value,
            f"{n}",
            f"{sum(p.lost_entities for p in problems)}",
            f"{sum(p.lost_relations for p in problems)}",
            kind.meaning,
        )
    return table


def _table(title: str, first: str, *others: str) -> Table:
    """An empty table; columns of counts stand to the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first, no_wrap=True)
    for name in others:
        is_count = name not in {"examples", "what", "head and tail labels"}
        table.add_column(name, justify="right" if is_count else "left", overflow="fold")
    return table


def _plain(text: str) -> Text:
    """The text as it is: no markup is read in it, and nothing in it steers the terminal."""
    return Text(printable(text))
