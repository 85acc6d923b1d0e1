from __future__ import annotations

import dataclasses
import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pressgang.config import DecodingConfig
from pressgang.document import Document, Entity
from pressgang.model import extractor as rooms
from pressgang.model.extractor import Extractor
from pressgang.text import encoding
from pressgang.text.batches import View
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


any_text = st.text(alphabet=st.characters(), max_size=300)
"""Any code points, lone surrogates among them."""
pieces = st.sampled_from(
    [
        *("Askar Usenov", "Timur Aliev", "Osh", "was jailed in", "Nurlan", " ", ". ", "\n", "\r\n"),
        *("\u0301", "\u200d", "👩‍👩‍👧", "\ufeff", "\x00", "\ud800", "ﷺ", "’s", "U.S.", "a" * 70),
    ]
)
text_like = st.lists(pieces, max_size=40).map("".join)
"""Texts in which the model finds something, in odd company."""


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_text | text_like)
def test_any_text_comes_back_whole(reporter: Extractor, text: str) -> None:
    document = reporter.predict(text)
    assert document.text == text
    assert_sound(document)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(any_text | text_like, max_size=12), st.randoms(use_true_random=False))
def test_any_text_gives_the_same_alone_in_any_batch_and_in_any_order(
    reporter: Extractor, texts: list[str], random: Random
) -> None:
    alone = [reporter.predict(text) for text in texts]
    order = random.sample(range(len(texts)), len(texts))
    shuffled = list(reporter.predict_many([texts[place] for place in order]))
    together = list(reporter.predict_many(texts))
    for place, found in [*enumerate(together), *zip(order, shuffled, strict=True)]:
        assert_alike(alone[place], found)


def assert_alike(one: Document, other: Document) -> None:
    """The same entities and relations, with scores equal within a thousandth."""
    assert (one.text, one.entities, one.relations) == (other.text, other.entities, other.relations)
    for first, second in zip(
        (*one.entities, *one.relations), (*other.entities, *other.relations), strict=True
    ):
        assert first.score == pytest.approx(second.score, abs=1e-3)


def test_the_same_text_gives_the_same_result_in_any_company(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    texts = [d.text for d in court_reports] + [" ".join(d.text for d in court_reports) * 3, ""]
    alone = [reporter.predict(text) for text in texts]
    together = list(reporter.predict_many(texts))
    backwards = list(reporter.predict_many(reversed(texts)))[::-1]
    for one, two, three in zip(alone, together, backwards, strict=True):
        assert_alike(one, two)
        assert_alike(one, three)


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


def test_documents_without_a_word_are_not_held_back(reporter: Extractor) -> None:
    n_read = 0

    def endless() -> Iterator[str]:
        nonlocal n_read
        yield "Askar Usenov was jailed in Osh."
        while True:
            n_read += 1
            yield ""

    first = list(itertools.islice(reporter.predict_many(endless()), 3))
    assert len(first[0].entities) == 2
    assert n_read <= rooms._CHUNK_DOCUMENTS


def test_memory_does_not_grow_with_the_stream(
    reporter: Extractor, court_reports: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "_CHUNK_TOKENS", 500)
    texts = itertools.cycle(d.text for d in court_reports)
    stream = reporter.predict_many(texts)
    peaks = []
    tracemalloc.start()
    try:
        for n_documents in (200, 200, 1000):
            tracemalloc.reset_peak()
            for _ in itertools.islice(stream, n_documents):
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1] + 100_000


def test_a_sentence_without_end_is_no_chunk_without_end(
    reporter: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Askar Usenov jailed in Osh and " * 2000
    whole = reporter.predict(text)
    monkeypatch.setattr(rooms, "_CHUNK_TOKENS", 500)
    sizes = []

    class Measured(Extractor):
        def _work(self, chunk: Sequence[tuple[object, View]]) -> None:
            sizes.append(sum(view.n_tokens for _, view in chunk))
            Extractor._work(self, chunk)  # type: ignore[arg-type]

    fields = {f.name: getattr(reporter, f.name) for f in dataclasses.fields(reporter)}
    assert_alike(Measured(**fields).predict(text), whole)
    n_cut = encoding.MAX_SENTENCE_WORDS * 4  # tokens of such a sentence, and windows' contexts
    assert len(sizes) > 5
    assert max(sizes) < 3 * n_cut


LARGE = {
    "10 MB": lambda line: line * (10_000_000 // len(line)),
    "10 MB in one sentence": lambda line: (
        line.replace(".", ",").replace("\n", " ") * (10_000_000 // len(line))
    ),
    "a word of a million characters": lambda line: "й" * 1_000_000 + " " + line,
    "a million marks": lambda line: "!" * 1_000_000 + " " + line,
    "a million full stops and quotation marks": lambda line: '."' * 500_000 + " " + line,
    "a million combining marks": lambda line: "a" + "\u0301" * 1_000_000 + " " + line,
    "a hundred thousand line breaks": lambda line: "\n" * 100_000 + line,
    "a million blanks": lambda line: ". " + " " * 1_000_000 + line,
    "a hundred thousand abbreviations": lambda line: "U.S." * 100_000 + " " + line,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_size_is_no_danger(
    reporter: Extractor, court_reports: list[Document], text: Callable[[str], str]
) -> None:
    """Each has words up to its end, and is read at a rate that does not fall with its length."""
    large = text(court_reports[0].text + "\n")
    begun = time.process_time()
    found = reporter.predict(large)
    assert time.process_time() - begun < 30 + len(large) / 30_000
    assert found.text == large
    assert reporter.text_encoder.encode(large).words[-1].tolist()[1] >= len(large) - 2


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
