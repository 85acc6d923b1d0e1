"""Which annotation of a task is read, and what its document is."""

import pytest

from pressgang.document import Document, Relation
from pressgang.label_studio.problems import ProblemKind as Kind
from pressgang.label_studio.tasks import read_tasks
from tests.label_studio.marks import (
    ADA,
    BOB,
    CONFIG,
    PARIS,
    TEXT,
    A,
    B,
    P,
    link,
    read_one,
    region,
    task,
)


def test_entities_and_relations_are_read():
    document, kinds = read_one(A, B, P, link("a", "b", "knows"))
    assert document == Document("task-1", TEXT, (ADA, BOB, PARIS), (Relation(ADA, BOB, "knows"),))
    assert kinds == []


def test_a_relation_may_stand_before_its_regions():
    assert read_one(link("a", "b", "knows"), A, B) == read_one(A, B, link("a", "b", "knows"))


@pytest.mark.parametrize(
    ("direction", "pairs"),
    [("right", {(ADA, BOB)}), ("left", {(BOB, ADA)}), ("bi", {(ADA, BOB), (BOB, ADA)})],
)
def test_directions_decide_head_and_tail(direction, pairs):
    document, kinds = read_one(A, B, link("a", "b", "knows", direction=direction))
    assert {(r.head, r.tail) for r in document.relations} == pairs
    assert kinds == []


def test_a_relation_with_two_labels_is_two_relations():
    document, kinds = read_one(A, B, link("a", "b", "knows", "likes"))
    assert [r.label for r in document.relations] == ["knows", "likes"]
    assert kinds == []


def test_an_empty_annotation_is_a_document_without_entities():
    reading = read_tasks([task()])
    assert reading.documents == (Document("task-1", TEXT),)
    assert reading.problems == ()


def test_marked_text_may_be_absent():
    assert read_one(region("a", 0, 3, "PER")) == (Document("task-1", TEXT, (ADA,)), [])


def test_crlf_counts_two_and_its_hand_drawn_spelling_is_known():
    crossing = region("a", 4, 12, "PER", text="met\\n\\nBob")
    document, kinds = read_one(crossing, text="Ada met\r\nBob")
    assert [document.surface(e) for e in document.entities] == ["met\r\nBob"]
    assert kinds == []


@pytest.mark.parametrize("key", ["id", "doc_id", "document_id"])
def test_a_document_takes_the_id_in_its_data(key):
    document, _ = read_one(A, **{key: "story"})
    assert document.id == "story"


def test_a_task_without_id_is_named_by_its_position():
    records = [task(A), task(A, text=TEXT + "!"), "nonsense"]
    del records[1]["id"]
    reading = read_tasks(records)
    assert [d.id for d in reading.documents] == ["task-1", "task-2"]
    assert reading.problems[0].place == "task #3"


def test_the_text_is_the_field_in_which_marked_texts_are_found():
    record = {"id": 3, "data": {"title": "Ada", "story": "So Ada met Bob."}}
    result = [region("a", 3, 6, "PER", text="Ada"), region("b", 11, 14, "PER", text="Bob")]
    reading = read_tasks([record | {"annotations": [{"id": 7, "result": result}]}])
    assert [d.text for d in reading.documents] == ["So Ada met Bob."]
    assert reading.problems == ()


def test_the_labeling_config_names_the_field_of_the_text():
    document, kinds = read_one(A, text="something else", body=TEXT, config=CONFIG)
    assert (document.text, kinds) == (TEXT, [])


def test_completions_of_old_exports_are_annotations():
    record = task(A)
    record["completions"] = record.pop("annotations")
    assert read_tasks([record]).documents[0].entities == (ADA,)


def annotated(*annotations):
    reading = read_tasks([task() | {"annotations": list(annotations)}])
    return reading, [(problem.kind, problem.message) for problem in reading.problems]


def test_ground_truth_is_read_before_the_latest_annotation():
    reading, problems = annotated(
        {"id": 5, "result": [A], "ground_truth": True, "updated_at": "2024-01-01T00:00:00Z"},
        {"id": 6, "result": [B], "ground_truth": False, "updated_at": "2025-01-01T00:00:00Z"},
    )
    assert reading.documents[0].entities == (ADA,)
    message = "5 is read (ground truth); left aside: 6"
    assert problems == [(Kind.SEVERAL_ANNOTATIONS, message)]


def test_the_latest_annotation_is_read_and_skipped_ones_are_named():
    reading, problems = annotated(
        {"id": 5, "result": [A], "created_at": "2024-01-01T00:00:00Z"},
        {"id": 6, "result": [B], "updated_at": "2025-01-01T00:00:00.5+02:00"},
        {"id": 7, "result": [P], "updated_at": "yesterday"},
        {"id": 8, "result": [], "updated_at": "2026-01-01", "was_cancelled": True},
    )
    assert reading.documents[0].entities == (BOB,)
    message = "6 is read (the latest); left aside: 5, 7, 8 (skipped)"
    assert problems == [(Kind.SEVERAL_ANNOTATIONS, message)]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"annotations": [{"id": 1, "result": [], "was_cancelled": True}]}, Kind.SKIPPED),
        ({"annotations": [], "predictions": [{"result": [A]}]}, Kind.PREDICTIONS_ONLY),
        ({"annotations": []}, Kind.UNANNOTATED),
        ({"annotations": None}, Kind.UNANNOTATED),
    ],
)
def test_a_task_without_annotation_is_left_out_and_counted(fields, kind):
    reading = read_tasks([task() | fields, task(A, name=2)])
    assert [d.id for d in reading.documents] == ["task-2"]
    assert [(p.kind, p.task) for p in reading.problems] == [(kind, "1")]
    assert (reading.n_tasks, reading.n_left_out) == (2, 1)


@pytest.mark.parametrize("bad", [{"id": 5, "result": None}, {"id": 5}, "annotation", 3])
def test_an_annotation_without_results_is_left_aside(bad):
    reading, problems = annotated(bad, {"id": 6, "result": [A]})
    assert reading.documents[0].entities == (ADA,)
    assert [kind for kind, _ in problems] == [Kind.BAD_ANNOTATION]


def test_an_entry_that_is_no_object_is_left_out():
    reading = read_tasks([task(A), None, ["task"]])
    assert [p.kind for p in reading.problems] == [Kind.NOT_A_TASK] * 2


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ({"text": 3}, Kind.TEXT_NOT_STRING, "field 'text' is 3"),
        ({"text": " \n"}, Kind.NO_TEXT, "field 'text' is blank"),
        ({"body": "x", "title": "y"}, Kind.NO_TEXT, "string fields: body, title"),
        (None, Kind.NO_TEXT, "data is None"),
    ],
)
def test_a_task_without_text_costs_all_its_marks(data, kind, message):
    record = task(A, B, link("a", "b", "knows", "likes", direction="bi")) | {"data": data}
    reading = read_tasks([record])
    (problem,) = reading.problems
    assert problem.kind is kind
    assert message in problem.message
    assert (reading.n_lost_entities, reading.n_lost_relations) == (2, 4)


def test_a_lone_surrogate_is_kept_and_reported():
    document, kinds = read_one(A, text=TEXT + "\ud83d")
    assert document.text.endswith("\ud83d")
    assert kinds == [Kind.LONE_SURROGATE]


def test_a_taken_document_id_is_replaced():
    records = [task(A, name=n, text=f"{TEXT} {n}", id="story") for n in (1, 2)]
    records.append(task(A, name=2, text=f"{TEXT} 3", id="story"))
    reading = read_tasks(records)
    assert [d.id for d in reading.documents] == ["story", "task-2", "task-2-2"]
    assert [p.kind for p in reading.problems] == [Kind.DUPLICATE_ID] * 2


def test_the_same_text_twice_is_kept_and_reported():
    reading = read_tasks([task(A), task(B, name=2)])
    assert len(reading.documents) == 2
    assert [(p.kind, p.task) for p in reading.problems] == [(Kind.SAME_TEXT, "2")]
