"""The documents written for training: what `annotations/` says of them, and that nothing leaks."""

from __future__ import annotations

import bisect
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pressgang.document import Document
from pressgang.evaluation.evaluate import evaluate
from pressgang.label_studio.labeling_config import read_labeling_config
from pressgang.label_studio.tasks import read_export, read_exports
from pressgang.text.segmentation import sentence_starts

FOLDER = Path("annotations")
CONFIG = read_labeling_config(FOLDER / "labeling_config.xml")
FILES = sorted((FOLDER / "authored").glob("*.json"))
READING = read_exports(FILES, config=CONFIG)
AUTHORED = READING.documents
GOLD = read_export(FOLDER / "gold.json", config=CONFIG).documents
FIRST, SECOND = (
    read_export(FOLDER / "second_reading" / name, config=CONFIG).documents
    for name in ("first.json", "second.json")
)
TASKS: list[dict[str, Any]] = [
    task for path in FILES for task in json.loads(path.read_text(encoding="utf-8"))
]

MIN_OF_EACH_ENTITY_LABEL = 250
MIN_OF_EACH_RELATION_LABEL = 120
NAME_PARTICLES = {"uulu", "kyzy", "and", "the"}


def test_they_read_without_a_problem() -> None:
    assert not READING.problems
    assert READING.n_tasks == len(AUTHORED) == len(TASKS)


def test_there_is_enough_of_everything() -> None:
    entities = Counter(e.label for d in AUTHORED for e in d.entities)
    relations = Counter(r.label for d in AUTHORED for r in d.relations)
    assert len(AUTHORED) >= 240
    assert sum(len(d.text.split()) for d in AUTHORED) >= 50_000
    assert entities.total() >= 11_000
    assert relations.total() >= 4_500
    assert set(entities) == set(CONFIG.entity_labels)
    assert set(relations) == set(CONFIG.relation_labels)
    assert min(entities.values()) >= MIN_OF_EACH_ENTITY_LABEL
    assert min(relations.values()) >= MIN_OF_EACH_RELATION_LABEL
    assert sum(n_across_sentences(d) for d in AUTHORED) >= 800


def test_registers_and_hard_negatives() -> None:
    registers = Counter(task["data"]["register"] for task in TASKS)
    assert {path.stem for path in FILES} == set(registers)
    assert len(registers) == 19
    assert min(registers.values()) >= 8
    n_hard = sum(bool(task["data"]["hard_negative"]) for task in TASKS)
    assert n_hard >= 0.15 * len(TASKS)


def runs_of_eight(text: str) -> set[tuple[str, ...]]:
    """All runs of eight words, marks left out."""
    found = re.findall(r"\w+", text.casefold())
    return {tuple(found[i : i + 8]) for i in range(len(found) - 7)}


def test_no_run_of_eight_words_is_shared_with_the_articles() -> None:
    pages = [page.read_text(encoding="utf-8") for page in FOLDER.glob("pages/*.txt")]
    known = set().union(*map(runs_of_eight, [*(d.text for d in GOLD), *pages]))
    assert len(known) > 4_000
    for document in AUTHORED:
        assert not runs_of_eight(document.text) & known, document.id
    copied = "He said: " + " ".join(GOLD[0].text.split()[5:16]) + " again."
    assert runs_of_eight(copied) & known  # the test would find one


def test_no_person_bears_a_name_of_the_articles() -> None:
    def names(documents: tuple[Document, ...]) -> set[str]:
        return {
            token
            for d in documents
            for e in d.entities
            if e.label == "PERSON"
            for token in re.findall(r"[^\W\d_]{3,}", d.surface(e).casefold())
        }

    assert names(GOLD)
    assert names(AUTHORED) & names(GOLD) <= NAME_PARTICLES


def test_arguments_are_never_more_than_a_paragraph_apart() -> None:
    for document in AUTHORED:
        for relation in document.relations:
            first, second = sorted((relation.head, relation.tail))
            between = document.text[first.end : second.start]
            assert len(re.findall(r"\n+", between)) <= 1, (document.id, relation)


def test_an_alias_has_the_label_of_what_it_stands_for() -> None:
    for document in AUTHORED:
        for relation in document.relations:
            if relation.label == "ALIAS_OF":
                assert relation.head.label == relation.tail.label, (document.id, relation)


def test_the_page_can_show_every_relation() -> None:
    """The labeling page keeps one relation for each ordered pair; two labels share one object."""
    for task in TASKS:
        pairs = [
            (result["from_id"], result["to_id"])
            for result in task["annotations"][0]["result"]
            if result["type"] == "relation"
        ]
        assert len(pairs) == len(set(pairs)), task["data"]["id"]


def test_the_second_reading_is_of_a_tenth() -> None:
    texts = {d.id: d.text for d in AUTHORED}
    assert all(texts[d.id] == d.text for d in (*FIRST, *SECOND))
    n_words = sum(len(d.text.split()) for d in FIRST)
    assert n_words >= 0.09 * sum(len(d.text.split()) for d in AUTHORED)


def test_the_suspects_looked_at_are_counted() -> None:
    lines = (FOLDER / "suspects.tsv").read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    n_errors = Counter(row["kind"] for row in rows if row["decision"] == "error")
    n_all = Counter(row["kind"] for row in rows)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(rows) >= 300
    assert {row["decision"] for row in rows} == {"error", "right", "open"}
    for kind, n in n_all.items():
        assert f"| {kind} | {n} | {n_errors[kind]} |" in readme
    assert f"| all | {len(rows)} | {n_errors.total()} |" in readme


def test_the_card_counts_what_is_there() -> None:
    card = " ".join((FOLDER / "CARD.md").read_text(encoding="utf-8").split())
    n_words = sum(len(d.text.split()) for d in AUTHORED)
    n_entities = sum(len(d.entities) for d in AUTHORED)
    n_relations = sum(len(d.relations) for d in AUTHORED)
    scores = evaluate(FIRST, SECOND).model
    assert (
        f"{len(AUTHORED)} documents ({n_words:,} words, {n_entities:,} entities, "
        f"{n_relations:,} relations) in 19 registers"
    ) in card
    assert (
        f"F1 {scores.entities.micro.counts.f1:.3f} (entities), "
        f"{scores.relations.micro.counts.f1:.3f} (relations)"
    ) in card


@pytest.mark.parametrize("part", ["labels", "registers"])
def test_the_readme_counts_what_is_there(part: str) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = label_table() if part == "labels" else register_table()
    assert table in readme, f"the table of {part} in annotations/README.md should be:\n{table}"


def n_across_sentences(document: Document) -> int:
    """How many relations have their arguments in different sentences."""
    starts = sentence_starts(document.text).tolist()
    return sum(
        bisect.bisect_right(starts, r.head.start) != bisect.bisect_right(starts, r.tail.start)
        for r in document.relations
    )


def label_table() -> str:
    """Mentions and relations by label: written, in the articles, agreement of two readings."""
    scores = evaluate(FIRST, SECOND).model
    lines = []
    for title, attribute in (("entity label", "entities"), ("relation label", "relations")):
        lines += [f"| {title} | written | articles | agreement, F1 |", "|---|---|---|---|"]
        written, articles = (
            Counter(thing.label for d in documents for thing in getattr(d, attribute))
            for documents in (AUTHORED, GOLD)
        )
        part = getattr(scores, attribute)
        order = CONFIG.entity_labels if attribute == "entities" else CONFIG.relation_labels
        lines += [
            f"| {label} | {written[label]:,} | {articles[label]:,} "
            f"| {part.by_label[label].counts.f1:.3f} |"
            for label in order
        ]
        lines.append(
            f"| all | {written.total():,} | {articles.total():,} | {part.micro.counts.f1:.3f} |"
        )
        lines.append("")
    return "\n".join(lines)


def register_table() -> str:
    """Documents, words, entities and relations by register."""
    documents = {d.id: d for d in AUTHORED}
    lines = [
        "| register | documents | hard negatives | words | entities | relations | reaching back |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = {path.stem: [t for t in TASKS if t["data"]["register"] == path.stem] for path in FILES}
    for name, tasks in [*groups.items(), ("all", TASKS)]:
        members = [documents[task["data"]["id"]] for task in tasks]
        numbers = (
            len(members),
            sum(bool(task["data"]["hard_negative"]) for task in tasks),
            sum(len(d.text.split()) for d in members),
            sum(len(d.entities) for d in members),
            sum(len(d.relations) for d in members),
            sum(map(n_across_sentences, members)),
        )
        lines.append(f"| {name} | {' | '.join(f'{n:,}' for n in numbers)} |")
    return "\n".join(lines)
