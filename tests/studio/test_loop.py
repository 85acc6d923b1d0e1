"""Push, annotate, pull and train, against a real server."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from pressgang.corpus import write_documents
from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.tasks import read_exports, to_result
from pressgang.model.extractor import Extractor
from pressgang.studio.outgoing import given_proposals
from pressgang.studio.project import Project, list_tasks
from pressgang.studio.pull import pull
from pressgang.studio.push import Pushed, push
from tests.conftest import mark
from tests.studio.between import KINDS, failing
from tests.studio.conftest import Run, Server
from tests.test_cli import write_config

pytestmark = pytest.mark.slow

PIECES = (
    "👩 Ada",
    "Bob 🇫🇷",
    "\r\n",
    "Osh",
    "e\u0301tage",
    "\t",
    "<b>&amp;</b>",
    "\u2028",
    "of ",
    "x ",
)


def odd_documents(n: int) -> list[Document]:
    """Documents with emoji, CRLF, markup, overlaps, and two labels on one pair."""
    draw = random.Random(7)
    documents = []
    for number in range(n):
        text = f"{number} " + "".join(draw.choice(PIECES) for _ in range(12)) + "end"
        places = sorted(draw.sample(range(len(text)), 6))
        spans = {(a, b) for a, b in zip(places, places[2:], strict=False) if text[a:b].strip()}
        entities = [
            Entity(a, b, draw.choice(("PERSON", "PLACE")), round(draw.random(), 4))
            for a, b in sorted(spans)
            if text[a:b] == text[a:b].strip()
        ]
        relations = []
        if len(entities) > 1:
            one, two = entities[:2]
            relations = [Relation(one, two, "JAILED_IN", 0.5), Relation(one, two, "KNOWS", 0.75)]
            relations += [Relation(two, one, "KNOWS", 0.25)]
        documents.append(Document(f"odd-{number}", text, tuple(entities), tuple(relations)))
    return documents


def accept(project: Project, number: int, result: list[dict[str, Any]], **more: Any) -> int:
    """Submit an annotation; its number."""
    content = {"result": result, "lead_time": 1.0} | more
    return int(project.studio.post(f"tasks/{number}/annotations/", content)["id"])


def predictions(project: Project) -> dict[str, list[dict[str, Any]]]:
    """The predictions of each document."""
    listed = project.studio.pages("tasks/", "tasks", project=project.id, fields="all")
    return {record["data"]["id"]: record["predictions"] for record in listed}


def test_what_is_pushed_annotated_and_pulled_trains_a_model(
    project: Project,
    run: Run,
    model: Path,
    reporter: Extractor,
    bert: Path,
    tmp_path: Path,
    court_reports: list[Document],
) -> None:
    write_documents(tmp_path / "in.jsonl", [Document(d.id, d.text) for d in court_reports])
    arguments = ("--project", project.title, "--model", model)
    status, _, err = run("studio", "push", tmp_path / "in.jsonl", *arguments)
    assert status == 0, err
    assert "5 new tasks, 0 that lacked" in err
    kept = predictions(project)
    for document in court_reports:
        [prediction] = kept[document.id]
        assert prediction["result"] == to_result(reporter.predict(document))
        assert prediction["model_version"].startswith("tiny-")
        assert 0 <= prediction["score"] <= 1
    status, _, err = run("studio", "push", tmp_path / "in.jsonl", *arguments)
    assert status == 0
    assert "0 new tasks, 0 that lacked proposals given them, 5 there already" in err

    gold = {document.id: document for document in court_reports}
    for task in list_tasks(project):
        accept(project, task.id, to_result(gold[task.fields["id"]]))
    export = tmp_path / "pulled.json"
    status, _, err = run("studio", "pull", "--output", export, "--project", project.id)
    assert status == 0
    assert "5 tasks, 5 of them new or changed" in err
    assert set(read_exports([export]).documents) == set(court_reports)
    config = write_config(tmp_path, bert)
    status, _, err = run("train", "--config", config, "--data", export, "--output", tmp_path / "m")
    assert status == 0, err
    assert Extractor.load(tmp_path / "m").schema.relation_labels == ("JAILED_IN",)


def test_five_hundred_odd_tasks_come_back_as_they_were(project: Project, tmp_path: Path) -> None:
    documents = odd_documents(500)
    done = push(project, documents, propose=given_proposals, version="given")
    assert done == Pushed(500, 0, 0, 0)
    kept = predictions(project)
    assert [kept[d.id][0]["result"] for d in documents] == [to_result(d) for d in documents]
    chosen = {"selectedItems": {"all": True, "excluded": []}}
    action = {"project": project.id, "id": "predictions_to_annotations"}
    project.studio.post("dm/actions/", chosen, **action)
    pulled = pull(project, tmp_path / "pulled.json")
    assert pulled.n_fetched == 500
    assert not pulled.reading.n_lost_entities
    assert not pulled.reading.n_lost_relations
    assert pulled.reading.documents == tuple(documents)
    for name, [prediction] in predictions(project).items():  # the proposals stay as they were
        [before] = kept[name]
        assert [prediction[k] for k in ("id", "result")] == [before[k] for k in ("id", "result")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_that_fails_on_the_way_is_finished_by_a_second(
    kind: str, project: Project, server: Server, run: Run, tmp_path: Path
) -> None:
    documents = odd_documents(120)
    write_documents(tmp_path / "in.jsonl", documents)
    arguments = (
        *("studio", "push", tmp_path / "in.jsonl", "--project", project.id, "--given", "v1"),
        *(("--timeout", 5) if kind == "answer late" else ()),
    )
    with failing(server.url, kind, after=1) as url:
        status, out, err = run(*arguments, "--url", url)
    assert (status, out) == (2, "")
    assert err.startswith("pressgang: ")
    assert err.count("\n") == 1
    assert "/import" in err
    assert 50 <= len(list_tasks(project)) <= 100
    status, _, err = run(*arguments)
    assert status == 0, err
    kept = predictions(project)
    assert {d.id: [p["result"] for p in kept[d.id]] for d in documents} == {
        d.id: [to_result(d)] for d in documents
    }
    assert len(list_tasks(project)) == len(documents)


def test_tasks_that_lost_their_proposals_get_them(project: Project) -> None:
    documents = odd_documents(3)
    push(project, documents)
    annotated = list_tasks(project)[0]
    accept(project, annotated.id, [])
    done = push(project, documents, propose=given_proposals, version="v1")
    assert done == Pushed(0, 2, 1, 0)
    assert [len(p) for p in predictions(project).values()] == [0, 1, 1]


def test_a_text_is_there_once_whatever_its_name(project: Project) -> None:
    push(project, [Document("a", "Ada ran.")])
    done = push(project, [Document("b", "Ada ran."), Document("c", "Bo."), Document("d", "Bo.")])
    assert done == Pushed(1, 0, 2, 2)


@pytest.mark.parametrize("version", ["", " ", "a,b"])
def test_a_version_that_the_server_could_not_tell_from_others_is_refused(
    version: str, project: Project
) -> None:
    with pytest.raises(ValueError, match="cannot name a model"):
        push(project, odd_documents(1), propose=given_proposals, version=version)
    assert not list_tasks(project)


@pytest.mark.parametrize(
    ("documents", "part"),
    [
        ([Document("a", "New text.")], "has this id and another text"),
        ([Document("b", "One."), Document("b", "Two.")], "two documents have the id"),
        ([Document("b", "One."), Document("c", " \n")], "'c' has no text"),
        ([Document("b", "One."), Document("c", "a\ud800")], "half of a UTF-16 pair"),
        ([Document("b", "One."), Document("c", "a\0")], "NUL"),
    ],
)
def test_what_cannot_be_sent_stops_everything_before_it_begins(
    documents: list[Document], part: str, project: Project
) -> None:
    push(project, [Document("a", "Old text.")])
    with pytest.raises(ValueError, match=part):
        push(project, documents)
    assert len(list_tasks(project)) == 1


def test_a_pull_fetches_what_changed_and_leaves_out_what_was_skipped(
    project: Project, tmp_path: Path
) -> None:
    documents = [mark(str(n), f"[Ada](PERSON:a) {n} in [Osh](PLACE:o).", "") for n in range(4)]
    push(project, documents)
    tasks = {task.fields["id"]: task.id for task in list_tasks(project)}
    path = tmp_path / "pulled.json"
    with pytest.raises(ValueError, match="no task is annotated yet"):
        pull(project, path)
    first = accept(project, tasks["0"], to_result(documents[0]))
    accept(project, tasks["1"], to_result(documents[1]))
    accept(project, tasks["2"], [], was_cancelled=True)
    pulled = pull(project, path)
    assert (pulled.n_fetched, pulled.n_gone, pulled.n_skipped) == (2, 0, 1)
    assert set(pulled.reading.documents) == set(documents[:2])
    before = path.stat().st_mtime_ns
    assert pull(project, path).n_fetched == 0
    assert path.stat().st_mtime_ns == before

    project.studio.patch(f"annotations/{first}/", {"result": []})
    accept(project, tasks["3"], to_result(documents[3]))
    pulled = pull(project, path)
    assert pulled.n_fetched == 2
    assert [len(d.entities) for d in pulled.reading.documents] == [0, 2, 2]
    project.studio.delete(f"annotations/{first}/")
    pulled = pull(project, path)
    assert (pulled.n_fetched, pulled.n_gone) == (0, 1)
    assert set(read_exports([path]).documents) == {documents[1], documents[3]}


def test_a_file_of_another_project_is_not_written_over(project: Project, tmp_path: Path) -> None:
    push(project, [Document("a", "Ada ran.")])
    accept(project, list_tasks(project)[0].id, [])
    path = tmp_path / "pulled.json"
    for record, part in (
        ({"data": {"text": "x"}, "id": 1, "project": project.id + 1, "updated_at": ""}, "project"),
        ({"data": {"text": "x"}}, "no earlier pull"),
    ):
        path.write_text(json.dumps([record]))
        with pytest.raises(ValueError, match=part):
            pull(project, path)
        assert json.loads(path.read_text()) == [record]
