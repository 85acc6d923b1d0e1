from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import pressgang
from pressgang.document import Document
from pressgang.studio.backend.app import Limits, create_app
from pressgang.studio.backend.http import Access
from pressgang.studio.backend.serving import ModelSlot
from pressgang.studio.backend.state import State, StateFolder
from pressgang.studio.backend.trainings import TrainingPlan, Trainings
from pressgang.studio.outgoing import faults
from tests.studio.backend.conftest import LABELS, PASSWORD, USER, authorization
from tests.studio.backend.test_proposals import TARGET

PROJECT = 7
TOKEN = "aSecretTokenOfAUser0123456789"
EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": PROJECT}, "annotation": {}, "task": {}}
TRAIN = {"action": "START_TRAINING", "project": {"id": PROJECT}}
SETUP = {
    "project": f"{PROJECT}.1795319444",
    "schema": LABELS,
    "hostname": "http://127.0.0.1:8080",
    "access_token": TOKEN,
    "extra_params": None,
}


class Setting:
    """A backend behind a test client; its trainings are noted and never begin."""

    def __init__(self, model: Path, folder: Path, limits: Limits, plan: TrainingPlan | None):
        self.slot = ModelSlot(model, "reporter-1", device="cpu")
        state = State("reporter-1", "reporter-1", ("reporter-1",))
        self.trainings = Trainings(StateFolder(folder), state, self.slot, plan)
        app = create_app(
            self.slot, self.trainings, Access(USER, PASSWORD), limits, project=plan and PROJECT
        )
        headers = {"Authorization": authorization()}
        self.client = TestClient(app, headers=headers, raise_server_exceptions=False)

    def predict(self, tasks: list[Any], context: object = None) -> list[Any]:
        body = {"tasks": tasks, "project": SETUP["project"], "label_config": LABELS}
        answer = self.client.post("/predict", json=body | {"params": {"context": context}})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])


PLAN = TrainingPlan(2, 3600, ("false",), {})


@pytest.fixture
def backend(model: Path, tmp_path: Path) -> Setting:
    return Setting(model, tmp_path, Limits(), PLAN)


@pytest.fixture(scope="module")
def tasks(court_reports: list[Document]) -> list[dict[str, Any]]:
    texts = [document.text for document in court_reports[:4]]
    texts.append(texts[0] + "\r\n👩\r\n\r\n" + texts[1])
    return [{"id": i, "data": {"text": text}} for i, text in enumerate(texts)]


def test_setup_answers_without_loading_the_model(backend: Setting) -> None:
    answer = backend.client.post("/setup", json=SETUP)
    assert answer.json() == {"model_version": "reporter-1"}
    assert backend.client.get("/health").json()["status"] == "UP"
    assert not backend.slot.is_loaded


def test_setup_says_when_a_project_cannot_be_answered(backend: Setting) -> None:
    answer = backend.client.post("/setup", json=SETUP | {"schema": "<View/>"})
    assert answer.status_code == 400
    assert "<Labels" in answer.json()["detail"]


def test_there_is_one_answer_for_each_task_in_order(
    backend: Setting, tasks: list[dict[str, Any]], model: Path
) -> None:
    bad: list[Any] = [{"id": 9, "data": {"text": 4}}, {"id": 10}, "junk", {"data": {"text": " "}}]
    answers = backend.predict([*tasks, *bad])
    assert answers[5:] == [[], [], [], []]
    for task, answer in zip(tasks, answers, strict=False):
        assert answer["model_version"] == "reporter-1"
        assert 0 <= answer["score"] <= 1
        assert list(faults(answer["result"], task["data"]["text"], TARGET)) == []
    reporter = pressgang.load(model)
    for task, answer in zip(tasks, answers, strict=False):
        found = [r["value"] for r in answer["result"] if r["type"] == "labels"]
        expected = reporter.predict(task["data"]["text"]).entities
        marked = [(e.start, e.end, [e.label]) for e in expected]
        assert [(v["start"], v["end"], v["labels"]) for v in found] == marked


def test_what_does_not_fit_into_the_time_is_left_for_the_next_call(
    model: Path, tmp_path: Path, tasks: list[dict[str, Any]]
) -> None:
    hurried = Setting(model, tmp_path, Limits(predict_seconds=0.0), None)
    assert hurried.predict(tasks) == [[]] * len(tasks)


def test_a_text_that_would_take_too_long_is_left_out_alone(
    model: Path, tmp_path: Path, tasks: list[dict[str, Any]]
) -> None:
    narrow = Setting(model, tmp_path, Limits(text_characters=100), None)
    long = {"data": {"text": "Osh. " * 30}}
    first, second = narrow.predict([long, tasks[0]])
    assert first == []
    assert second["result"]
    assert narrow.predict([long], {"result": []})[0]["result"] == []


def test_interactive_answers_hold_only_what_is_new_under_new_ids(
    backend: Setting, tasks: list[dict[str, Any]]
) -> None:
    everything = backend.predict([tasks[0]])[0]["result"]
    drawn = everything[0]
    first, again = (backend.predict([tasks[0]], {"result": [drawn]})[0] for _ in range(2))
    spans = [r for r in first["result"] if r["type"] == "labels"]
    assert [r["value"] for r in spans] == [
        r["value"] for r in everything if r["type"] == "labels" and r is not drawn
    ]
    ids = {r["id"] for answer in (first, again) for r in answer["result"] if "id" in r}
    assert len(ids) == 2 * len(spans)
    assert not ids & {r["id"] for r in everything if "id" in r}
    known = tasks[0] | {"predictions": [{"result": everything}]}
    assert backend.predict([known], {"result": []})[0]["result"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/setup", SETUP),
        ("POST", "/predict", {"tasks": [], "label_config": LABELS}),
        ("POST", "/webhook", TRAIN),
        ("GET", "/versions", None),
        ("GET", "/status", None),
    ],
)
@pytest.mark.parametrize(
    "given", ["", "Basic", "Basic !!", "Bearer x", authorization(password=""), authorization("x")]
)
def test_without_the_password_nothing_is_done(
    backend: Setting, method: str, path: str, body: object, given: str
) -> None:
    answer = backend.client.request(method, path, json=body, headers={"Authorization": given})
    assert answer.status_code == 401
    assert not backend.trainings.status()["requested"]


def test_annotation_events_come_without_a_password_and_are_only_counted(backend: Setting) -> None:
    for _ in range(3):
        answer = backend.client.post("/webhook", json=EVENT, headers={"Authorization": ""})
        assert answer.status_code == 200
    for other in ({"action": "TASKS_CREATED"}, EVENT | {"project": {"id": 8}}):
        backend.client.post("/webhook", json=other, headers={"Authorization": ""})
    assert backend.trainings.status()["events_since_last_look"] == 3
    assert not backend.trainings.status()["requested"]


def test_training_is_asked_for_with_the_password_and_for_the_one_project(
    backend: Setting, model: Path, tmp_path: Path
) -> None:
    other = backend.client.post("/webhook", json=TRAIN | {"project": {"id": 8}})
    assert other.status_code == 409
    assert not backend.trainings.status()["requested"]
    assert backend.client.post("/webhook", json=TRAIN).status_code == 200
    assert backend.trainings.status()["requested"]
    untrained = Setting(model, tmp_path / "other", Limits(), None)
    answer = untrained.client.post("/webhook", json=TRAIN)
    assert answer.status_code == 409
    assert "without a training configuration" in answer.json()["detail"]


def test_what_is_too_large_or_no_json_is_refused(model: Path, tmp_path: Path) -> None:
    client = Setting(model, tmp_path, Limits(body_bytes=1000), None).client

    def pieces() -> Iterator[bytes]:  # of no declared length
        yield b"["
        for _ in range(200):
            yield b" " * 10

    assert client.post("/predict", content=b" " * 1001).status_code == 413
    assert client.post("/webhook", content=pieces()).status_code == 413
    for body in (b"", b"{", b"[]", b"\xff", b"[" * 900):
        assert client.post("/predict", content=body).status_code == 400
    assert client.post("/predict", json={"tasks": 4, "label_config": LABELS}).status_code == 400
    assert client.post("/predict", json={"tasks": []}).status_code == 400


def test_nothing_of_a_request_is_logged(
    backend: Setting, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "Ormon kept a secret in Naryn."
    backend.client.post(f"/setup?token={TOKEN}", json=SETUP)
    backend.client.get(f"/{TOKEN}")
    backend.predict([{"data": {"text": secret}}], {"result": [{"value": {"text": secret}}]})
    backend.client.post("/webhook", json=EVENT | {"annotation": {"result": secret}})
    backend.client.post("/predict", content=json.dumps({"tasks": secret})[:-1])

    def fail(task: object, _: object) -> None:
        raise RuntimeError(f"cannot read {task}")

    monkeypatch.setattr("pressgang.studio.backend.serving.task_text", fail)
    body = {"tasks": [secret], "label_config": LABELS}
    assert backend.client.post("/predict", json=body).status_code == 500
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    said = "\n".join(record.getMessage() for record in ours)  # the test's client logs too
    assert "/setup 200" in said
    assert "RuntimeError at" in said
    for hidden in (TOKEN, "Ormon", "Naryn", PASSWORD, authorization()):
        assert hidden not in said


def test_a_missing_model_is_told_and_setup_still_answers(tmp_path: Path) -> None:
    backend = Setting(tmp_path / "none", tmp_path, Limits(), None)
    assert backend.client.post("/setup", json=SETUP).status_code == 200
    answer = backend.client.post("/predict", json={"tasks": [], "label_config": LABELS})
    assert answer.status_code == 503
