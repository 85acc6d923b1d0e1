from __future__ import annotations

import json
from typing import Any

import pytest

from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.labeling_config import parse_labeling_config
from pressgang.label_studio.predictions import check_result, prediction_tasks, to_prediction_task

CONFIG = parse_labeling_config(
    """<View>
    <Labels name="ner" toName="article"><Label value="PERSON"/><Label value="PLACE"/></Labels>
    <Relations><Relation value="JAILED_IN"/><Relation value="BORN_IN"/></Relations>
    <Text name="article" value="$body"/></View>"""
)
DOCUMENT = Document(
    "news-1",
    "😀\r\nAskar, jailed in Osh",
    (Entity(3, 8, "PERSON", 0.9), Entity(20, 23, "PLACE", 0.8)),
)


def document(*labels: str) -> Document:
    head, tail = DOCUMENT.entities
    relations = tuple(
        Relation(head, tail, label, 0.7 - index / 10) for index, label in enumerate(labels)
    )
    return Document(DOCUMENT.id, DOCUMENT.text, DOCUMENT.entities, relations)


def test_a_document_is_a_task_with_one_prediction() -> None:
    task = to_prediction_task(document("JAILED_IN"), model_version="m-1", config=CONFIG)
    assert task["data"] == {"id": "news-1", "body": DOCUMENT.text}
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("m-1", 0.7)
    person, place, relation = prediction["result"]
    assert person == {
        "id": "e0",
        "from_name": "ner",
        "to_name": "article",
        "type": "labels",
        "value": {"start": 3, "end": 8, "text": "Askar", "labels": ["PERSON"]},
        "score": 0.9,
    }
    assert place["value"]["text"] == "Osh"
    assert (relation["from_id"], relation["to_id"], relation["labels"]) == (
        "e0",
        "e1",
        ["JAILED_IN"],
    )


def test_two_labels_on_one_pair_are_one_relation_with_two_labels() -> None:
    task = to_prediction_task(document("BORN_IN", "JAILED_IN"), model_version="m", config=CONFIG)
    relations = [r for r in task["predictions"][0]["result"] if r["type"] == "relation"]
    assert [r["labels"] for r in relations] == [["BORN_IN", "JAILED_IN"]]


def test_the_file_is_json_whatever_the_number_of_tasks() -> None:
    for n_tasks in range(3):
        pieces = prediction_tasks([document("BORN_IN")] * n_tasks, model_version="m")
        assert len(json.loads("".join(pieces))) == n_tasks


def test_a_label_that_the_config_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="document 'news-1': 'KNOWS' is not in the labeling"):
        to_prediction_task(document("KNOWS"), model_version="m", config=CONFIG)
    other = Document("x", "Osh", (Entity(0, 3, "CITY"),))
    with pytest.raises(ValueError, match="'CITY' is not in"):
        to_prediction_task(other, model_version="m", config=CONFIG)


def test_several_tags_of_labels_are_refused() -> None:
    two = parse_labeling_config(
        """<View><Labels name="a" toName="t"><Label value="A"/></Labels>
        <Labels name="b" toName="t"><Label value="B"/></Labels><Text name="t" value="$t"/></View>"""
    )
    with pytest.raises(ValueError, match=r"several <Labels> \(a, b\)"):
        to_prediction_task(DOCUMENT, model_version="m", config=two)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "e0"}, "two regions have the id 'e0'"),
        ({"value": {"start": 0, "end": 3, "text": "Osh", "labels": ["PLACE"]}}, "is not 'Osh'"),
        ({"value": {"start": 99, "end": 102, "text": "", "labels": ["PLACE"]}}, r"\[99, 102\)"),
        ({"id": "elsewhere"}, "leads to a region that is not there"),
    ],
)
def test_what_would_blank_the_page_is_refused(change: dict[str, Any], message: str) -> None:
    task = to_prediction_task(document("JAILED_IN"), model_version="m", config=CONFIG)
    person, place, relation = task["predictions"][0]["result"]
    with pytest.raises(ValueError, match=f"document 'news-1': .*{message}"):
        check_result([person, place | change, relation], DOCUMENT, CONFIG)
