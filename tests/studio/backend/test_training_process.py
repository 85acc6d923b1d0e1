from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pressgang.document import Document
from pressgang.evaluation.splits import Fold, text_key
from pressgang.studio.backend.state import Order, StateFolder
from pressgang.studio.backend.training_process import (
    SETTINGS,
    TrainingSettings,
    _digests,
    _n_changed,
    split,
    train,
)
from pressgang.studio.backend.trainings import training_command
from pressgang.studio.secret import TOKEN
from tests.studio.backend.conftest import free_port
from tests.studio.conftest import Server

TEXTS = [f"Report {number} from the court." for number in range(60)]


def documents(numbers: list[int], name: str) -> list[Document]:
    return [Document(f"{name}-{number}", TEXTS[number]) for number in numbers]


def keys(side: tuple[Document, ...]) -> set[str]:
    return {text_key(document.text) for document in side}


some = st.lists(st.integers(0, 59), unique=True, max_size=25)


@given(some, some, some, some, st.floats(0, 0.9))
def test_no_text_is_on_both_sides_and_none_is_lost(
    fixed: list[int], extra: list[int], project: list[int], known: list[int], share: float
) -> None:
    fold = split(
        documents(fixed, "fixed"),
        documents(extra, "extra"),
        documents(project, "task"),
        held_out=[f"fixed-{number}" for number in fixed[:3]],
        share=share,
        known=frozenset(text_key(TEXTS[number]) for number in known),
    )
    assert not keys(fold.test) & keys(fold.known)
    everything = {text_key(TEXTS[number]) for number in (*fixed, *extra, *project)}
    assert keys(fold.test) | keys(fold.known) == everything
    assert not keys(fold.test) & {text_key(TEXTS[number]) for number in known}
    ids = [document.id for document in (*fold.train, *fold.test)]
    assert len(set(ids)) == len(ids)


def project_split(numbers: list[int], known: frozenset[str] = frozenset()) -> Fold:
    return split([], [], documents(numbers, "task"), held_out=[], share=0.3, known=known)


def test_a_text_stays_on_its_side_when_the_project_grows() -> None:
    few, many = project_split(list(range(30))), project_split(list(range(60)))
    assert 0 < len(few.test) < 20
    assert keys(few.test) <= keys(many.test)
    assert keys(few.train) <= keys(many.train)


def test_the_model_made_by_one_training_may_be_tested_by_the_next() -> None:
    first = project_split(list(range(30)))
    second = project_split(list(range(60)), known=frozenset(keys(first.known)))
    assert keys(first.test) <= keys(second.test)
    assert not keys(second.test) & keys(first.known)


def test_what_the_project_says_of_a_text_replaces_what_an_export_said() -> None:
    old = Document("gold", TEXTS[0])
    extra = Document("written", TEXTS[1])
    new = [Document("task-1", f" {TEXTS[0]}\n"), Document("task-2", TEXTS[1])]
    fold = split([old], [extra], new, held_out=["gold"], share=0.0, known=frozenset())
    assert fold.test == (dataclasses.replace(new[0], id="gold"),)
    assert fold.train == (new[1],)
    assert fold.training_only == ()


def test_two_documents_of_one_name_are_told_apart() -> None:
    twice = [Document("a", TEXTS[0])]
    fold = split(twice, [], [Document("a", TEXTS[1])], held_out=[], share=0, known=frozenset())
    assert sorted(d.id for d in fold.train) == ["a", "a+"]


def test_new_changed_and_deleted_annotations_count_and_skipped_ones_do_not(tmp_path: Path) -> None:
    def task(number: int, result: object, *, skipped: bool = False) -> dict[str, object]:
        annotation = {"id": number, "result": result, "was_cancelled": skipped}
        return {"id": number, "data": {}, "annotations": [annotation]}

    path = tmp_path / "learned.json"
    before = _digests([task(1, []), task(2, []), task(3, [])])
    assert _n_changed(path, before) == 3
    path.write_text(json.dumps(before))
    assert _n_changed(path, before) == 0
    after = _digests([task(1, []), task(2, [{"id": "a"}]), task(4, []), task(5, [], skipped=True)])
    assert _n_changed(path, after) == 3


def test_a_server_that_is_down_is_one_line_of_the_outcome(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    settings = TrainingSettings("run.toml", url, 1, "model", 0.2)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "order.json").write_text('{"number": 1, "at_least": 1, "started": ""}')
    environment = {TOKEN: "f" * 40, SETTINGS: json.dumps(dataclasses.asdict(settings))}
    process = subprocess.Popen(
        [*training_command(), str(tmp_path)],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = process.stdout.read() if process.stdout else ""
    assert process.wait(600) == 0, said
    outcome = json.loads((tmp_path / "work" / "outcome.json").read_text())
    assert outcome["result"] == "failed"
    assert outcome["why"].startswith(f"{url}: nothing answers there")
    assert said == ""


@pytest.mark.slow
def test_a_wrong_token_or_project_is_named(server: Server, tmp_path: Path) -> None:
    folder, order = StateFolder(tmp_path), Order(1, 1, "")
    folder.work.mkdir()
    settings = TrainingSettings("run.toml", server.url, 999_999, "model", 0.2)
    for token, part in (
        ("f" * 40, "refused the token"),
        (server.token, "projects/999999"),
        ("", TOKEN),
    ):
        with pytest.raises((ValueError, OSError), match=part):
            train(folder, order, settings, token=token)
    assert list(folder.work.iterdir()) == []
