from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pressgang
from pressgang import extractor as rooms
from pressgang.config import DecodingConfig
from pressgang.document import Document, Entity
from pressgang.extractor import Extractor
from tests.conftest import mark

PAGES = sorted(Path("annotations/pages").glob("*.txt"))

ODD_TEXTS = {
    "empty": "",
    "white space": " \n\t \r\n ",
    "control characters": "Askar\x00 Usenov\x07 was\x1b jailed in\x7f Osh.",
    "lone surrogates": "Askar \ud800Usenov was jailed \udfff in Osh.",
    "right to left": "‏אסקר אוסנוב נכלא באוש. سُجن أسكار في أوش.‏",
    "emoji": "👩‍👩‍👧 Askar Usenov 😀 was jailed 🇰🇬 in Osh.",
    "combining marks": "A\u0301skar U\u0308senov was jailed in Osh.",
    "one long word": "a" * 100_000,
    "no words": "!" * 10_000,
    "line breaks": "\n" * 100_000 + "Osh",
    "CRLF": "Askar Usenov\r\nwas jailed\r\nin Osh.\r\n",
}


def assert_sound(document: Document) -> None:
    for first, second in itertools.pairwise(document.entities):
        assert not first.overlaps(second)
    for relation in document.relations:
        assert {relation.head, relation.tail} <= set(document.entities)
    for thing in (*document.entities, *document.relations):
        assert thing.score is not None
        assert 0.0 <= thing.score <= 1.0


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_odd_texts_come_back_whole(reporter: Extractor, text: str) -> None:
    document = reporter.predict(text)
    assert document.text == text
    assert_sound(document)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_comes_back_whole(reporter: Extractor, text: str) -> None:
    document = reporter.predict(text)
    assert document.text == text
    assert_sound(document)


def test_the_same_text_gives_the_same_result_in_any_company(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    texts = [d.text for d in court_reports] + [" ".join(d.text for d in court_reports) * 3, ""]
    alone = [reporter.predict(text) for text in texts]
    together = list(reporter.predict_many(texts))
    backwards = list(reporter.predict_many(reversed(texts)))[::-1]
    for one, two, three in zip(alone, together, backwards, strict=True):
        assert one.entities == two.entities == three.entities
        assert one.relations == two.relations == three.relations
        for first, second in zip(one.entities, two.entities, strict=True):
            assert first.score == pytest.approx(second.score, abs=1e-3)


def test_documents_stream_in_order_while_the_input_is_read(
    reporter: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "_CHUNK_TOKENS", 100)
    n_read = 0

    def endless() -> Iterator[Document]:
        nonlocal n_read
        for n_read in itertools.count(1):
            yield Document(f"{n_read}", "Askar Usenov was jailed in Osh. " * (n_read % 4))

    first = list(itertools.islice(reporter.predict_many(endless()), 50))
    assert [d.id for d in first] == [str(n) for n in range(1, 51)]
    assert n_read < 120


def test_chunks_change_nothing(
    reporter: Extractor, court_reports: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join(d.text for d in court_reports) * 10
    whole = reporter.predict(text)
    assert len(whole.entities) > 50
    assert any(_crosses_a_sentence(text, r.head, r.tail) for r in whole.relations)
    monkeypatch.setattr(rooms, "_CHUNK_TOKENS", 30)
    monkeypatch.setattr(rooms, "_BATCH_TOKENS", 60)
    pieces = reporter.predict(text)
    assert pieces.entities == whole.entities
    assert pieces.relations == whole.relations


def _crosses_a_sentence(text: str, one: Entity, two: Entity) -> bool:
    return ". " in text[min(one.end, two.end) : max(one.start, two.start)]


def test_every_line_of_a_long_text_is_read(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    line = court_reports[0].text + "\n"
    decoding = DecodingConfig(relation_threshold=0.0)
    eager = dataclasses.replace(
        reporter, config=dataclasses.replace(reporter.config, decoding=decoding)
    )
    found = eager.relate_many([Document("long", line * 200, tuple(_entities_of_lines(line, 200)))])
    pairs = {(r.head.start, r.tail.start) for r in next(found).relations}
    assert pairs >= {(at * len(line), at * len(line) + 27) for at in range(200)}
    assert pairs >= {(at * len(line), (at + 1) * len(line) + 27) for at in range(199)}
    assert {e.start // len(line) for e in reporter.predict(line * 200).entities} == set(range(200))


def _entities_of_lines(line: str, n_lines: int) -> Iterator[Entity]:
    for start in range(0, n_lines * len(line), len(line)):
        yield Entity(start, start + 12, "PERSON")
        yield Entity(start + 27, start + 30, "PLACE")


@pytest.mark.slow
def test_a_megabyte_is_read_to_its_end(reporter: Extractor, court_reports: list[Document]) -> None:
    line = court_reports[0].text + "\n"
    text = line * 33_000
    assert len(text) > 1_000_000
    found = reporter.predict(text)
    assert found.text == text
    assert max(entity.start for entity in found.entities) // len(line) == 32_999


def test_given_entities_stay_and_relations_are_found_among_them(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    bare = [Document(d.id, d.text, d.entities) for d in court_reports]
    found = list(reporter.relate_many(bare))
    assert [d.entities for d in found] == [d.entities for d in court_reports]
    assert [d.relations for d in found] == [d.relations for d in court_reports]


def test_given_entities_that_the_model_cannot_place_are_kept(reporter: Extractor) -> None:
    document = mark(
        "x", "[Askar](PERSON) [Us](PERSON)enov and [2 of](NUMBER) them in [Osh](PLACE).", ""
    )
    assert next(reporter.relate_many([document])).entities == document.entities


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_stored_page_is_read_as_it_is(reporter: Extractor, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    document = reporter.predict(text)
    assert document.text == text
    assert_sound(document)


def test_a_saved_model_predicts_the_same(
    reporter: Extractor, court_reports: list[Document], tmp_path: Path
) -> None:
    reporter.save(tmp_path)
    loaded = pressgang.load(tmp_path, device="cpu")
    texts = [d.text for d in court_reports]
    assert [d.to_dict() for d in loaded.predict_many(texts)] == [
        d.to_dict() for d in reporter.predict_many(texts)
    ]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "no pressgang model here"),
        (lambda folder: (folder / "schema.json").unlink(), "schema.json is missing"),
        (lambda folder: (folder / "schema.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"abc"), "not the weights"),
        (lambda folder: _set_format(folder, 99), "format 99"),
    ],
    ids=["gone", "missing file", "broken JSON", "no tokenizer", "broken weights", "other format"],
)
def test_a_damaged_model_is_refused_in_one_line(
    reporter: Extractor, tmp_path: Path, damage: object, message: str
) -> None:
    folder = tmp_path / "model"
    reporter.save(folder)
    damage(folder)  # type: ignore[operator]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        pressgang.load(folder)
    assert str(folder) in str(error.value)


def _set_format(folder: Path, number: int) -> None:
    path = folder / "pressgang.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": number}))


def test_cuda_without_a_gpu_is_said(reporter: Extractor, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    reporter.save(tmp_path)
    with pytest.raises(ValueError, match="finds no GPU"):
        pressgang.load(tmp_path, device="cuda")
