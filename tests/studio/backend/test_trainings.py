"""The training process is a stand-in here: a real process that does what it is told in seconds."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pressgang.document import Document
from pressgang.studio.backend.serving import ModelSlot
from pressgang.studio.backend.state import StateFolder, only_one
from pressgang.studio.backend.trainings import KEPT_MODELS, TrainingPlan, Trainings
from pressgang.studio.outgoing import version_of
from tests.studio.backend.conftest import until

pytestmark = pytest.mark.slow

STAND_IN = """
import json, os, pathlib, shutil, sys, threading, time
def end():
    while os.read(0, 1): pass
    os._exit(3)
threading.Thread(target=end, daemon=True).start()
folder, model, result = pathlib.Path(sys.argv[3]), sys.argv[1], sys.argv[2]
work = folder / "work"
order = json.loads((work / "order.json").read_text())
with open(folder / "orders.jsonl", "a") as file:
    file.write(json.dumps(order | {"pid": os.getpid()}) + "\\n")
while (folder / "wait").exists():
    time.sleep(0.02)
if result == "crash":
    sys.exit("no memory")
outcome = {"result": result, "why": "it was said so", "number": order["number"]}
if result == "too little":
    outcome |= {"result": "nothing new", "n_changed": order["at_least"] - 1}
if result in ("adopted", "kept"):
    made = work / "made" / f"reporter-{order['number']}"
    shutil.copytree(model, made)
    settings = made / "pressgang.json"
    settings.write_text(settings.read_text() + " " * order["number"])
    sys.path.insert(0, os.environ["SOURCE"])
    from pressgang.studio.outgoing import version_of
    outcome["version"] = version_of(made)
    (work / "learned.json").write_text("{}")
partial = work / "outcome.partial"
partial.write_text(json.dumps(outcome))
partial.rename(work / "outcome.json")
"""


class Stage:
    """A state folder, and backends on it one after the other."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = StateFolder(folder), model
        folder.mkdir()

    @contextlib.contextmanager
    def backend(
        self,
        result: str = "adopted",
        *,
        after: int = 0,
        quiet: float = 0.0,
        made_of: Path | None = None,
    ) -> Iterator[tuple[Trainings, ModelSlot]]:
        state = self.folder.open(self.model)
        place = self.model if state.current == state.base else self.folder.model(state.current)
        slot = ModelSlot(place, state.current, device="cpu")
        command = (sys.executable, "-c", STAND_IN, str(made_of or self.model), result)
        source = str(Path(__file__).parents[3] / "src")
        plan = TrainingPlan(after, quiet, command, {"SOURCE": source, "PATH": "/usr/bin:/bin"})
        trainings = Trainings(self.folder, state, slot, plan)
        trainings.start()
        try:
            yield trainings, slot
        finally:
            trainings.stop()

    @property
    def orders(self) -> list[dict[str, Any]]:
        path = self.folder.path / "orders.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    @contextlib.contextmanager
    def long_training(self) -> Iterator[None]:
        """Trainings that begin in this time do not end in it."""
        wait = self.folder.path / "wait"
        wait.touch()
        yield
        wait.unlink(missing_ok=True)


@pytest.fixture
def stage(tmp_path: Path, model: Path) -> Stage:
    return Stage(tmp_path / "state", model)


def finished(trainings: Trainings, number: int = 1) -> dict[str, Any]:
    """The record of a training, once it is there."""

    def last() -> dict[str, Any] | None:
        record = trainings.status()["last_training"]
        return record if record and trainings.status()["trainings"] == number else None

    return dict(until(last, 120))


def test_a_training_that_was_asked_for_brings_a_new_version(
    stage: Stage, court_reports: list[Document]
) -> None:
    text = court_reports[0].text
    with stage.backend() as (trainings, slot):
        before = slot.get()
        trainings.request()
        assert finished(trainings)["result"] == "adopted"
        after = slot.get()
        assert after.version == slot.version != before.version
        # An answer under way ends with the model it began with.
        assert before.predict(text).entities == after.predict(text).entities
        trainings.request()
        finished(trainings, 2)
        assert len(set(trainings.versions)) == 3
        assert (
            trainings.versions[-1] == slot.version == version_of(stage.folder.model(slot.version))
        )
    with stage.backend() as (trainings, slot):
        assert slot.version == trainings.versions[-1]
        assert slot.get().version == slot.version


def test_a_model_that_is_not_better_is_not_taken(stage: Stage) -> None:
    with stage.backend("kept") as (trainings, slot):
        version = slot.version
        trainings.request()
        assert finished(trainings)["result"] == "kept"
        assert slot.version == version == trainings.versions[-1]
        assert stage.folder.learned.exists()
        assert not list((stage.folder.path / "models").glob("*"))


def test_only_the_last_models_take_up_room(stage: Stage) -> None:
    with stage.backend() as (trainings, _):
        for number in range(1, KEPT_MODELS + 3):
            trainings.request()
            finished(trainings, number)
        until(lambda: len(list((stage.folder.path / "models").iterdir())) == KEPT_MODELS, 10)


def test_events_are_looked_at_when_they_are_enough_and_pause(stage: Stage) -> None:
    with stage.backend("nothing new", after=3, quiet=1.5) as (trainings, _):
        for _ in range(2):
            trainings.note_event()
        time.sleep(2)
        assert stage.orders == []
        for _ in range(4):  # enough, but no pause yet
            trainings.note_event()
            time.sleep(0.5)
        assert stage.orders == []
        look = until(lambda: trainings.status()["last_look"], 60)
        assert look["result"] == "nothing new"
        assert [order["at_least"] for order in stage.orders] == [3]
        assert trainings.status()["events_since_last_look"] == 0
        assert trainings.status()["trainings"] == 0


def test_what_was_too_little_counts_at_the_next_event(stage: Stage) -> None:
    with stage.backend("too little", after=3) as (trainings, _):
        for _ in range(3):
            trainings.note_event()
        until(lambda: trainings.status()["last_look"], 60)
        assert trainings.status()["events_since_last_look"] == 2
        trainings.note_event()
        until(lambda: len(stage.orders) == 2, 60)


def test_events_without_a_pause_do_not_put_it_off_for_ever(stage: Stage) -> None:
    with stage.backend("nothing new", after=1, quiet=0.4) as (trainings, _):
        for _ in range(60):
            trainings.note_event()
            time.sleep(0.1)
        until(lambda: stage.orders, 30)


def test_many_wishes_during_a_training_are_one_more_training(stage: Stage) -> None:
    with stage.backend("kept") as (trainings, _):
        with stage.long_training():
            trainings.request()
            until(lambda: stage.orders, 60)
            for _ in range(5):
                trainings.request()
            assert trainings.status()["training"]["seconds"] >= 0
        finished(trainings, 2)
        time.sleep(0.5)
        assert [order["number"] for order in stage.orders] == [1, 2]


def test_the_first_setup_after_a_start_makes_up_for_missed_events(stage: Stage) -> None:
    with stage.backend("nothing new", after=5) as (trainings, _):
        trainings.note_setup()
        until(lambda: trainings.status()["last_look"], 60)
        trainings.note_setup()
        time.sleep(0.5)
        assert len(stage.orders) == 1


def test_a_training_that_an_end_interrupted_goes_on_at_the_next_start(stage: Stage) -> None:
    with stage.long_training(), stage.backend() as (trainings, _):
        trainings.request()
        first = until(lambda: stage.orders, 60)[0]
    until(lambda: not is_running(first["pid"]), 20)
    with stage.backend() as (trainings, slot):
        assert finished(trainings)["result"] == "adopted"
        assert slot.version != stage.folder.open(stage.model).base
    assert stage.orders[1] | {"pid": first["pid"]} == first


def test_the_process_ends_when_the_backend_dies(stage: Stage, tmp_path: Path) -> None:
    """The pipe closes with the backend's last breath, whatever ended it."""
    (stage.folder.path / "wait").touch()
    stage.folder.work.mkdir(parents=True)
    (stage.folder.work / "order.json").write_text('{"number": 1, "at_least": 1, "started": ""}')
    process = subprocess.Popen(
        [sys.executable, "-c", STAND_IN, str(stage.model), "kept", str(stage.folder.path)],
        stdin=subprocess.PIPE,
    )
    until(lambda: stage.orders, 60)
    assert process.poll() is None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 3


def test_an_outcome_that_was_not_taken_in_before_a_kill_is_taken_in_then(stage: Stage) -> None:
    version = stage.folder.open(stage.model).base
    with stage.backend() as (trainings, _):
        trainings.request()
        finished(trainings)
    done = stage.folder.open(stage.model)
    # As if it was killed after the model had moved, before that was written down.
    old = json.loads((stage.folder.path / "state.json").read_text())
    old |= {"current": version, "versions": [version], "n_trainings": 0}
    (stage.folder.path / "state.json").write_text(json.dumps(old))
    stage.folder.work.mkdir()
    (stage.folder.work / "order.json").write_text('{"number": 1, "at_least": 1, "started": ""}')
    outcome = {"result": "adopted", "why": "", "version": done.current, "number": 1}
    (stage.folder.work / "outcome.json").write_text(json.dumps(outcome))
    with stage.backend() as (trainings, slot):
        until(lambda: slot.version == done.current, 60)
        until(lambda: not stage.folder.work.exists(), 20)
    assert stage.folder.open(stage.model).versions == (version, done.current)
    assert len(stage.orders) == 1


def test_a_process_that_breaks_down_changes_nothing_and_is_told(stage: Stage) -> None:
    with stage.backend("crash", after=4) as (trainings, slot):
        version = slot.version
        trainings.request()
        record = finished(trainings)
        assert record["result"] == "failed"
        assert "training.log" in record["why"]
        assert slot.version == version
        assert trainings.status()["events_since_last_look"] == 3
    assert "no memory" in stage.folder.log.read_text()


def test_a_training_that_keeps_killing_the_backend_is_given_up(stage: Stage) -> None:
    stage.folder.work.mkdir(parents=True)
    order = {"number": 1, "at_least": 1, "started": "", "attempt": 3}
    (stage.folder.work / "order.json").write_text(json.dumps(order))
    with stage.backend() as (trainings, _):
        assert "given up" in finished(trainings)["why"]
    assert stage.orders == []


def test_a_damaged_new_model_is_not_taken(stage: Stage, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(stage.model, damaged)
    (damaged / "schema.json").write_text("{")
    with stage.backend(made_of=damaged) as (trainings, slot):
        good = slot.get()
        trainings.request()
        assert finished(trainings)["result"] == "failed"
        assert slot.get() is good


def test_two_backends_cannot_share_a_state(stage: Stage) -> None:
    with only_one(stage.folder.path):
        seen: list[str] = []

        def other() -> None:
            try:
                with only_one(stage.folder.path):
                    seen.append("in")
            except ValueError as error:
                seen.append(str(error))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(seen) == 1
    assert "another backend" in seen[0]
    with only_one(stage.folder.path):
        pass


def test_a_state_of_another_model_or_a_damaged_one_is_refused(stage: Stage, tmp_path: Path) -> None:
    stage.folder.open(stage.model)
    other = tmp_path / "other"
    shutil.copytree(stage.model, other)
    assert stage.folder.open(other).base == stage.folder.open(stage.model).base  # only moved
    (other / "pressgang.json").write_text("{}")
    with pytest.raises(ValueError, match="belongs to the model"):
        stage.folder.open(other)
    path = stage.folder.path / "state.json"
    for content in ("", "[]", '{"format": 2}', '{"format": 1, "surplus": 1}'):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"state\.json: damaged"):
            stage.folder.open(stage.model)


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "zombie" not in status.read_text()
