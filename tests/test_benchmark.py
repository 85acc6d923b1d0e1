"""eval/benchmark: what needs no peer: files of data, runs in environments, the table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pressgang.config import RunConfig
from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.evaluate import evaluate
from pressgang.evaluation.reports import read_report, write_report
from pressgang.evaluation.splits import check_apart
from pressgang.files import sha256
from tests.benchmark import ANN, BENCHMARK, BOB, GOLD, TEXT

sys.path.append(str(BENCHMARK))

import exchange
import pieces
import protocols
import rows
import run
import systems
import table


def test_the_data_keeps_articles_and_training_apart(tmp_path: Path) -> None:
    records = protocols.write_parts(Path("annotations"), tmp_path)
    assert [(r["protocol"], r["number"]) for r in records] == [
        ("written", 0),
        *(("articles", i) for i in range(11)),
    ]
    every = {part: read_documents(part.test) for part in protocols.parts(tmp_path)}
    for part, test in every.items():
        check_apart(read_documents(part.train), test)
    written, *left_out = every.values()
    assert sorted(d.id for one in left_out for d in one) == sorted(d.id for d in written)
    n_furniture = records[1]["train"]["documents"] - 10
    for record, one in zip(records[1:], left_out, strict=True):
        assert record["train"]["documents"] == n_furniture + 10
        assert len(one) == 1


@pytest.mark.parametrize("name", [n for own in rows.OWN.values() for n in own.values()])
def test_pressgang_is_trained_on_what_the_peers_are(name: str) -> None:
    config = RunConfig.from_toml(Path("training/ablation") / f"{name}.toml")
    assert config.seed == protocols.SEED
    assert config.data.exports == ("annotations/gold.json",)
    assert config.data.training_only[-1] == "annotations/furniture.json"
    is_written = name in rows.OWN["written"].values()
    assert ("annotations/authored" in config.data.training_only) == is_written
    assert bool(config.training.epochs) != is_written


@pytest.mark.parametrize("peer", systems.PEERS.values(), ids=lambda peer: peer.name)
def test_a_peer_has_a_script_and_pinned_packages(peer: systems.Peer) -> None:
    assert (BENCHMARK / "peers" / peer.script).is_file()
    lines = peer.requirements.read_text(encoding="utf-8").split()
    assert all(line.count("==") == 1 and "+" not in line and "/" not in line for line in lines)
    assert any(line.startswith(f"{peer.name.replace('span-', 'span_')}==") for line in lines)


def test_a_job_has_no_gold_of_the_test(tmp_path: Path) -> None:
    write_documents(tmp_path / "train.jsonl", [GOLD])
    arguments = ["--train", str(tmp_path / "train.jsonl"), "--test", str(tmp_path / "train.jsonl")]
    job = exchange.read_job([*arguments, "--output", str(tmp_path / "out")])
    assert job.train == (GOLD,)
    assert job.test == (Document("one", TEXT),)
    assert job.entity_labels == ["PERSON", "PLACE"]
    assert job.relation_labels == ["BORN_IN", "MET", "WROTE_TO"]
    assert exchange.spoken(job.relation_labels)["born in"] == "BORN_IN"
    with exchange.Stopwatch() as watch:
        pass
    exchange.write_result(
        job,
        [GOLD],
        training=watch,
        predicting=watch,
        parameters=7,
        recipe={"epochs": 1},
        counts={"train": pieces.Losses(n_pieces=3), "lost": 2},
        packages=["numpy"],
    )
    result = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert result["counts"]["train"]["n_pieces"] == 3
    assert read_documents(tmp_path / "out" / "predicted.jsonl") == [GOLD]
    assert not job.work.exists()


def test_labels_that_sound_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in case"):
        exchange.spoken(["BORN_IN", "Born in"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with small data: an article for `written`, four short ones in `articles`."""
    counts = {"documents": 1, "words": 18, "entities": 5, "relations": 3}
    made = [("written", 0), *(("articles", number) for number in range(4))]
    records = [{"protocol": p, "number": n, "train": counts, "test": counts} for p, n in made]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "parts.json").write_text(json.dumps(records), encoding="utf-8")
    for part in protocols.parts(tmp_path):
        write_documents(part.train, [Document("t", "Ann.", (Entity(0, 3, "PERSON"),))])
        write_documents(part.test, [GOLD if part.protocol == "written" else small(part.number)])
    return tmp_path


def small(number: int) -> Document:
    entities = (Entity(0, 3, "PERSON"), Entity(8, 11, "PERSON"))
    return Document(f"f{number}", "Ann met Bob.", entities, (Relation(*entities, "MET"),))


def keep(root: Path, name: str, part: protocols.Part, predicted: Document, **run: Any) -> None:
    folder = systems.run_folder(root, name, part)
    write_documents(folder / "predicted.jsonl", [predicted])
    result = {"training_seconds": 60.0, "seconds": 70.0, "parameters": 2_000_000, "versions": {}}
    systems.write_run(folder, part, result | {"recipe": {"passes": 1}} | run, threads=1)


def of(root: Path, protocol: str) -> Iterator[protocols.Part]:
    return (part for part in protocols.parts(root) if part.protocol == protocol)


def reports(folder: Path, gold: Document, predicted: Document) -> Path:
    """A folder with the report of pressgang for `written`, on data that is there."""
    data = {"path": "annotations/gold.json", "sha256": sha256(Path("annotations/gold.json"))}
    machine = {"cpu": "a chip", "cores": 2, "memory_gib": 8}
    made = {"data": [data], "machine": machine, "parameters": 7, "versions": {}, "seconds": 9.0}
    scores = evaluate([gold], [predicted], baseline=[Document(gold.id, gold.text)])
    write_report(scores, made, folder / rows.OWN["written"]["pressgang"])
    return folder


def test_the_table_scores_what_is_there(root: Path, tmp_path: Path) -> None:
    (written,) = of(root, "written")
    blind = Document("one", TEXT, (ANN, BOB))
    recipe = {"batch": 8, "passes": 1}
    keep(root, "span-marker", written, blind, recipe=recipe, counts={"train": {"n_cuts": 2}})
    keep(root, "transformers", written, GOLD)
    keep(root, "flair", written, blind)
    for part in list(of(root, "articles"))[:2]:
        keep(root, "gliner", part, small(part.number))
    table.write_table(root, reports(tmp_path / "reports", GOLD, GOLD), tmp_path / "out")
    text = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert "| pressgang | 1.000 | 1.000 | 1.000 |" in text
    assert "| SpanMarker | 1.000 | 0.400 | 0.571 |" in text
    assert "| batch 8; passes 1 | train n cuts 2 |" in text
    assert "| GLiNER relex (2 of 4 trainings) | 1.000 |" in text
    relations = text.partition("### Relations")[2].partition("###")[0]
    assert "SpanMarker |" not in relations
    card = (tmp_path / "out" / "card.md").read_text(encoding="utf-8")
    shown = [line.split(" | ")[0] for line in card.splitlines() if line.startswith("| ")]
    best = ["| Hugging Face token classifier", "| flair SequenceTagger, then RelationClassifier"]
    assert shown[2:] == ["| pressgang", f"| {rows.BASELINE}", *best]


def test_a_run_on_other_data_is_not_in_the_table(root: Path, tmp_path: Path) -> None:
    (written,) = of(root, "written")
    keep(root, "span-marker", written, GOLD)
    assert [row.title for row in rows.read_rows(root, "written", tmp_path)] == ["SpanMarker"]
    write_documents(written.train, [Document("t", "Eve.")])
    assert rows.read_rows(root, "written", tmp_path) == []
    folder = reports(tmp_path / "reports", GOLD, GOLD)
    assert len(rows.read_rows(root, "written", folder)) == 2
    path = folder / rows.OWN["written"]["pressgang"] / "report.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(sha256(Path("annotations/gold.json")), "0"), encoding="utf-8")
    assert rows.read_rows(root, "written", folder) == []


def test_the_first_row_is_ahead_where_both_are_of_the_same_articles(root: Path) -> None:
    for part in of(root, "articles"):
        gold = small(part.number)
        keep(root, "transformers", part, gold)
        keep(root, "gliner", part, Document(gold.id, gold.text, gold.entities[: part.number % 2]))
    keep(root, "flair", next(of(root, "articles")), small(0))
    first, gliner, flair = rows.read_rows(root, "articles", root)
    assert table._ahead(first, first, "entities") == table.DASH
    assert table._ahead(first, gliner, "entities").startswith("+0.600 (+")
    assert table._ahead(first, flair, "entities") == table.DASH


def test_what_is_committed_is_what_the_command_writes() -> None:
    record = json.loads((BENCHMARK / "table.json").read_text(encoding="utf-8"))
    assert (BENCHMARK / "table.md").read_text(encoding="utf-8") == table.render(record)
    assert (BENCHMARK / "card.md").read_text(encoding="utf-8") == table.render_card(record)
    for protocol, own in rows.OWN.items():
        found = {row["title"]: row for row in record["rows"][protocol]}
        for title, folder in own.items():
            if title in found:
                report, _ = read_report(BENCHMARK.parent / "ablation" / folder / "report.json")
                shown = rows.Row.from_dict(found[title]).micro
                assert shown["entities"] == report.model.entities.micro
                assert shown["relations"] == report.model.relations.micro


PEER = """
from exchange import Stopwatch, read_job, write_result
from pressgang.document import Document, Entity

job = read_job()
watch = Stopwatch()
assert not any(d.entities for d in job.test)
found = [Document(d.id, d.text, (Entity(0, 3, job.entity_labels[0]),)) for d in job.test]
write_result(job, found, training=watch, predicting=watch, parameters=1, recipe={}, counts={},
             packages=["numpy"])
"""


@pytest.fixture
def peer(root: Path, tmp_path: Path) -> systems.Peer:
    """A peer whose environment is this one."""
    script = tmp_path / "peer.py"
    script.write_text(PEER, encoding="utf-8")
    made = systems.Peer("spacy", "a peer", str(script))
    folder = root / "environments" / "spacy"
    (folder / "bin").mkdir(parents=True)
    python = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    (folder / "bin" / "python").write_text(python, encoding="utf-8")
    (folder / "bin" / "python").chmod(0o755)
    (folder / "installed").write_text(sha256(made.requirements), encoding="utf-8")
    return made


def test_a_peer_is_trained_once(
    root: Path, peer: systems.Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    (written,) = of(root, "written")
    for _ in range(2):
        systems.train(peer, written, root, threads=1, passes=2)
    folder = systems.run_folder(root, "spacy", written)
    assert read_documents(folder / "predicted.jsonl") == [Document("one", TEXT, (ANN,))]
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["data"] == written.hashes()
    assert record["cpu_seconds"] > 0
    assert "done before" in capsys.readouterr().err.splitlines()[-1]
    assert record["recipe"]["passes"] == 2
    systems.train(peer, written, root, threads=1)  # fewer passes: what is there is better
    assert systems.read_run(folder, written) == record
    systems.train(peer, written, root, threads=1, limit=1, max_steps=1)
    assert (systems.run_folder(root, "spacy", written, trial=True) / "run.json").exists()


def test_a_peer_that_fails_is_named_with_its_last_line(root: Path, peer: systems.Peer) -> None:
    (written,) = of(root, "written")
    Path(peer.script).write_text("raise SystemExit('no such thing')", encoding="utf-8")
    with pytest.raises(ValueError, match=r"spacy ended with status 1: no such thing; see .*"):
        systems.train(peer, written, root, threads=1)
    assert systems.read_run(systems.run_folder(root, "spacy", written), written) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "flair"], "write the data first"),
        (["table"], "write the data first"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--root", str(tmp_path), *arguments])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmark: ")
    assert message in line
