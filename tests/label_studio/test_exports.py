"""Files: what is an export, and what a wrong one is told."""

import json

import pytest

from pressgang.label_studio.exports import ExportError
from pressgang.label_studio.problems import ProblemKind as Kind
from pressgang.label_studio.tasks import read_export, read_exports
from tests.label_studio.marks import (
    A,
    B,
    task,
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("[]", "no task was exported"),
        (json.dumps(task(A)), "holds a single task"),
        (json.dumps({"tasks": [], "total": 0}), "a JSON object with the fields tasks, total"),
        ('"text"', "a JSON str"),
        ("[1, 2]", "a list without a single task"),
        (
            '[{"id": 1, "text": "Ada", "label": [{"start": 0, "end": 3, "labels": ["PER"]}], '
            '"annotator": 1, "annotation_id": 4}]',
            "looks like a JSON-MIN export",
        ),
        ('[{"text": "Ada"}]', "a list of objects with the fields text but no data"),
        (json.dumps(task(A)) + "\n" + json.dumps(task(B)), "looks like JSON Lines"),
        (json.dumps([task(A)])[:-9], "is broken or cut JSON (line 1"),
        ("[" * 100_000, "is broken or cut JSON (nesting: too deep"),
        ("-DOCSTART- -X- O\nAda -X- _ B-PER\n", "looks like a CoNLL export"),
        ("Ada -X- _ B-PER\nmet -X- _ O\n", "looks like a CoNLL export"),
        ("annotation_id,annotator,id,label,text\n1,1,1,,Ada\n", "looks like a CSV table"),
        ("id\ttext\n1\tAda\n", "looks like a TSV table"),
        ("<View><Text/></View>", "looks like XML"),
        ("Ada met Bob.", "is not JSON"),
        (b"PK\x03\x04\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_export_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "export.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ExportError) as error:
        read_export(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "export as JSON" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_told_in_one_line(tmp_path):
    with pytest.raises(ExportError, match="cannot be read"):
        read_export(tmp_path / "none.json")
    with pytest.raises(ExportError, match="cannot be read"):
        read_export(tmp_path)


def test_exports_are_joined_and_what_occurs_twice_is_reported(tmp_path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    paths[0].write_text(json.dumps([task(A)]), encoding="utf-8-sig")
    paths[1].write_text(json.dumps([task(A), task(A, name=2, text="Bob")]))
    reading = read_exports(paths)
    assert [d.id for d in reading.documents] == ["task-1", "task-1-2", "task-2"]
    assert [(p.kind, p.file) for p in reading.problems] == [
        (Kind.TEXT_MISMATCH, str(paths[1])),
        (Kind.DUPLICATE_ID, str(paths[1])),
        (Kind.SAME_TEXT, str(paths[1])),
    ]
    assert (reading.n_files, reading.n_tasks) == (2, 3)
