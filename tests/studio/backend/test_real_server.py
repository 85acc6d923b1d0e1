"""The backend as it is used: its own process beside a real Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pressgang.document import Document
from pressgang.label_studio.labeling_config import parse_labeling_config
from pressgang.label_studio.tasks import to_task
from pressgang.studio.client import Studio
from pressgang.studio.outgoing import faults
from tests.conftest import mark
from tests.studio.backend.conftest import LABELS, PASSWORD, USER, Backend, Serve, free_port, until
from tests.studio.conftest import ACCOUNT, PATIENCE
from tests.test_cli import CONFIG

pytestmark = pytest.mark.slow

TARGET = parse_labeling_config(LABELS)


@pytest.fixture
def project(patient: Studio) -> Iterator[int]:
    made = patient.post("projects/", {"title": "court reports", "label_config": LABELS})["id"]
    yield made
    patient.delete(f"projects/{made}/")


@pytest.fixture
def texts(court_reports: list[Document]) -> list[str]:
    """Texts that the model knows, one with emoji and CRLF, and a long row of others."""
    known = [document.text for document in court_reports[:4]]
    return [*known, "👩 😀\r\n\r\n" + known[0], *(f"{known[1]} No. {n}." for n in range(45))]


def connect_backend(studio: Studio, project: int, backend: Backend, **wrong: str) -> dict[str, Any]:
    """Connect the backend to the project, as the page Settings > Model does."""
    access = {"basic_auth_user": USER, "basic_auth_pass": PASSWORD} | wrong
    body = {"url": backend.url, "project": project, "title": "pressgang", "is_interactive": True}
    return dict(studio.post("ml/", body | {"auth_method": "BASIC_AUTH"} | access))


def retrieve(studio: Studio, project: int) -> dict[int, list[dict[str, Any]]]:
    """Ask for predictions of all tasks; the predictions there are then, by task."""
    chosen = {"selectedItems": {"all": True, "excluded": []}}
    studio.post("dm/actions/", chosen, project=project, id="retrieve_tasks_predictions")
    found: dict[int, list[dict[str, Any]]] = {}
    for prediction in studio.get("predictions/", project=project):
        found.setdefault(prediction["task"], []).append(prediction)
    return found


def add_tasks(studio: Studio, project: int, tasks: list[dict[str, Any]]) -> list[int]:
    answer = studio.post(f"projects/{project}/import", tasks, return_task_ids="true")
    return list(answer["task_ids"])


def test_predictions_reach_the_server_whole_and_editing_gets_only_what_is_new(
    patient: Studio, project: int, serve: Serve, texts: list[str]
) -> None:
    numbers = add_tasks(patient, project, [{"data": {"text": text}} for text in texts])
    with serve() as backend:
        model = connect_backend(patient, project, backend)
        assert model["state"] == "CO"
        version = model["model_version"]
        assert version == backend.call("/status")["model_version"]
        assert patient.get(f"ml/{model['id']}/versions") == {"versions": [version]}

        found = retrieve(patient, project)
        assert sorted(found) == sorted(numbers)
        for number, text in zip(numbers, texts, strict=True):
            (prediction,) = found[number]
            assert prediction["model_version"] == version
            assert 0 <= prediction["score"] <= 1
            assert list(faults(prediction["result"], text, TARGET)) == []
        assert retrieve(patient, project) == found  # nothing twice

        everything = found[numbers[0]][0]["result"]
        drawn = {"result": [everything[0]]}
        path = f"ml/{model['id']}/interactive-annotating"
        answer = patient.post(path, {"task": numbers[0], "context": drawn})
        assert answer["data"]["result"] == []  # all of it is among the task's predictions
        # To a task whose predictions are gone, all but what was drawn is new.
        patient.delete(f"predictions/{found[numbers[0]][0]['id']}/")
        answer = patient.post(path, {"task": numbers[0], "context": drawn})
        spans = [r["value"] for r in answer["data"]["result"] if r["type"] == "labels"]
        others = [r["value"] for r in everything[1:] if r["type"] == "labels"]
        assert spans == others != []
    log = backend.log.read_text()
    assert ACCOUNT.token not in log
    assert "Askar" not in log


def test_a_wrong_password_is_told_by_the_server(
    patient: Studio, project: int, serve: Serve
) -> None:
    with serve() as backend, pytest.raises(OSError, match="400"):
        connect_backend(patient, project, backend, basic_auth_pass="wrong")


def test_the_backend_trains_on_what_is_annotated_and_survives_being_killed(
    patient: Studio,
    project: int,
    serve: Serve,
    bert: Path,
    court_reports: list[Document],
    tmp_path: Path,
) -> None:
    """Asked for; killed in the middle; taken up again; then of itself after new annotations."""
    config = tmp_path / "run.toml"
    config.write_text(CONFIG.format(encoder=str(bert), data="", epochs=40))
    reports = [*court_reports[:4], *new_reports()]
    numbers = add_tasks(patient, project, [to_task(d) for d in reports])
    options = (
        *("--config", config, "--project", project, "--url", patient.url),
        *("--train-after", 2, "--quiet-seconds", 1, "--held-out-share", 0.5),
        *("--niceness", 0),  # other tests run beside this one, and would go before it
    )
    environment = {"LABEL_STUDIO_API_KEY": ACCOUNT.token}
    port = free_port()  # the same for the restarted backend: the server knows it by that
    with serve(*options, port=port, **environment) as backend:
        model = connect_backend(patient, project, backend)
        first = model["model_version"]
        patient.post(f"ml/{model['id']}/train", {})
        work = tmp_path / "state" / "work"
        until((work / "export.json").exists, 300)
        backend.kill()
    assert (work / "order.json").exists()

    with serve(*options, port=port, **environment) as backend:
        done = trained(backend, 1)
        assert done["problems"] == {}
        assert done["n_held_out"] >= 1
        assert done["result"] in {"adopted", "kept"}, done["why"]
        assert (done["result"] == "adopted") == (
            mean(done["new_scores"]) >= mean(done["old_scores"])
        )
        version = backend.call("/status")["model_version"]
        assert (version != first) == (done["result"] == "adopted")
        found = retrieve(patient, project)[numbers[0]]
        assert version in {prediction["model_version"] for prediction in found}

        # Two new annotations, told of by the webhook that the server made for itself.
        result = to_task(reports[1])["annotations"][0]["result"]
        for number in add_tasks(
            patient, project, [{"data": {"text": f"{reports[1].text} {n}"}} for n in "ab"]
        ):
            patient.post(f"tasks/{number}/annotations/", {"result": result})
        again = trained(backend, 2)
        assert again["n_changed"] >= 2
        assert again["n_documents"] + again["n_held_out"] == len(reports) + 2
        assert backend.call("/versions")["versions"][-1] == first
    assert ACCOUNT.token not in backend.log.read_text()
    for path in (tmp_path / "state").rglob("*"):
        if path.is_file():
            assert ACCOUNT.token.encode() not in path.read_bytes(), path


def trained(backend: Backend, number: int) -> dict[str, Any]:
    """What became of a training, once it is done."""

    def last() -> dict[str, Any] | None:
        status = backend.call("/status")
        assert status["training_is_possible"]
        return status["last_training"] if status["trainings"] == number else None

    return dict(until(last, PATIENCE))


def mean(scores: dict[str, float]) -> float:
    return sum(scores.values()) / len(scores)


def new_reports() -> list[Document]:
    """Reports that the first model was not trained on, so that some are held out."""
    names = ("Ormon", "Bakyt Toktorov", "Azamat", "Daniyar", "Sultan Kadyrov", "Ilyas")
    return [
        mark(f"new-{n}", f"[{name}](PERSON:a) was jailed in [Naryn](PLACE:o).", "a JAILED_IN o")
        for n, name in enumerate(names)
    ]
