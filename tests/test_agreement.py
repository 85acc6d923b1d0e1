from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from pressgang.agreement import differences
from pressgang.cli import app
from pressgang.label_studio.tasks import to_task
from tests.conftest import mark

FIRST = mark("a", "[Ana](PERSON:a) of [Osh](PLACE:o) met Bo.", "a LIVES o")
SECOND = mark("a", "[Ana](PERSON:a) of [Osh](COURT:o) met [Bo](PERSON:b).", "a KNOWS b")


def test_every_difference_is_named_once() -> None:
    found = list(differences([FIRST], [SECOND]))
    assert [(d.start, d.only_in, d.what) for d in found] == [
        (0, "first", "Ana LIVES Osh"),
        (0, "second", "Ana KNOWS Bo"),
        (7, "first", "Osh PLACE"),
        (7, "second", "Osh COURT"),
        (15, "second", "Bo PERSON"),
    ]
    assert not list(differences([FIRST], [FIRST]))


def test_the_command_gives_f1_and_the_differences(tmp_path: Path) -> None:
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, document in zip(paths, (FIRST, SECOND), strict=True):
        path.write_text(json.dumps([to_task(document)]))
    result = CliRunner().invoke(app, ["agreement", *map(str, paths), "--show"])
    assert result.exit_code == 0
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if "│" in line}
    assert "0.400" in rows["all entities"]  # one in common, of two and of three
    assert "0.000" in rows["all relations"]
    assert "a\t15\tonly in the second\tBo PERSON" in result.stdout


def test_other_texts_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, text in zip(paths, ("[Ana](PERSON) left.", "[Ana](PERSON) came."), strict=True):
        path.write_text(json.dumps([to_task(mark("a", text, ""))]))
    result = CliRunner().invoke(app, ["agreement", *map(str, paths)])
    assert isinstance(result.exception, ValueError)
    assert "has another text" in str(result.exception)
