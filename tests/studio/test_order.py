"""Queue, review and agreement, against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pressgang.annotation.label_quality import find_spots, write_spots
from pressgang.document import Document
from pressgang.evaluation.splits import text_key
from pressgang.label_studio.tasks import to_result
from pressgang.model.extractor import Extractor
from pressgang.studio.project import Project, list_tasks, open_project
from pressgang.studio.push import push
from pressgang.studio.queue import queue
from pressgang.studio.review import review_with_folds, review_with_model, write_review
from tests.conftest import mark
from tests.studio.conftest import Run
from tests.studio.test_loop import accept, predictions

pytestmark = pytest.mark.slow


def test_the_server_hands_out_tasks_in_the_order_of_the_queue(
    project: Project, reporter: Extractor, court_reports: list[Document]
) -> None:
    push(project, court_reports)
    labelled = list_tasks(project)[0]
    accept(project, labelled.id, to_result(court_reports[0]))
    places = queue(project, reporter, "v1")
    open_tasks = {task.id for task in list_tasks(project) if task.is_open}
    assert {place.task for place in places} == open_tasks
    assert len(places) == 4
    record = project.studio.get(f"projects/{project.id}/")
    assert (record["sampling"], record["model_version"]) == ("Uncertainty sampling", "v1")
    assert not predictions(project)[court_reports[0].id]
    for place in places:
        handed_out = project.studio.get(f"projects/{project.id}/next")
        assert handed_out["id"] == place.task
        accept(project, place.task, [])


def test_a_second_queue_mends_scores_and_adds_no_proposal(
    project: Project, reporter: Extractor, court_reports: list[Document]
) -> None:
    push(project, court_reports)
    places = queue(project, reporter, "v1")
    before = predictions(project)
    first = project.studio.get("predictions/", task=places[0].task)[0]
    project.studio.patch(f"predictions/{first['id']}/", {"score": 0.99})
    project.studio.delete(f"predictions/{before[places[1].name][0]['id']}/")  # as if interrupted
    assert queue(project, reporter, "v1") == places
    after = predictions(project)
    for name, [prediction] in after.items():
        assert prediction["score"] == before[name][0]["score"]
        assert prediction["result"] == before[name][0]["result"]
    queue(project, reporter, "v2")
    assert all(len(p) == 2 for p in predictions(project).values())
    handed_out = project.studio.get(f"projects/{project.id}/next")
    assert handed_out["id"] == places[0].task


def test_suspected_spots_stand_in_the_tasks_and_in_a_view(
    project: Project, run: Run, model: Path, court_reports: list[Document], reporter: Extractor
) -> None:
    wrong = mark("one", "[Askar Usenov](PLACE:a) was jailed in [Osh](PLACE:o).", "")
    push(project, [wrong, *court_reports[1:]])
    tasks = {task.fields["id"]: task.id for task in list_tasks(project)}
    for document in [wrong, *court_reports[1:4]]:
        accept(project, tasks[document.id], to_result(document))
    known = [text_key(court_reports[3].text)]
    (model / "run.json").write_text(json.dumps({"data": [], "trained_on": {"texts": known}}))
    command = ("studio", "review", "--project", project.id, "--model", model)
    status, _, err = run(*command)
    assert status == 0, err
    assert "3 annotated tasks judged, 1 left out" in err
    found = {task.fields["id"]: task.fields.get("review", "") for task in list_tasks(project)}
    assert "Askar Usenov PLACE: the model has Askar Usenov PERSON" in found["one"]
    assert not found["four"]
    view = int(err.rsplit("tab=", 1)[1])
    shown = project.studio.get("tasks/", view=view, page_size=10)["tasks"]
    assert shown[0]["id"] == tasks["one"]
    assert {t["id"] for t in shown} == {tasks[name] for name in found if found[name]}
    assert "(0 tasks changed)" in run(*command)[2]

    judged = review_with_model(project, reporter, model)
    assert write_review(project, judged.spots | {tasks["one"]: []}).n_changed == 1
    assert "review" not in {
        key for task in list_tasks(project) if task.id == tasks["one"] for key in task.fields
    }


def test_a_cross_validation_judges_what_is_still_annotated_as_it_was(
    project: Project, reporter: Extractor, court_reports: list[Document], tmp_path: Path
) -> None:
    wrong = mark("one", "[Askar Usenov](PLACE:a) was jailed in [Osh](PLACE:o).", "")
    push(project, [wrong, court_reports[1]])
    for task, document in zip(list_tasks(project), [wrong, court_reports[1]], strict=True):
        accept(project, task.id, to_result(document))
    write_spots(tmp_path / "folds" / "00" / "spots.json", reporter, [wrong, court_reports[1]])
    judged = review_with_folds(project, tmp_path)
    assert (judged.n_judged, judged.n_known) == (2, 0)
    [spots] = find_spots(reporter, [wrong])
    assert next(iter(judged.spots.values())) == spots
    accept(project, list_tasks(project)[0].id, to_result(court_reports[0]))
    assert review_with_folds(project, tmp_path).n_judged == 1


def test_annotators_are_compared_on_what_both_finished(
    project: Project, run: Run, court_reports: list[Document]
) -> None:
    assert "no two annotators" in run("studio", "agreement", "--project", project.id)[2]
    push(project, court_reports[:3])
    other = project.studio.post("users/", {"email": "two@example.com", "username": "two"})
    for task in list_tasks(project):
        document = next(d for d in court_reports if d.id == task.fields["id"])
        accept(project, task.id, to_result(document))
        if document.id != "two":
            accept(project, task.id, [], completed_by=other["id"])
    status, out, err = run("studio", "agreement", "--project", project.id, "--show")
    assert status == 0, err
    assert f"and annotator {other['id']}: 2 documents by both" in out
    assert "JAILED_IN" in out
    assert "Askar Usenov PERSON" in out
    assert open_project(project.studio, str(project.id)).title == project.title
