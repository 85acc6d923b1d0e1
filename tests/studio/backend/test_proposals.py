from __future__ import annotations

from typing import Any

import pytest

from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.tasks import read_tasks
from pressgang.studio.backend.proposals import Tally, propose, read_target, taken_places
from tests.studio.backend.conftest import LABELS

TEXT = "👩 Askar fled to Osh.\r\nNurlan stayed."
ASKAR, OSH, NURLAN = (
    Entity(TEXT.index(name), TEXT.index(name) + len(name), label, 0.9)
    for name, label in (("Askar", "PERSON"), ("Osh", "PLACE"), ("Nurlan", "PERSON"))
)
FOUND = Document(
    "0",
    TEXT,
    (ASKAR, OSH, NURLAN),
    (Relation(ASKAR, OSH, "FLED", 0.8), Relation(ASKAR, OSH, "JAILED_IN", 0.6)),
)
TARGET = read_target(LABELS)


def regions(result: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in result if entry["type"] == "labels"]


def relations(result: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in result if entry["type"] == "relation"]


def test_two_labels_on_one_pair_are_one_relation_and_come_back_as_two() -> None:
    result = propose(FOUND, TARGET, Tally())
    assert [r["labels"] for r in relations(result)] == [["FLED", "JAILED_IN"]]
    task = {"data": {"text": TEXT, "id": "0"}, "annotations": [{"result": result}]}
    reading = read_tasks([task], config=TARGET)
    assert reading.problems == ()
    assert reading.documents == (FOUND,)


def test_every_answer_has_ids_of_its_own() -> None:
    answers = [propose(FOUND, TARGET, Tally()) for _ in range(20)]
    ids = [region["id"] for result in answers for region in regions(result)]
    assert len(set(ids)) == len(ids) == 60
    for result in answers:
        own = {region["id"] for region in regions(result)}
        assert {r[end] for r in relations(result) for end in ("from_id", "to_id")} <= own


def test_offsets_count_characters() -> None:
    for region in regions(propose(FOUND, TARGET, Tally())):
        value = region["value"]
        assert TEXT[value["start"] : value["end"]] == value["text"]


def test_what_is_marked_already_is_not_proposed_again() -> None:
    tally = Tally()
    result = propose(FOUND, TARGET, tally, taken=[(OSH.start + 1, OSH.end + 2)])
    assert [r["value"]["text"] for r in regions(result)] == ["Askar", "Nurlan"]
    assert relations(result) == []
    assert tally.counts["entities where a region is already"] == 1
    assert tally.counts["relations of entities left out"] == 2


def test_a_region_that_only_touches_takes_nothing() -> None:
    result = propose(FOUND, TARGET, Tally(), taken=[(OSH.end, OSH.end + 1), (0, ASKAR.start)])
    assert len(regions(result)) == 3


def test_labels_that_the_project_does_not_have_are_counted_not_sent() -> None:
    narrow = read_target(
        LABELS.replace('<Label value="PLACE"/>', "").replace('<Relation value="FLED"/>', "")
    )
    tally = Tally()
    result = propose(FOUND, narrow, tally)
    assert [r["value"]["text"] for r in regions(result)] == ["Askar", "Nurlan"]
    assert tally.counts["entities with a label unknown to the project"] == 1
    assert tally.counts["relations with a label unknown to the project"] == 1
    assert tally.counts["relations of entities left out"] == 1


def test_places_are_read_from_all_that_the_editor_may_hold() -> None:
    def marked(start: object, end: object) -> dict[str, Any]:
        return {"result": [{"type": "labels", "value": {"start": start, "end": end}}]}

    task = {
        "drafts": [marked(1, 2), marked("1", 2), {"result": None}],
        "annotations": [marked(3, 4), "junk"],
        "predictions": [marked(5, 6), marked(9, 8)],
    }
    assert sorted(taken_places(task, marked(7, 8))) == [(1, 2), (3, 4), (5, 6), (7, 8)]
    assert taken_places({"drafts": 4}, None) == []


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<View/>", "no tag <Labels"),
        (LABELS.replace("</View>", '<Labels name="b" toName="text"/></View>'), "several <Labels>"),
        (LABELS.replace("<Text", "<HyperText"), "<HyperText>"),
        ("<!DOCTYPE a>" + LABELS, "DTD"),
    ],
)
def test_a_project_that_cannot_be_answered_is_told_why(xml: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_target(xml)
