from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pressgang import cli
from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document
from pressgang.label_studio.tasks import to_task
from pressgang.model.extractor import Extractor

Run = Callable[..., tuple[int, str, str]]

CONFIG = """
encoder = {encoder!r}
{data}
[windows]
tokens = 96
core_tokens = 40
right_tokens = 8
[model]
pair_width = 16
label_width = 4
[training]
epochs = {epochs}
batch_windows = 2
device = "cpu"
precision = "fp32"
encoder_learning_rate = 2e-3
head_learning_rate = 5e-3
average_decay = 0.9
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pressgang", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


@pytest.fixture(scope="module")
def export(court_reports: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "export.json"
    path.write_text(json.dumps([to_task(document) for document in court_reports]))
    return path


@pytest.fixture(scope="module")
def model(reporter: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    reporter.save(folder)
    return folder


def write_config(folder: Path, encoder: Path, data: str = "", *, epochs: int = 2) -> Path:
    path = folder / "run.toml"
    path.write_text(CONFIG.format(encoder=str(encoder), data=data, epochs=epochs))
    return path


def assert_one_line(result: tuple[int, str, str], *parts: str) -> None:
    status, out, err = result
    assert status == 2
    assert out == ""
    assert err.startswith("pressgang: ")
    assert err.count("\n") == 1
    for part in parts:
        assert part in err


@pytest.mark.slow
def test_an_export_becomes_a_model_a_report_and_a_card(
    run: Run, bert: Path, export: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path, bert, "[data]\nheld_out = ['one', 'five']")
    status, out, _ = run("train", "--config", config, "--data", export, "--output", tmp_path / "m")
    assert status == 0
    assert "Entities" in out
    report = json.loads((tmp_path / "m" / "report" / "report.json").read_text())
    assert {d["id"] for d in report["report"]["documents"]} == {"one", "five"}
    assert report["run"]["trained_on"]["documents"] == 3
    assert report["run"]["processes"] == 1

    whole = tmp_path / "whole"
    command = ("train", "--config", config, "--data", export, "--output", whole)
    assert run(*command, "--everything")[0] == 0
    record = json.loads((whole / "run.json").read_text())
    assert record["trained_on"]["documents"] == 5
    assert record["config"]["data"]["held_out"] == []
    assert not (whole / "report").exists()

    status, _, _ = run(
        "evaluate", "--data", export, "--model", tmp_path / "m", "--output", tmp_path / "e"
    )
    assert status == 0
    (tmp_path / "CARD.md").write_text("Five court reports.")
    status, _, _ = run(
        *("card", "--report", tmp_path / "e" / "report.json"),
        *("--corpus", tmp_path / "CARD.md", "--output", tmp_path / "model_card.md"),
    )
    assert status == 0
    assert "Five court reports." in (tmp_path / "model_card.md").read_text()


@pytest.mark.slow
def test_every_article_is_predicted_by_a_model_that_has_not_seen_it(
    run: Run, bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    """The leak test: a name that stands in one article only is never known to its own fold."""
    everyone = [d for d in court_reports if d.entities]
    names = {d.id: {d.surface(e) for e in d.entities} for d in everyone}
    export = tmp_path / "export.json"
    export.write_text(json.dumps([to_task(d) for d in everyone]))
    config = write_config(tmp_path, bert)
    arguments = (
        "cross-validate",
        "--config",
        config,
        "--data",
        export,
        "--output",
        tmp_path / "cv",
    )
    status, _, err = run(*arguments)
    assert status == 0
    assert "4 to train" in err

    tested = []
    for fold in sorted((tmp_path / "cv" / "folds").glob("[0-9]*")):
        (test,) = read_documents(fold / "predicted.jsonl")
        others = set().union(*(found for name, found in names.items() if name != test.id))
        assert set(json.loads((fold / "seen.json").read_text())) == others
        (memory,) = read_documents(fold / "baseline.jsonl")
        assert {memory.surface(e) for e in memory.entities} <= others
        tested.append(test.id)
    assert sorted(tested) == sorted(names)

    status, _, err = run(*arguments)
    assert status == 0
    assert "0 to train" in err
    other = write_config(tmp_path, bert, "seed = 99")
    assert_one_line(run("cross-validate", "--config", other, *arguments[3:]), "other settings")


def test_predict_reads_text_folders_lines_and_standard_input(
    run: Run,
    model: Path,
    court_reports: list[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"Askar Usenov was jailed\r\nin Osh.\r\n")
    write_documents(tmp_path / "in" / "b.jsonl", court_reports[:2])
    status, out, _ = run("predict", tmp_path / "in", "--model", model)
    assert status == 0
    documents = [Document.from_dict(json.loads(line)) for line in out.splitlines()]
    assert [d.id for d in documents] == ["a", "one", "two"]
    assert documents[0].text == "Askar Usenov was jailed\r\nin Osh.\r\n"
    assert documents[1].entities == court_reports[0].entities

    monkeypatch.setattr(sys, "stdin", io.StringIO(court_reports[0].text))
    status, out, _ = run("predict", "--model", model)
    assert Document.from_dict(json.loads(out)).relations == court_reports[0].relations


def test_predict_writes_a_page_that_loads_nothing(
    run: Run, model: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    write_documents(tmp_path / "in.jsonl", court_reports)
    status, out, _ = run(
        *("predict", tmp_path / "in.jsonl", "--model", model),
        *("--format", "html", "--output", tmp_path / "page.html"),
    )
    assert (status, out) == (0, "")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "JAILED_IN" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_failed_run_leaves_no_half_file(run: Run, model: Path, tmp_path: Path) -> None:
    lines = tmp_path / "in.jsonl"
    lines.write_text('{"id": "a", "text": "Osh"}\n{"id": "b"}\n')
    result = run("predict", lines, "--model", model, "--output", tmp_path / "out.jsonl")
    assert_one_line(result, "in.jsonl, line 2", "'text' is missing")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("no.txt", None, "no such file"),
        ("a.pdf", b"%PDF", "expected a .txt or .jsonl file"),
        ("latin.txt", "Bischkek für".encode("latin-1"), "not UTF-8"),
        ("latin.jsonl", b'{"text": "\xff"}', "not UTF-8"),
        ("broken.jsonl", b"{", "line 1"),
        ("list.jsonl", b"[1]", "expected an object"),
    ],
)
def test_wrong_input_is_one_line(
    run: Run, model: Path, tmp_path: Path, name: str, content: bytes | None, part: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert_one_line(run("predict", tmp_path / name, "--model", model), name, part)


def test_check_counts_and_strict_stops(run: Run, export: Path, tmp_path: Path) -> None:
    status, out, _ = run("check", export)
    assert status == 0
    assert "JAILED_IN" in out
    tasks = json.loads(export.read_text())
    tasks[0]["annotations"][0]["result"][0]["value"]["end"] = 9999
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps(tasks))
    status, out, _ = run("check", damaged)
    assert status == 0
    assert "bad-offsets" in out
    status, out, err = run("check", damaged, "--strict")
    assert status == 2
    assert "bad-offsets" in out
    assert "--strict" in err


def test_training_on_nothing_and_unknown_settings_are_one_line(
    run: Run, bert: Path, export: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    config = write_config(tmp_path, bert)
    train = ("train", "--output", tmp_path / "m", "--config")
    assert_one_line(run(*train, config), "no data")
    assert run(*train, config, "--data", empty)[0] == 2
    config.write_text("[training]\nepoch = 3\n")
    assert_one_line(run(*train, config, "--data", export), "run.toml", "training.epoch")
    config.write_text("encoder = 'no/such-encoder'\n")
    assert_one_line(run(*train, config, "--data", export), "no/such-encoder")
    assert_one_line(run(*train, tmp_path / "gone.toml", "--data", export), "gone.toml")


def test_evaluate_scores_predictions_made_elsewhere(
    run: Run, export: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    predictions = tmp_path / "predictions.jsonl"
    write_documents(predictions, court_reports)
    status, out, _ = run("evaluate", "--data", export, "--predictions", predictions)
    assert status == 0
    assert "1.000" in out
    write_documents(predictions, court_reports[1:])
    assert_one_line(run("evaluate", "--data", export, "--predictions", predictions), "'one'")
    assert_one_line(run("evaluate", "--data", export), "--model or --predictions")


def test_the_package_is_a_program() -> None:
    command = [sys.executable, "-m", "pressgang"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "cross-validate" in shown.stdout
    wrong = subprocess.run([*command, "check", "no.json"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "no.json" in wrong.stderr
