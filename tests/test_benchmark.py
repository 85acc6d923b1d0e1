"""eval/benchmark: what needs no peer: cutting and joining, files of data, runs, the table."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from pressgang.config import RunConfig
from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document, Entity, Relation
from pressgang.splits import check_apart

BENCHMARK = Path("eval/benchmark").resolve()
sys.path.append(str(BENCHMARK))

import bio
import exchange
import own
import pieces
import protocols
import run
import systems
import table

TEXT = "Ann met Bob in Osh. Eve left.\n\nBob, who was born in Osh, wrote to Ann and to Eve."


def entity(surface: str, label: str = "PERSON", *, nth: int = 0) -> Entity:
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(surface, start + 1)
    return Entity(start, start + len(surface), label)


ANN, BOB, OSH = entity("Ann"), entity("Bob"), entity("Osh", "PLACE")
BOB_AGAIN, OSH_AGAIN = entity("Bob", nth=1), entity("Osh", "PLACE", nth=1)
GOLD = Document(
    "one",
    TEXT,
    (ANN, BOB, OSH, BOB_AGAIN, OSH_AGAIN),
    (
        Relation(ANN, BOB, "MET"),
        Relation(BOB_AGAIN, OSH_AGAIN, "BORN_IN"),
        Relation(BOB_AGAIN, ANN, "WROTE_TO"),
    ),
)


def annotated(text: str, every: int) -> Document:
    """Every so many-th word an entity, each related to the next."""
    offsets = pieces.word_offsets(text)[:: every + 1]
    entities = tuple(Entity(start, end, "X") for start, end in offsets)
    relations = tuple(Relation(a, b, "NEXT") for a, b in itertools.pairwise(entities))
    return Document("d", text, entities, relations)


texts = st.lists(
    st.sampled_from(["Osh", "went", "U.S.", "well-known", ". ", "! ", "\n\n", " ", ", ", "Ünï’s"])
).map(" ".join)


@given(texts, st.integers(1, 12), st.integers(1, 3), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_pieces_hold_every_word_once_and_join_to_what_they_were_cut_from(
    text: str, max_words: int, max_sentences: int, every: int
) -> None:
    document = annotated(text, every)
    parts, losses = pieces.cut(document, max_words=max_words, max_sentences=max_sentences)
    moved = [
        (p.start + start, p.start + end)
        for p in parts
        for start, end in pieces.word_offsets(p.document.text)
    ]
    assert moved == pieces.word_offsets(text)
    assert all(len(pieces.word_offsets(p.document.text)) <= max_words for p in parts)
    joined = pieces.join(document, parts, [p.document for p in parts])
    assert set(joined.entities) <= set(document.entities)
    assert set(joined.relations) <= set(document.relations)
    assert losses.n_cut_entities == len(document.entities) - len(joined.entities)
    assert losses.n_cut_relations == len(document.relations) - len(joined.relations)


def test_a_document_that_fits_is_one_piece_and_loses_nothing() -> None:
    parts, losses = pieces.cut(GOLD, max_words=100)
    assert losses == pieces.Losses(1, 1, 0, 0, 0)
    assert pieces.join(GOLD, parts, [p.document for p in parts]) == GOLD


def test_sentences_keep_their_relations_and_lose_those_between_them() -> None:
    parts, losses = pieces.cut(GOLD, max_words=100, max_sentences=1)
    assert [p.document.text for p in parts] == [
        "Ann met Bob in Osh.",
        "Eve left.",
        "Bob, who was born in Osh, wrote to Ann and to Eve.",
    ]
    assert losses == pieces.Losses(1, 3, 0, 0, 1)
    joined = pieces.join(GOLD, parts, [p.document for p in parts])
    assert {r.label for r in joined.relations} == {"MET", "BORN_IN"}


def test_a_sentence_that_is_too_long_is_cut_between_words_and_counted() -> None:
    parts, losses = pieces.cut(GOLD, max_words=4)
    assert losses.n_cuts == 4  # 6 and 14 words
    assert parts[0].document.text == "Ann met Bob in"
    assert losses.n_cut_relations == 2


def test_predictions_for_another_text_are_refused() -> None:
    parts, _ = pieces.cut(GOLD, max_words=100)
    with pytest.raises(ValueError, match="another text"):
        pieces.join(GOLD, parts, [Document("one#0", "Ann")])


def test_an_entity_inside_a_word_is_refused() -> None:
    document = Document("d", "Annabel", (Entity(0, 3, "PERSON"),))
    with pytest.raises(ValueError, match="inside a word"):
        pieces.word_spans(document, pieces.word_offsets(document.text))


def test_pieces_longer_than_the_room_are_counted() -> None:
    parts, _ = pieces.cut_all([GOLD], max_words=100, max_sentences=1)
    assert pieces.n_longer(parts, len, 5) == 2  # a full stop is a word


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=12))
@settings(deadline=None)
def test_tags_are_read_as_seqeval_reads_them(tags: list[str]) -> None:
    spans = bio.to_spans(tags)
    assert [(label, start, end - 1) for start, end, label in spans] == get_entities(tags)
    assert bio.to_spans(bio.to_tags(spans, len(tags))) == spans


def test_overlapping_spans_have_no_tags() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        bio.to_tags([(0, 2, "X"), (1, 3, "Y")], 3)


def test_the_data_keeps_articles_and_training_apart(tmp_path: Path) -> None:
    records = protocols.write_parts(Path("annotations"), tmp_path)
    assert [(r["protocol"], r["number"]) for r in records] == [
        ("written", 0),
        *(("folds", i) for i in range(4)),
    ]
    every = {part: read_documents(part.test) for part in protocols.parts(tmp_path)}
    for part, test in every.items():
        check_apart(read_documents(part.train), test)
    written, *folds = every.values()
    assert len(written) == 11
    tested = [d.id for fold in folds for d in fold]
    assert sorted(tested) == sorted(d.id for d in written)
    n_written = records[0]["train"]["documents"]
    for record, fold in zip(records[1:], folds, strict=True):
        assert record["train"]["documents"] == n_written + 11 - len(fold)
    assert protocols.read_counts(tmp_path) == records


def test_the_folds_are_those_of_the_default_configuration() -> None:
    assert RunConfig.from_toml(Path("training/default.toml")).seed == protocols.SEED
    for config in own.CONFIGS.values():
        assert RunConfig.from_toml(own.REPOSITORY / config).seed == protocols.SEED


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
    """A folder with small data: the same article for `written`, four short ones in the folds."""
    counts = {"documents": 1, "words": 18, "entities": 5, "relations": 3}
    records = []
    for part in protocols.parts(tmp_path):
        gold = GOLD if part.protocol == "written" else small(part.number)
        write_documents(part.train, [Document("t", "Ann.", (Entity(0, 3, "PERSON"),))])
        write_documents(part.test, [gold])
        record = {"protocol": part.protocol, "number": part.number, "tested": [gold.id]}
        records.append(record | {"train": counts, "test": counts})
    (tmp_path / "data" / "parts.json").write_text(json.dumps(records), encoding="utf-8")
    return tmp_path


def small(number: int) -> Document:
    entities = (Entity(0, 3, "PERSON"), Entity(8, 11, "PERSON"))
    return Document(f"f{number}", "Ann met Bob.", entities, (Relation(*entities, "MET"),))


def keep(root: Path, name: str, part: protocols.Part, predicted: Document, **run: Any) -> None:
    folder = systems.run_folder(root, name, part)
    write_documents(folder / "predicted.jsonl", [predicted])
    result = {"training_seconds": 60.0, "seconds": 70.0, "parameters": 2_000_000, "recipe": {}}
    systems.write_run(folder, part, result | run, threads=1)


def of(root: Path, protocol: str) -> Iterator[protocols.Part]:
    return (part for part in protocols.parts(root) if part.protocol == protocol)


def test_the_table_scores_what_is_there(root: Path, tmp_path: Path) -> None:
    (written,) = of(root, "written")
    blind = Document("one", TEXT, (ANN, BOB))
    keep(root, "pressgang", written, GOLD)
    keep(root, "span-marker", written, blind, recipe={"batch": 8}, counts={"train": {"n_cuts": 2}})
    for part in list(of(root, "folds"))[:2]:
        keep(root, "gliner", part, small(part.number))
    table.write_table(root, tmp_path / "out")
    text = (tmp_path / "out" / "peers.md").read_text(encoding="utf-8")
    assert "| pressgang | 1.000 | 1.000 | 1.000 |" in text
    assert "| SpanMarker | 1.000 | 0.400 | 0.571 |" in text
    assert "| batch 8 | train n cuts 2 |" in text
    assert "| GLiNER relex (2 of 4 folds) | 1.000 |" in text
    relations = text.partition("### Relations")[2].partition("###")[0]
    assert "SpanMarker |" not in relations
    record = json.loads((tmp_path / "out" / "peers.json").read_text(encoding="utf-8"))
    marker = record["systems"]["written"]["span-marker"]
    assert "relations" not in marker
    assert marker["documents"][0]["entities"]["n_correct"] == 2


def test_a_run_on_other_data_is_not_in_the_table(root: Path, tmp_path: Path) -> None:
    (written,) = of(root, "written")
    keep(root, "span-marker", written, GOLD)
    assert systems.is_done(systems.run_folder(root, "span-marker", written), written)
    write_documents(written.train, [Document("t", "Eve.")])
    assert not systems.is_done(systems.run_folder(root, "span-marker", written), written)
    with pytest.raises(ValueError, match="nothing is trained yet"):
        table.write_table(root, tmp_path / "out")


def test_the_difference_draws_the_same_articles_for_both(root: Path) -> None:
    for part in of(root, "folds"):
        gold = small(part.number)
        keep(root, "pressgang", part, gold)
        keep(root, "gliner", part, Document(gold.id, gold.text, gold.entities))
        keep(root, "flair", part, Document(gold.id, gold.text, gold.entities[: part.number % 2]))
    rows = {row.name: row.report.documents for row in table.read_rows(root, "folds")}
    assert table.difference(rows["pressgang"], rows["gliner"], "entities") == (
        0.0,
        table.Interval(0.0, 0.0),
    )
    found = table.difference(rows["pressgang"], rows["flair"], "entities")
    assert found is not None
    ahead, interval = found
    assert ahead == pytest.approx(1 - 2 * 2 / 10)
    assert interval.low < ahead < interval.high
    assert table.difference(rows["pressgang"], rows["flair"][:2], "entities") is None


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
    (folder / "installed").write_text(systems.sha256(made.requirements), encoding="utf-8")
    return made


def test_a_peer_is_trained_once(
    root: Path, peer: systems.Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    (written,) = of(root, "written")
    for _ in range(2):
        systems.train(peer, written, root, threads=1, limit=None, max_steps=None)
    folder = systems.run_folder(root, "spacy", written)
    assert read_documents(folder / "predicted.jsonl") == [Document("one", TEXT, (ANN,))]
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["data"] == written.hashes()
    assert record["cpu_seconds"] > 0
    assert "done before" in capsys.readouterr().err.splitlines()[-1]
    systems.train(peer, written, root, threads=1, limit=1, max_steps=1)
    assert (systems.run_folder(root, "spacy", written, trial=True) / "run.json").exists()


def test_a_peer_that_fails_is_named_with_its_last_line(root: Path, peer: systems.Peer) -> None:
    (written,) = of(root, "written")
    Path(peer.script).write_text("raise SystemExit('no such thing')", encoding="utf-8")
    with pytest.raises(ValueError, match=r"spacy ended with status 1: no such thing; see .*"):
        systems.train(peer, written, root, threads=1, limit=None, max_steps=None)
    assert not systems.is_done(systems.run_folder(root, "spacy", written), written)


def test_the_folds_of_cross_validate_become_runs(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "cross-validation"
    for part in of(root, "folds"):
        place = output / "folds" / f"{part.number:02d}"
        write_documents(place / "predicted.jsonl", [small(part.number)])
        done = {"seconds": 10.0, "stage_seconds": [30.0, 8.0], "parameters": 5}
        (place / "done.json").write_text(json.dumps(done), encoding="utf-8")
    chosen = list(of(root, "folds"))
    own.keep_folds(output, chosen, root, config="training/default.toml", threads=1)
    (row,) = table.read_rows(root, "folds")
    assert row.report.model.relations.micro.counts.f1 == 1.0
    assert [r["training_seconds"] for r in row.runs] == [40.0] * 4
    write_documents(output / "folds" / "00" / "predicted.jsonl", [small(0), small(9)])
    with pytest.raises(ValueError, match="its folds are not those of"):
        own.keep_folds(output, chosen, root, config="training/default.toml", threads=1)


def test_the_baseline_runs_here(root: Path) -> None:
    own.run_baseline(list(of(root, "folds")), root, threads=1)
    (row,) = table.read_rows(root, "folds")
    assert row.report.model.entities.micro.counts.n_correct == 4  # "Ann" of each


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
