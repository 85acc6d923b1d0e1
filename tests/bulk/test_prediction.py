"""`pressgang predict` as a user runs it: folders of shards, formats, kills, wrong input."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from pressgang import cli
from pressgang.bulk.least_scores import LeastScores
from pressgang.bulk.prediction import FAILED
from pressgang.bulk.writers import Form
from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document
from pressgang.formats import parquet
from pressgang.model.extractor import Extractor
from tests.test_cli import Run, assert_one_line, model, run

__all__ = ["model", "run"]  # fixtures

N_KILLS = 20
CONFIG = """<View><Labels name="ner" toName="body"><Label value="PERSON"/><Label value="PLACE"/>
</Labels><Relations><Relation value="JAILED_IN"/></Relations>
<Text name="body" value="$article"/></View>"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def predicted(folder: Path) -> list[Document]:
    return [d for path in sorted(folder.glob("part-*.jsonl")) for d in read_documents(path)]


def failures(folder: Path) -> list[dict[str, object]]:
    paths = sorted(folder.glob("errors-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.fixture
def corpus(court_reports: list[Document], tmp_path: Path) -> Path:
    """A folder with every kind of file, 240 documents and 24 that are none."""
    folder = tmp_path / "in"
    folder.mkdir()
    texts = [d.text for d in court_reports]
    for number in range(20):
        (folder / f"{number:02d}.txt").write_bytes((texts[number % 5] + "\r\n").encode())
    (folder / "20.txt").write_bytes(b"\xff\xfe")
    lines = [json.dumps({"text": " ".join(texts[: n % 6])}) for n in range(120)]
    lines[10::20] = ["{"] * 6
    (folder / "a.jsonl").write_text("\n".join(lines))
    lines = [json.dumps({"id": f"z{n}", "text": texts[n % 5]}) for n in range(80)]
    lines[5::10] = ['{"text": 7}'] * 8
    (folder / "b.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    rows = [None if n % 5 == 1 else texts[n % 5] for n in range(43)]
    pyarrow.parquet.write_table(pa.table({"text": rows}), folder / "c.parquet")
    return folder


def test_a_folder_of_shards_holds_what_a_file_would(
    run: Run, model: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    write_documents(tmp_path / "in.jsonl", court_reports)
    arguments = ("predict", tmp_path / "in.jsonl", "--model", model, "--output")
    assert run(*arguments, tmp_path / "one.jsonl")[0] == 0
    status, out, err = run(*arguments, tmp_path / "many", "--shard-documents", 2)
    assert (status, out) == (0, "")
    n_entities, n_relations = (
        sum(len(marks) for marks in found)
        for found in ([d.entities for d in court_reports], [d.relations for d in court_reports])
    )
    assert f"5 documents, {n_entities} entities, {n_relations} rel" in " ".join(err.split())
    assert sorted(contents(tmp_path / "many")) == [
        *(f"part-00000{n}.jsonl" for n in range(3)),
        "run.json",
    ]
    assert [d.to_dict() for d in predicted(tmp_path / "many")] == [
        d.to_dict() for d in read_documents(tmp_path / "one.jsonl")
    ]


def test_what_fails_is_told_with_its_place_and_the_run_goes_on(
    run: Run, model: Path, corpus: Path, tmp_path: Path
) -> None:
    status, _, err = run("predict", corpus, "--model", model, "--output", tmp_path / "out")
    assert status == FAILED
    assert "24 documents failed" in " ".join(err.split())
    found, failed = predicted(tmp_path / "out"), failures(tmp_path / "out")
    assert (len(found), len(failed)) == (240, 24)
    assert len({d.id for d in found}) == 240
    assert failed[0] == {
        "file": str(corpus / "20.txt"),
        "reason": "not UTF-8 (invalid start byte at byte 0)",
    }
    assert {f["line"] for f in failed if f["file"] == str(corpus / "a.jsonl")} == set(
        range(11, 120, 20)
    )
    assert {f["row"] for f in failed if f["file"] == str(corpus / "c.parquet")} == set(
        range(2, 43, 5)
    )
    again = run("predict", corpus, "--model", model, "--output", tmp_path / "out", "--resume")
    assert again[0] == FAILED


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.TEXT])
def test_every_format_goes_into_a_folder(
    run: Run, model: Path, court_reports: list[Document], tmp_path: Path, form: Form
) -> None:
    write_documents(tmp_path / "in.jsonl", court_reports)
    status, _, _ = run(
        *("predict", tmp_path / "in.jsonl", "--model", model),
        *("--format", form, "--output", tmp_path / "out"),
    )
    assert status == 0
    files = contents(tmp_path / "out")
    assert len(files) == (3 if form is Form.CSV else 2)
    assert b"Aliev" in b"".join(files.values()) or form in (Form.PARQUET, Form.SPACY)


def test_label_studio_predictions_fit_the_labeling_config(
    run: Run, model: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    write_documents(tmp_path / "in.jsonl", court_reports)
    config = tmp_path / "config.xml"
    config.write_text(CONFIG)
    arguments = (
        *("predict", tmp_path / "in.jsonl", "--model", model),
        *("--format", "label-studio", "--labeling-config", config, "--output"),
    )
    assert run(*arguments, tmp_path / "tasks.json")[0] == 0
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert [task["data"]["article"] for task in tasks] == [d.text for d in court_reports]
    assert tasks[0]["predictions"][0]["result"][0]["from_name"] == "ner"
    assert tasks[0]["predictions"][0]["model_version"].startswith("pressgang-")
    config.write_text(CONFIG.replace("PLACE", "CITY"))
    result = run(*arguments, tmp_path / "other.json")
    assert_one_line(result, "document 'one'", "'PLACE' is not in the labeling config")
    assert not (tmp_path / "other.json").exists()


def test_a_file_may_be_of_any_format_that_is_one(
    run: Run, model: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    write_documents(tmp_path / "in.jsonl", court_reports)
    path = tmp_path / "found.parquet"
    arguments = ("predict", tmp_path / "in.jsonl", "--model", model, "--format")
    assert run(*arguments, "parquet", "--output", path)[0] == 0
    assert [row.read(name="").id for row in parquet.read_rows(path)] == [
        d.id for d in court_reports
    ]
    status, out, _ = run(*arguments, "conll")
    assert status == 0
    assert "B-PERSON" in out
    result = run(*arguments, "csv", "--output", tmp_path / "found.csv")
    assert_one_line(result, "entities-….csv and relations-….csv", "expected a folder")
    assert_one_line(run(*arguments, "parquet"), "expected --output")
    assert_one_line(run(*arguments, "text", "--output", tmp_path / "a.txt"), "for the terminal")
    assert_one_line(run(*arguments, "csv", "--labeling-config", path), "is for --format label-")


def test_what_scores_too_little_is_left_out_and_counted(
    run: Run, model: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    write_documents(tmp_path / "in.jsonl", court_reports)
    arguments = ("predict", tmp_path / "in.jsonl", "--model", model)
    assert run(*arguments, "--output", tmp_path / "all")[0] == 0
    scores = sorted(e.score or 0.0 for d in predicted(tmp_path / "all") for e in d.entities)
    least = (scores[1] + scores[2]) / 2
    kept = [LeastScores(entity=least).apply(d) for d in predicted(tmp_path / "all")]
    n_kept = sum(len(d.relations) for d in kept)
    n_lost = sum(len(d.relations) for d in predicted(tmp_path / "all")) - n_kept
    outputs = (tmp_path / "some", tmp_path / "some.jsonl")
    for output in outputs:
        options = ("--min-score", least, "--min-relation-score", 0.01, "--output", output)
        status, _, err = run(*arguments, *options)
        assert status == 0
        words = " ".join(err.split())
        assert f"5 documents, {len(scores) - 2} entities, {n_kept} relations in" in words
        assert f"2 entities, {n_lost} relations left out: they score less" in words
    assert predicted(tmp_path / "some") == kept == list(read_documents(outputs[1]))
    again = (*arguments, "--output", tmp_path / "some", "--resume")
    assert_one_line(run(*again), "begun with other output")
    assert_one_line(run(*arguments, "--min-score", 50), "an entity is 50.0, expected 0 to 1")


def test_a_run_that_cannot_go_on_says_so(
    run: Run, model: Path, corpus: Path, tmp_path: Path
) -> None:
    arguments = ("predict", corpus, "--model", model, "--output")
    run(*arguments, tmp_path / "out")
    assert_one_line(run(*arguments, tmp_path / "out"), "holds a run already", "--resume")
    resume = (*arguments, tmp_path / "out", "--resume")
    assert_one_line(run(*resume, "--format", "csv"), "begun with other output")
    assert_one_line(run(*resume, "--shard-documents", 7), "begun with other shard documents")
    (corpus / "new.txt").write_text("Osh")
    assert_one_line(run(*resume), "begun with other inputs")
    assert_one_line(run(*arguments, tmp_path / "a.jsonl", "--resume"), "needs --output with a fold")
    assert_one_line(
        run("predict", "--resume", "--output", tmp_path / "o"), "cannot read standard input"
    )
    assert_one_line(run(*arguments, corpus / "out"), "lies within the input")


def begin(arguments: tuple[object, ...]) -> int:
    """The id of a forked process that runs the command: it has the libraries loaded already."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        sys.argv = ["pressgang", *map(str, arguments)]
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            cli.main()
    except SystemExit as stop:
        status = int(stop.code or 0)
    finally:
        os._exit(status)


def killed(child: int, *, after: float) -> bool:
    """Whether the process was still at work after so many seconds, and so was killed."""
    time.sleep(after)
    os.kill(child, signal.SIGKILL)  # a process that has ended waits to be asked, and is not harmed
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_at_twenty_random_moments_it_loses_nothing_and_repeats_nothing(
    model: Path, corpus: Path, tmp_path: Path
) -> None:
    def command(folder: Path) -> tuple[object, ...]:
        options = ("--shard-documents", 8, "--device", "cpu", "--resume")
        return ("predict", corpus, "--model", model, "--output", folder, *options)

    begun = time.monotonic()
    assert ended(begin(command(tmp_path / "whole"))) == FAILED
    seconds = time.monotonic() - begun
    whole = contents(tmp_path / "whole")
    assert len(predicted(tmp_path / "whole")) == 240
    assert len(failures(tmp_path / "whole")) == 24

    moments = random.Random(7)
    n_written, folders = [], [tmp_path / "killed-0"]  # files in place at each kill
    while len(n_written) < N_KILLS:
        if killed(begin(command(folders[-1])), after=moments.uniform(0, seconds / 3)):
            n_written.append(len(list(folders[-1].glob("part-*"))))
        else:
            folders.append(tmp_path / f"killed-{len(folders)}")
    assert ended(begin(command(folders[-1]))) == FAILED
    for folder in folders:
        assert contents(folder) == whole
    assert sum(n > 0 for n in n_written) >= N_KILLS // 2  # in the midst of the work
    assert len(set(n_written)) >= N_KILLS // 4


@pytest.mark.parametrize("n_documents", [0, 3])
def test_documents_without_a_word_are_documents(
    run: Run, model: Path, tmp_path: Path, n_documents: int, reporter: Extractor
) -> None:
    write_documents(tmp_path / "in.jsonl", [Document(f"{n}", "") for n in range(n_documents)])
    status, _, _ = run(
        "predict", tmp_path / "in.jsonl", "--model", model, "--output", tmp_path / "o"
    )
    assert status == 0
    assert [d.id for d in predicted(tmp_path / "o")] == [str(n) for n in range(n_documents)]
