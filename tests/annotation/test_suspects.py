from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pressgang.annotation.suspects import context, find_suspects
from pressgang.cli import app
from pressgang.document import Document, Entity, Relation
from tests.conftest import mark


def kinds(documents: list[Document], *predicted: Document) -> dict[str, list[str]]:
    """For each kind, the surfaces under suspicion."""
    texts = {d.id: d.text for d in documents}
    found: dict[str, list[str]] = {}
    for suspect in find_suspects(documents, {d.id: d for d in predicted}):
        surface = texts[suspect.document][suspect.start : suspect.end]
        found.setdefault(suspect.kind, []).append(surface)
    return found


def test_a_surface_with_its_rarer_label_and_one_left_unmarked() -> None:
    documents = [
        mark("a", "[Osh](PLACE) and [Osh](PLACE) again.", ""),
        mark("b", "[Osh](COURT) sat. They left Osh for Oshmyany.", ""),
    ]
    assert kinds(documents) == {"two labels": ["Osh"], "unmarked": ["Osh"]}
    unmarked = find_suspects(documents)[1]
    assert (unmarked.document, unmarked.start) == ("b", 19)
    assert unmarked.weight == pytest.approx(3 / 4)
    assert context(documents[1], unmarked) == "Osh sat. They left ‖Osh‖ for Oshmyany."


def test_what_lies_within_a_mention_is_marked() -> None:
    documents = [mark("a", "[Osh](PLACE), [Osh](PLACE) and [Osh City Court](COURT).", "")]
    assert kinds(documents) == {}


def test_a_relation_between_unusual_labels() -> None:
    many = [mark(str(i), "[A](X:a) [B](Y:b)", "a R b") for i in range(60)]
    odd = mark("odd", "[A](X:a) [C](X:c)", "c R a")
    assert kinds([*many, odd]) == {"rare triple": ["A C"]}


def test_a_sentence_without_any_relation() -> None:
    related = mark("a", "[A](X:a) [B](Y:b).", "a R b")
    bare = mark("b", "[A](X) and [C](X) and [D](X) met [Bo](Y). Then [A](X) left.", "")
    assert kinds([related, bare]) == {"no relation": ["A and C and D met Bo"]}


def test_the_disagreements_of_a_model_by_its_confidence() -> None:
    gold = mark("a", "[Ana](P:a), [Bo](P:b) and [Cy](P:c) in [Osh](L:o).", "a IN o\nb IN o")
    ana, bo, cy, osh = gold.entities
    extra = Entity(len(gold.text) - 1, len(gold.text), "P", 0.9)
    predicted = Document(
        "a",
        gold.text,
        (ana, dataclasses.replace(bo, label="Q", score=0.8), cy, osh, extra),
        (Relation(cy, osh, "IN", 0.95), Relation(ana, osh, "OF", 0.3), Relation(ana, osh, "IN")),
    )
    found = [s for s in find_suspects([gold], {"a": predicted}) if s.kind == "model"]
    assert [s.what for s in found] == [
        "model finds Cy IN Osh",
        "model finds P",
        "model finds Q",
        "model finds Ana OF Osh",
    ]


def test_predictions_on_another_text_are_refused() -> None:
    with pytest.raises(ValueError, match="another text"):
        find_suspects([mark("a", "[Osh](L).", "")], {"a": Document("a", "Batken.")})


def test_the_command_lists_them() -> None:
    result = CliRunner().invoke(app, ["suspects", str(Path("annotations/gold.json"))])
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert len(lines) > 20
    assert all(len(fields) == 6 and "‖" in fields[5] for fields in lines)
