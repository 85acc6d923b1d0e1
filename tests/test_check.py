"""`pressgang check` on each kind of malformed export: its own line, with task and annotation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pressgang import cli

TEXT = "Askar was jailed in Osh."
CONFIG = """<View><Relations><Relation value="JAILED_IN"/></Relations>
<Labels name="label" toName="text"><Label value="PERSON"/><Label value="PLACE"/></Labels>
<Text name="text" value="$text"/></View>"""


def region(key: str | None, start: Any, end: Any, label: str = "PERSON", **more: Any) -> dict:
    value = {"start": start, "end": end, "labels": [label]} | more.pop("value", {})
    entry = {"from_name": "label", "to_name": "text", "type": "labels", "value": value} | more
    return entry if key is None else {"id": key} | entry


def relation(head: str, tail: str, **more: Any) -> dict:
    return {
        "type": "relation",
        "from_id": head,
        "to_id": tail,
        "direction": "right",
        "labels": ["JAILED_IN"],
    } | more


ASKAR, OSH = region("a", 0, 5), region("o", 20, 23, "PLACE")


def task(*result: Any, text: Any = TEXT, **annotation: Any) -> dict:
    marked = {"id": 70, "result": list(result)} | annotation
    return {"id": 7, "data": {"text": text}, "annotations": [marked]}


PROBLEMS: dict[str, tuple[list[Any], str]] = {
    "several annotations": (
        [task(ASKAR) | {"annotations": [{"id": n, "result": [ASKAR]} for n in (70, 71)]}],
        "several-annotations",
    ),
    "skipped": ([task(ASKAR, was_cancelled=True)], "skipped"),
    "not annotated": ([task() | {"annotations": []}], "unannotated"),
    "predictions only": (
        [task() | {"annotations": [], "predictions": [{"id": 1, "result": [ASKAR]}]}],
        "predictions-only",
    ),
    "unknown direction": (
        [task(ASKAR, OSH, relation("a", "o", direction="up"))],
        "bad-direction",
    ),
    "relation without label": (
        [task(ASKAR, OSH, relation("a", "o", labels=[]))],
        "no-relation-label",
    ),
    "unknown relation label": (
        [task(ASKAR, OSH, relation("a", "o", labels=["MET"]))],
        "unknown-relation-label",
    ),
    "relation to nothing": ([task(ASKAR, relation("a", "gone"))], "unknown-argument"),
    "relation to itself": ([task(ASKAR, relation("a", "a"))], "self-relation"),
    "relation twice": (
        [task(ASKAR, OSH, relation("a", "o"), relation("a", "o"))],
        "duplicate-relation",
    ),
    "unknown label": ([task(region("a", 0, 5, "ANIMAL"))], "unknown-label"),
    "unknown tag name": ([task(region("a", 0, 5, from_name="other"))], "unknown-tag"),
    "missing id": ([task(region(None, 0, 5))], "no-region-id"),
    "duplicate ids": ([task(ASKAR, region("a", 20, 23, "PLACE"))], "duplicate-region-id"),
    "overlapping spans": ([task(ASKAR, region("b", 0, 9))], "overlap"),
    "crossing spans": ([task(region("a", 0, 9), region("b", 6, 16))], "overlap"),
    "reversed offsets": ([task(region("a", 5, 0))], "bad-offsets"),
    "offsets out of range": ([task(region("a", 0, 99))], "bad-offsets"),
    "offsets in words": ([task(region("a", "0", "5"))], "offsets-not-integers"),
    "UTF-16 offsets after an emoji": (
        [task(region("a", 3, 8, value={"text": "Askar"}), text="😀 Askar")],
        "utf16-offsets",
    ),
    "CRLF counted as one": (
        [task(region("a", 5, 10, value={"text": "Askar"}), text="Osh.\r\nAskar was jailed")],
        "white-space-offsets",
    ),
    "collapsed double spaces": (
        [task(region("a", 3, 8, value={"text": "Askar"}), text="In   Askar")],
        "white-space-offsets",
    ),
    "text that is not there": (
        [task(region("a", 0, 5, value={"text": "Nurlan"}))],
        "text-mismatch",
    ),
    "HTML": (
        [
            task(
                region("a", "/p[1]/text()[1]", "/p[1]/text()[1]", type="hypertextlabels"),
                text="<p>Askar</p>",
            )
        ],
        "html-offsets",
    ),
    "not a span": (
        [task({"id": "c", "type": "choices", "value": {"choices": ["good"]}})],
        "not-a-span",
    ),
    "text that is a number": ([task(ASKAR, text=7)], "text-not-string"),
    "same id twice": (
        [task(ASKAR) | {"data": {"id": "x", "text": t}} for t in (TEXT, TEXT + " Again.")],
        "duplicate-id",
    ),
    "same text twice": ([task(ASKAR), task(ASKAR) | {"id": 8}], "same-text"),
}

FILES: dict[str, tuple[str, str]] = {
    "JSON-MIN": (
        json.dumps([{"id": 1, "text": TEXT, "label": [{"start": 0, "end": 5}]}]),
        "JSON-MIN",
    ),
    "CoNLL": ("-DOCSTART- -X- O\nAskar -X- _ B-PERSON\nwas -X- _ O\n", "CoNLL"),
    "CSV": ("id,text,label\n1,Askar,PERSON\n", "CSV"),
    "one task": (json.dumps(task(ASKAR)), "list"),
    "JSON Lines": ("\n".join([json.dumps(task(ASKAR))] * 2), "JSON Lines"),
    "nothing": ("", "empty"),
    "half a file": (json.dumps([task(ASKAR)])[:-20], "JSON"),
}


def check(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    sys.argv = ["pressgang", "check", *map(str, arguments)]
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


@pytest.mark.parametrize(("tasks", "kind"), PROBLEMS.values(), ids=PROBLEMS)
def test_each_problem_has_its_line(
    tasks: list[Any],
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    export, config = tmp_path / "export.json", tmp_path / "config.xml"
    export.write_text(json.dumps(tasks))
    config.write_text(CONFIG)
    arguments = (export, "--labeling-config", config, "--strict")
    status, out, err = check(*arguments, capsys=capsys)
    lines = [line for line in out.splitlines() if f": {kind}: " in line]
    assert lines
    assert all("task" in line for line in lines)
    assert status == 2
    assert err.count("\n") == 1


@pytest.mark.parametrize(("content", "look"), FILES.values(), ids=FILES)
def test_each_wrong_file_is_told_what_it_is(
    content: str,
    look: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    export = tmp_path / "export.json"
    export.write_text(content)
    status, out, err = check(export, capsys=capsys)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "export.json" in err
    assert look in err
