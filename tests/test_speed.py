"""eval/benchmark/speed.py: what is measured and reported, without any other package."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pressgang.document import Document
from pressgang.model.extractor import Extractor
from pressgang.model.torch_runtime import TorchRuntime
from pressgang.shipping.graphs import write_graphs

sys.path.append(str(Path("eval/benchmark").resolve()))

import pieces
import speed
import speed_ceiling
import speed_process
import speed_readers
import speed_table
import systems

TEXT = "Ann met Bob in Osh. No.\n\nShe had been there before, in the long and cold winter of 1991."


def test_short_sentences_have_five_to_twenty_words() -> None:
    long = "One sentence of many words, " + "and more of them, " * 5 + "goes on."
    found = speed.short_sentences([Document("one", TEXT), Document("two", f"{long} Ann left Osh.")])
    assert found == [
        "Ann met Bob in Osh.",
        "She had been there before, in the long and cold winter of 1991.",
    ]


def test_texts_are_repeated_to_the_words_asked_for() -> None:
    assert speed_process.repeated(["a b", "c"], 7) == ["a b", "c", "a b", "c", "a b"]
    assert speed_process.repeated(["a b"], 0) == []


def test_a_reading_counts_what_came_back_and_stops_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(perf_counter=functools.partial(next, itertools.count()))
    monkeypatch.setattr(speed_process, "time", clock)
    texts = ["a b c", "d", "e f", "g"]
    assert speed_process.timed(iter, texts, 10) == {"documents": 4, "words": 7, "seconds": 4}
    assert speed_process.timed(iter, texts, 1) == {"documents": 2, "words": 4, "seconds": 2}


def test_memory_is_watched_from_the_first_thousand_documents_to_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = iter([100.0, 130.0, 90.0, 110.0])
    monkeypatch.setattr(speed_process, "_memory_mb", lambda: next(used))
    setup = speed_readers.Setup("", (), Path())
    system = speed_readers.System("echo", lambda _: iter, ())
    monkeypatch.setitem(speed_readers.SYSTEMS, "echo", system)
    given = {"system": "echo", "documents": 3500, "sentences": ["a", "b"]}
    grown = speed_process.growth(given, setup)
    assert grown == {
        "documents": 3500,
        "first_mb": 100.0,
        "last_mb": 110.0,
        "most_mb": 130.0,
        "least_mb": 90.0,
    }


@pytest.mark.parametrize("max_sentences", [None, 1])
def test_texts_read_in_pieces_come_back_whole_and_in_order(max_sentences: int | None) -> None:
    given: list[int] = []

    def find(texts: Sequence[str]) -> list[str]:
        given.append(len(texts))
        return list(texts)

    texts = [TEXT, "", "Eve left."] * 7
    found = list(
        speed_readers._read_pieces(texts, find=find, max_words=8, max_sentences=max_sentences)
    )
    cut, _ = pieces.cut_all(
        [Document("", text) for text in texts], max_words=8, max_sentences=max_sentences
    )
    expected = [[piece.document.text for piece in parts] for parts in cut]
    assert found == expected
    assert sum(given) == sum(map(len, expected))
    assert len(given) == 3


def test_every_system_runs_in_an_environment_that_is_there() -> None:
    for system in speed_readers.SYSTEMS.values():
        assert system.environment is None or system.environment in systems.PEERS


def test_stages_and_needs_are_those_of_the_model(reporter: Extractor, tmp_path: Path) -> None:
    reporter.save(tmp_path)
    assert speed_ceiling.encoder_products(tmp_path, reporter) == (
        2 * (4 * 32 * 32 + 2 * 32 * 48),
        4,
        32,
    )
    found = speed_ceiling.stages(tmp_path, ["Askar Usenov was jailed in Osh."] * 20)
    assert found["words"] == 120
    assert set(found["stages"]) == {"tokenizing", "encoder", "pairs", "rest"}
    assert all(seconds > 0 for seconds in found["stages"].values())
    assert sum(found["stages"].values()) == pytest.approx(found["seconds"])
    encoded = reporter.text_encoder.encode("Askar Usenov was jailed in Osh.")
    n_tokens = len(encoded.tokens) + reporter.text_encoder.n_special
    assert found["tokens_per_word"] == pytest.approx(n_tokens / 6)
    assert found["attention_macs_per_word"] == pytest.approx(4 * 32 * n_tokens**2 / 6)


def test_an_export_needs_what_the_trained_model_needs(reporter: Extractor, tmp_path: Path) -> None:
    assert isinstance(reporter.runtime, TorchRuntime)
    write_graphs(reporter.runtime.model, tmp_path, window_tokens=96, least_width=16)
    trained = speed_ceiling.encoder_products(tmp_path / "none", reporter)
    assert speed_ceiling.encoder_products(tmp_path, reporter) == trained


def test_the_machine_is_measured_with_products_of_integers_and_of_floats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed_ceiling, "SHAPES", ((8, 16, 4),))
    monkeypatch.setattr(speed_ceiling, "_SECONDS", 0.001)
    for name, dtype in (("int8", "int32"), ("float32", "float32")):
        (result,) = speed_ceiling._product((8, 16, 4), name, 1)()
        assert (result.dtype, result.shape) == (dtype, (8, 4))
    found = speed_ceiling.peaks(1)
    assert all(entry["gmacs"] > 0 for entries in found.values() for entry in entries)


def measured(words: float, *, single: float = 10.0, load: float = 1.0) -> dict[str, Any]:
    reading = {"documents": 10, "words": words, "seconds": 1.0}
    return {
        "load_seconds": load,
        "articles": reading,
        "sentences": reading,
        "single_ms": single,
        "peak_mb": 300.0,
    }


def record(**changes: Any) -> dict[str, Any]:
    shape = {"shape": (8, 8, 8), "gmacs": 50.0}
    return {
        "machine": {"cpu": "a processor", "cores": 2, "memory_gib": 24},
        "load_before": 0.1,
        "settings": {
            "threads": 2,
            "rounds": 3,
            "seconds": 60.0,
            "words": 1000,
            "sentences": 10,
            "words_of_sentences": 100,
            "articles": 11,
        },
        "model": {"encoder.onnx": 2_000_000},
        "versions": {"pressgang": {"pressgang": "0.1.0"}, "spacy": {"spacy": "3.8"}},
        "runs": {
            "pressgang": [measured(words) for words in (900, 1000, 5000)],
            "spacy": [measured(500)],
            "transformers": [measured(250)],
        },
        "growth": {
            "documents": 100_000,
            "first_mb": 300.0,
            "last_mb": 310.0,
            "most_mb": 320.0,
            "least_mb": 299.0,
        },
        "ceiling": {
            "peak": {"int8": [shape, shape | {"gmacs": 100.0}], "float32": [shape, shape]},
            "stages": {"tokenizing": 1.0, "encoder": 6.0, "pairs": 1.0, "rest": 2.0},
            "seconds": 10.0,
            "words": 1000,
            "tokens_per_word": 2.0,
            "linear_macs_per_word": 2e7,
            "attention_macs_per_word": 1e6,
        },
    } | changes


def lines_of(record: dict[str, Any], folder: Path) -> list[str]:
    speed_table.write_report(folder / "speed.md", record)
    return (folder / "speed.md").read_text(encoding="utf-8").splitlines()


def one(lines: Iterable[str], *parts: str) -> str:
    (line,) = _with(lines, parts)
    return line


def _with(lines: Iterable[str], parts: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if all(part in line for part in parts))


def test_the_report_gives_medians_and_says_what_is_met_and_missed(tmp_path: Path) -> None:
    lines = lines_of(record(), tmp_path)
    assert "| 1000 (900–5000) |" in one(lines, "| pressgang | yes |")
    assert one(lines, "times those of spaCy").endswith("| at least 1 | 2.00 | met |")
    assert one(lines, "times those of Hugging").endswith("| at least 5 | 4.00 | missed |")
    assert one(lines, "change of memory").endswith("| at most 50 | 20.0 | met |")
    assert one(lines, "| encoder and tag head |").endswith("| 60.0 % | 6000.0 |")
    # 20 million multiply-adds at 100 thousand million a second: 200 microseconds.
    assert "200.0 µs a word: 5,000 words a second" in one(lines, "the linear layers alone")


def test_a_system_that_was_not_measured_has_no_row(tmp_path: Path) -> None:
    lines = lines_of(record(runs={"pressgang": [measured(10)]}), tmp_path)
    assert not list(_with(lines, ["spaCy"]))
    assert one(lines, "| pressgang | yes |")
