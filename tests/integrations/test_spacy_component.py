from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.tokens.underscore import Underscore

from pressgang.document import Document, Entity, Relation
from pressgang.formats.docbin import write_docbin
from pressgang.model.extractor import Extractor

TEXTS = [
    "Askar Usenov was jailed in Osh.",
    "Nothing happened on Monday, the court said.",
    "",
    "Nurlan was caught. He was jailed in Osh. A court jailed Timur Aliev in Bishkek.",
]


@pytest.fixture(scope="module")
def folder(reporter: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spacy") / "model"
    reporter.save(path)
    return path


@pytest.fixture
def nlp(folder: Path) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("pressgang", config={"model": str(folder), "device": "cpu"})
    return nlp


def assert_holds(doc: Doc, document: Document) -> None:
    assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == [
        (e.start, e.end, e.label) for e in document.entities
    ]
    assert [e._.score for e in doc.ents] == [
        pytest.approx(e.score, abs=1e-4) for e in document.entities
    ]
    assert [(r.head.start_char, r.tail.start_char, r.label) for r in doc._.relations] == [
        (r.head.start, r.tail.start, r.label) for r in document.relations
    ]
    assert [r.score for r in doc._.relations] == [
        pytest.approx(r.score, abs=1e-4) for r in document.relations
    ]
    assert all(r.head in doc.ents and r.tail in doc.ents for r in doc._.relations)
    assert doc._.unaligned == ()


def test_a_doc_holds_what_the_extractor_finds(nlp: Language, reporter: Extractor) -> None:
    doc, found = nlp(TEXTS[0]), reporter.predict(TEXTS[0])
    assert [e.text for e in doc.ents] == ["Askar Usenov", "Osh"]
    (relation,) = doc._.relations
    assert (relation.head.text, relation.label, relation.tail.text) == (
        "Askar Usenov",
        "JAILED_IN",
        "Osh",
    )
    assert_holds(doc, found)
    assert doc._.document.entities == found.entities


@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_a_stream_of_docs_comes_back_in_order(
    nlp: Language, reporter: Extractor, batch_size: int
) -> None:
    docs = list(nlp.pipe(iter(TEXTS * 3), batch_size=batch_size))
    assert [doc.text for doc in docs] == TEXTS * 3
    for doc, found in zip(docs, reporter.predict_many(TEXTS * 3), strict=True):
        assert_holds(doc, found)


def test_docs_are_predicted_in_batches(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    predict_many = Extractor.predict_many

    def counted(self: Extractor, texts: Iterator[str]) -> Iterator[Document]:
        batch = list(texts)
        sizes.append(len(batch))
        return predict_many(self, batch)

    monkeypatch.setattr(Extractor, "predict_many", counted)
    list(nlp.pipe(TEXTS * 3, batch_size=5))
    assert sizes == [5, 5, 2]


def test_what_tokens_cannot_hold_is_counted_and_kept(nlp: Language, reporter: Extractor) -> None:
    component = nlp.get_pipe("pressgang")
    doc = Doc(nlp.vocab, words=["Askar", "Usenov", "was", "jailed", "in", "Osh."])
    assert doc.text.rstrip() == TEXTS[0]
    with pytest.warns(UserWarning, match=r"doc\._\.unaligned"):
        component(doc)
    assert [e.text for e in doc.ents] == ["Askar Usenov"]
    assert doc._.relations == ()
    person, place = Entity(0, 12, "PERSON"), Entity(27, 30, "PLACE")
    assert doc._.unaligned == (place, Relation(person, place, "JAILED_IN"))
    assert component.n_unaligned == 1
    assert doc._.document.relations == reporter.predict(TEXTS[0]).relations


def test_earlier_entities_give_way(nlp: Language) -> None:
    doc = nlp.make_doc(TEXTS[0])
    doc.ents = [Span(doc, 2, 3, label="VERB")]
    assert {e.label_ for e in nlp.get_pipe("pressgang")(doc).ents} == {"PERSON", "PLACE"}


def test_a_doc_from_disk_keeps_relations_and_scores(nlp: Language, tmp_path: Path) -> None:
    doc = nlp(TEXTS[0])
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "docs.spacy")
    (read,) = DocBin().from_disk(tmp_path / "docs.spacy").get_docs(nlp.vocab)
    assert [(r.head.text, r.label, r.tail.text, r.score) for r in read._.relations] == [
        (r.head.text, r.label, r.tail.text, r.score) for r in doc._.relations
    ]
    assert [e._.score for e in read.ents] == [e._.score for e in doc.ents]


def test_a_docbin_that_predict_wrote_has_its_relations(
    nlp: Language, court_reports: list[Document], tmp_path: Path
) -> None:
    write_docbin(tmp_path / "docs.spacy", court_reports)
    docs = list(DocBin().from_disk(tmp_path / "docs.spacy").get_docs(nlp.vocab))
    assert [doc._.document for doc in docs] == court_reports
    assert [(r.head.text, r.label, r.tail.text) for doc in docs for r in doc._.relations] == [
        (d.surface(r.head), r.label, d.surface(r.tail)) for d in court_reports for r in d.relations
    ]


def test_a_doc_that_was_never_read_has_nothing(nlp: Language) -> None:
    doc = nlp.make_doc(TEXTS[0])
    assert doc._.relations == doc._.unaligned == ()


def test_a_saved_pipeline_names_its_model(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert [doc.to_json() for doc in again.pipe(TEXTS)] == [
        doc.to_json() for doc in nlp.pipe(TEXTS)
    ]


def test_a_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pressgang model here"):
        spacy.blank("en").add_pipe("pressgang", config={"model": str(tmp_path)})


def test_an_attribute_of_another_package_is_not_overwritten(
    nlp: Language, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = (None, None, len, None)
    monkeypatch.setitem(Underscore.doc_extensions, "relations", theirs)
    with pytest.raises(ValueError, match="relations"):
        spacy.blank("en").add_pipe("pressgang", config={"model": str(folder)})


def test_spacy_finds_the_component_by_its_name_and_loads_no_model() -> None:
    (entry,) = importlib.metadata.entry_points(group="spacy_factories", name="pressgang")
    assert entry.value == "pressgang.integrations.spacy_component:create_component"
    code = (
        "import spacy, sys; nlp = spacy.blank('en'); assert nlp.has_factory('pressgang');"
        "assert not spacy.tokens.Doc.has_extension('relations');"
        "print('pressgang.integrations.spacy_component' in sys.modules);"
        "print('pressgang.model.extractor' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
