from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pressgang.annotation.doubt import asking_all, doubt_many, order, tag_scores
from pressgang.annotation.label_quality import ASKED, find_spots
from pressgang.document import Document
from pressgang.model.calibration import Calibration
from pressgang.model.extractor import Extractor
from tests.conftest import mark

FIRES = "A fire burned down three houses in the old town before dawn."
COURT = "The court sentenced him to nine years for fighting abroad."


def test_the_doubtful_come_first_and_copies_of_them_last() -> None:
    texts = [COURT, FIRES, FIRES.replace("three", "four"), "Nothing new."]
    assert order([0.1, 0.9, 0.8, 0.05], texts) == [1, 0, 2, 3] or order(
        [0.1, 0.9, 0.8, 0.05], texts
    ) == [1, 2, 0, 3]
    assert order([0.3, 0.9, 0.9], [COURT, FIRES, FIRES]) == [1, 0, 2]


def test_what_is_labelled_already_is_discounted() -> None:
    assert order([0.5, 0.6], [COURT, FIRES]) == [1, 0]
    assert order([0.5, 0.6], [COURT, FIRES], [FIRES]) == [0, 1]


@given(st.lists(st.tuples(st.floats(0, 3), st.text(max_size=20)), max_size=8))
def test_every_text_has_one_place(texts: list[tuple[float, str]]) -> None:
    taken = order([doubt for doubt, _ in texts], [text for _, text in texts])
    assert sorted(taken) == list(range(len(texts)))


@pytest.mark.parametrize("calibration", [None, Calibration((0.5, -1.0), (0.5, 0.1, 0.1, -2.0))])
def test_doubt_says_what_predict_says(
    calibration: Calibration | None, reporter: Extractor, court_reports: list[Document]
) -> None:
    own = [doubt for _, doubt in doubt_many(reporter, court_reports)]
    reporter = dataclasses.replace(reporter, calibration=calibration)
    assert [doubt for _, doubt in doubt_many(reporter, court_reports)] == own
    long = Document("long", " ".join(d.text for d in court_reports) * 20)
    for document, (found, doubt) in zip(
        [*court_reports, long, Document("empty", "")],
        doubt_many(reporter, [*court_reports, long, Document("empty", "")]),
        strict=True,
    ):
        expected = reporter.predict(document)
        assert found == expected
        for side in ("entities", "relations"):
            scores = [one.score for one in getattr(found, side)]
            alone = [one.score for one in getattr(expected, side)]
            assert scores == pytest.approx(alone, abs=1e-5)  # in other company
        assert 0 <= doubt.tags <= 1
        assert doubt.relations >= 0


def test_a_strange_text_is_more_doubtful_than_a_known_one(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    strange = Document("strange", "Wagner offered Uzbeks citizenship and money at Bakhmut.")
    (_, known), (_, new) = doubt_many(reporter, [court_reports[0], strange])
    assert new.total > known.total


def test_a_text_twice_as_long_is_not_twice_as_doubtful(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    text = court_reports[0].text
    (_, once), (_, twice) = doubt_many(
        reporter, [Document("a", text), Document("b", f"{text}\n{text}")]
    )
    assert twice.words == 2 * once.words
    assert math.isclose(once.tags, twice.tags, abs_tol=0.1)


def test_tag_scores_are_those_that_entities_are_decoded_from(reporter: Extractor) -> None:
    encoded, scores = tag_scores(reporter, "Askar Usenov was jailed in Osh.")
    assert scores.shape == (len(encoded.words), 1 + 2 * len(reporter.schema.entity_labels))
    assert all(math.isclose(row, 1, rel_tol=1e-6) for row in (2.718281828459045**scores).sum(1))
    [entity, _] = reporter.predict("Askar Usenov was jailed in Osh.").entities
    first, second = scores[:2].max(axis=1)
    assert math.isclose(entity.score or 0, math.exp(first + second), rel_tol=1e-4)


def test_asking_all_gives_every_allowed_pair(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    [found] = asking_all(reporter, least=ASKED).relate_many([court_reports[1]])
    pairs = {(r.head.label, r.label, r.tail.label) for r in found.relations}
    assert pairs == set(reporter.schema.triples)
    assert len(found.relations) == 2  # two persons, one place


def test_right_marks_are_no_spots_and_wrong_ones_are_the_worst(
    reporter: Extractor, court_reports: list[Document]
) -> None:
    assert list(find_spots(reporter, court_reports)) == [[]] * 5
    sceptical = dataclasses.replace(reporter, calibration=Calibration((1, -9), (1, 0, 0, -9)))
    assert list(find_spots(sceptical, court_reports)) == [[]] * 5
    wrong = mark("one", "[Askar Usenov](PERSON:a) was jailed in Osh.", "")
    [[spot]] = find_spots(reporter, [wrong])
    assert (spot.start, spot.end) == (27, 30)
    assert spot.what == "nothing: the model has Osh PLACE"
    backwards = mark("four", "[Nurlan](PERSON:n) was caught. He was jailed in [Osh](PLACE:o).", "")
    [[spot]] = find_spots(reporter, [backwards])
    assert "Nurlan JAILED_IN Osh: is not there, the model has it" in spot.what
    assert spot.score < 0.5
