"""reports: what stands in the folder, the same twice, and nothing invented."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.evaluate import Report, evaluate
from pressgang.evaluation.reports import render_markdown, render_summary, write_report

TEXT = "Ann met Bob. Eve left Osh."
RUN: dict[str, Any] = {
    "config": {"name": "tiny", "training": {"epochs": 3}},
    "seed": 1300,
    "versions": {"python": "3.11.7"},
    "machine": {"cpu": "a chip", "cores": 2, "memory_gib": 8.5, "gpu": None},
    "seconds": 61.5,
    "device": "cpu",
    "precision": "fp32",
    "data": [{"path": "a.json", "sha256": "5f", "documents": 2, "entities": 4, "relations": 2}],
    "encoder": {"name": "org/tiny", "sha256": "ab12", "parameters": 22713216},
    "parameters": 24000000,
    "protocol": "leave one out, 2 folds",
    "command": "pressgang cross-validate --config tiny.toml",
}
FILES = [
    "report.json",
    "report.md",
    "entities.png",
    "relations.png",
    "confusion.png",
    "calibration.png",
    "precision_recall.png",
]


def make_report(*, label: str = "PERSON", with_baseline: bool = True) -> Report:
    ann, bob, osh = Entity(0, 3, label), Entity(8, 11, label), Entity(22, 25, "PLACE")
    gold = [
        Document("one", TEXT, (ann, bob, osh), (Relation(ann, bob, "MET"),)),
        Document("two", TEXT, (ann, bob, osh), (Relation(ann, osh, "LIVES_IN"),)),
    ]
    predicted = [
        Document("one", TEXT, (ann, bob), (Relation(ann, bob, "MET"),)),
        Document("two", TEXT, (ann, Entity(8, 11, "PLACE"))),
    ]
    baseline = [Document("one", TEXT, (ann,)), Document("two", TEXT)] if with_baseline else None
    return evaluate(gold, predicted, predicted_on_gold=gold, baseline=baseline)


def test_the_folder_holds_everything(tmp_path: Path) -> None:
    written = write_report(make_report(), RUN, tmp_path / "deep" / "folder")
    assert [path.name for path in written] == FILES
    for path in written:
        assert 0 < path.stat().st_size < 150 * 1024
    record = json.loads(written[0].read_text(encoding="utf-8"))
    assert Report.from_dict(record["report"]) == make_report()
    assert record["run"] == RUN


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_report(make_report(), RUN, tmp_path / "a")
    second = write_report(make_report(), RUN, tmp_path / "b")
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]


def test_figures_are_pictures_without_dates(tmp_path: Path) -> None:
    write_report(make_report(), RUN, tmp_path)
    for name in FILES[2:]:
        picture = (tmp_path / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", picture[16:24])
        assert 300 < width < 2000
        assert 100 < height < 2000
        assert b"tIME" not in picture
        assert b"tEXt" not in picture


def test_definitions_stand_above_the_numbers() -> None:
    report = make_report()
    page = render_markdown(report, RUN)
    for text in report.definitions.values():
        assert page.index(text) < page.index("| strict, micro |")


def test_every_figure_has_support_interval_and_baseline_beside_it() -> None:
    page = render_markdown(make_report(), RUN)
    header = next(line for line in page.splitlines() if line.startswith("|  | P |"))
    micro = next(line for line in page.splitlines() if line.startswith("| strict, micro |"))
    assert [cell.strip() for cell in header.split("|")][2:-1] == [
        *("P", "R", "F1", "95 % interval", "support", "predicted"),
        *("baseline P / R / F1", "95 % interval"),
    ]
    cells = [cell.strip() for cell in micro.split("|")][2:-1]
    assert cells[:3] == ["0.750", "0.500", "0.600"]
    assert cells[4:7] == ["6", "4", "1.000 / 0.167 / 0.286"]


@pytest.mark.parametrize("key", sorted(RUN))
def test_what_was_not_recorded_is_said(key: str) -> None:
    page = render_markdown(make_report(), {k: v for k, v in RUN.items() if k != key})
    assert "not recorded" in page
    assert "not recorded" not in render_markdown(make_report(), RUN)
    assert "None" not in page


def test_an_empty_run_is_all_not_recorded(tmp_path: Path) -> None:
    page = render_markdown(make_report(), {})
    assert page.count("not recorded") >= 10
    write_report(make_report(), {}, tmp_path)


def test_a_machine_without_gpu_is_told_from_one_not_recorded() -> None:
    assert "| GPU | none |" in render_markdown(make_report(), RUN)
    machine = {"cpu": "a chip", "cores": 2, "memory_gib": 8.5}
    assert "| GPU | not recorded |" in render_markdown(make_report(), RUN | {"machine": machine})


def test_a_missing_baseline_is_said() -> None:
    page = render_markdown(make_report(with_baseline=False), RUN)
    assert "No baseline was given." in page


def test_labels_cannot_break_tables_or_figures(tmp_path: Path) -> None:
    report = make_report(label="A|B $x$ \\frac{")
    page = render_markdown(report, RUN)
    n_cells = {line.replace("\\|", "").count("|") for line in page.splitlines() if "A\\|B" in line}
    assert n_cells == {10, 5}
    write_report(report, RUN, tmp_path)


def test_nothing_to_draw_is_drawn(tmp_path: Path) -> None:
    empty = [Document("d", "")]
    write_report(evaluate(empty, empty), RUN, tmp_path)
    assert "– | – | – | – | 0 | 0" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_summary_fits_a_terminal_of_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    report = make_report()
    render_summary(report, console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    micro = next(line for line in lines if line.startswith("strict, micro"))
    assert micro.split()[2:5] == ["0.750", "0.500", "0.600"]
    assert micro.endswith("1.000/0.167/0.286")
