from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.labeling_config import parse_labeling_config
from pressgang.label_studio.tasks import read_tasks, to_result
from pressgang.studio.outgoing import faults, version_of
from tests.conftest import mark
from tests.studio.conftest import CONFIG

LABELS = parse_labeling_config(CONFIG)
DOCUMENT = mark(
    "a", "[Ada 👩](PERSON:a) left [Osh](PLACE:o).\r\n", "a JAILED_IN o\na KNOWS o\no KNOWS a"
)

Result = list[dict[str, Any]]


def test_a_document_has_no_fault_and_is_read_back_as_it_was() -> None:
    result = to_result(DOCUMENT)
    assert not list(faults(result, DOCUMENT.text, LABELS))
    assert [entry["labels"] for entry in result[2:]] == [["JAILED_IN", "KNOWS"], ["KNOWS"]]
    task = {"data": {"id": "a", "text": DOCUMENT.text}, "annotations": [{"result": result}]}
    reading = read_tasks([task], config=LABELS)
    assert (reading.documents, reading.problems) == ((DOCUMENT,), ())


def setting(position: int, *path: str, to: object) -> Callable[[Result], None]:
    def change(result: Result) -> None:
        entry = result[position]
        for name in path[:-1]:
            entry = entry[name]
        entry[path[-1]] = to

    return change


@pytest.mark.parametrize(
    "spoil",
    [
        *(setting(0, "id", to=name) for name in (None, "", 7, "e1")),
        *(setting(0, name, to="other") for name in ("type", "from_name", "to_name")),
        *(
            setting(0, "value", "labels", to=labels)
            for labels in (None, [], ["CITY"], "PERSON", ["PERSON", "PLACE"], ["JAILED_IN"])
        ),
        *(setting(0, "value", "start", to=at) for at in (-1, 5, 6, 99, "0", 0.0, True, None)),
        *(setting(0, "value", "end", to=at) for at in (0, 4, 99, "5", math.nan, None)),
        setting(0, "value", "text", to="Ada"),
        setting(0, "value", to=None),
        *(setting(0, "score", to=score) for score in (2.5, -1, math.nan, "high", None)),
        *(setting(2, name, to="e9") for name in ("from_id", "to_id")),
        setting(2, "to_id", to="e0"),
        *(
            setting(2, "labels", to=labels)
            for labels in (None, [], ["LIVES"], ["KNOWS", "KNOWS"], ["PERSON"])
        ),
        *(setting(2, "direction", to=way) for way in (None, "up")),
        lambda result: result.append(copy.deepcopy(result[2])),
    ],
)
def test_what_would_spoil_the_page_is_a_fault(spoil: Callable[[Result], None]) -> None:
    result = to_result(DOCUMENT)
    spoil(result)
    assert list(faults(result, DOCUMENT.text, LABELS))


def test_a_version_follows_the_weights(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    with pytest.raises(ValueError, match="no pressgang model here"):
        version_of(folder)
    (folder / "model.safetensors").write_bytes(b"one")
    (folder / "pressgang.json").write_text("{}")
    first = version_of(folder)
    assert first.startswith("tiny-")
    assert version_of(folder) == first
    (folder / "model.safetensors").write_bytes(b"two")
    assert version_of(folder) != first


def test_an_overlap_of_two_labels_is_two_regions() -> None:
    one, two = Entity(0, 3, "PERSON"), Entity(0, 3, "PLACE")
    document = Document("a", "Ada ran.", (one, two), (Relation(one, two, "KNOWS"),))
    result = to_result(document)
    assert not list(faults(result, document.text, LABELS))
    assert read_tasks(
        [{"data": {"id": "a", "text": "Ada ran."}, "annotations": [{"result": result}]}]
    ).documents == (document,)
