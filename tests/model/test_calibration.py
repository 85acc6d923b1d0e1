from __future__ import annotations

import random
from pathlib import Path

import pytest

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.reliability import Reliability, reliability
from pressgang.model.calibration import Calibration


def overconfident(n: int, *, seed: int) -> tuple[list[Document], list[Document]]:
    """Gold and predictions of a model that says 0.99 or 0.8 and is right in 90 % and 50 %.

    A relation is right in 80 % where its arguments are right.
    """
    draw = random.Random(seed)
    gold, predicted = [], []
    for index in range(n):
        text = "x" * 40
        found, right = [], []
        for start in (0, 10):
            score, share = draw.choice([(0.99, 0.9), (0.8, 0.5)])
            found.append(Entity(start, start + 5, "A", score))
            is_right = draw.random() < share
            right.append(Entity(start, start + (5 if is_right else 4), "A"))
        relations: tuple[Relation, ...] = ()
        if draw.random() < 0.8:
            relations = (Relation(right[0], right[1], "R"),)
        gold.append(Document(str(index), text, tuple(right), relations))
        guess = Relation(found[0], found[1], "R", 0.97)
        predicted.append(Document(str(index), text, tuple(found), (guess,)))
    return gold, predicted


def test_calibrated_scores_are_the_share_that_is_right() -> None:
    calibration = Calibration.fit(*overconfident(4_000, seed=1))
    gold, predicted = overconfident(4_000, seed=2)
    before = list(zip(gold, predicted, strict=True))
    after = [(g, calibration.apply(p)) for g, p in before]
    for kind in ("entities", "relations"):
        raw, mended = reliability(before, kind), reliability(after, kind)
        assert raw is not None
        assert mended is not None
        assert raw.error > 0.08
        assert mended.error < 0.04
    scores = {round(e.score or 0, 2) for _, p in after for e in p.entities}
    assert len(scores) == 2
    assert max(scores) == pytest.approx(0.9, abs=0.02)
    assert min(scores) == pytest.approx(0.5, abs=0.03)
    # A relation between two entities of which each is right in half is right in a fifth.
    relation = {
        round(r.score or 0, 2)
        for _, p in after
        for r in p.relations
        if r.head.score == r.tail.score
    }
    assert min(relation) == pytest.approx(0.2, abs=0.03)


def test_what_was_given_keeps_its_score_and_nothing_else_changes() -> None:
    gold, predicted = overconfident(300, seed=3)
    calibration = Calibration.fit(gold, predicted)
    document = predicted[0]
    mended = calibration.apply(document)
    assert mended.entities == document.entities  # scores take no part in equality
    assert mended.relations == document.relations
    assert [r.head.score for r in mended.relations] == [mended.entities[0].score]
    given = calibration.apply(document, given_entities=True)
    assert [e.score for e in given.entities] == [e.score for e in document.entities]
    assert given.relations[0].score == mended.relations[0].score
    assert calibration.apply(gold[0]).entities[0].score is None


def test_a_calibration_is_written_and_read(tmp_path: Path) -> None:
    calibration = Calibration((0.5, 0.1), (1.0, 0.2, 0.3, -1.0))
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    path = tmp_path / "calibration.json"
    for content in ("{", '{"entity": [1]}', '{"entity": [1], "relation": [1, 2, 3, 4]}', "[]"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=r"calibration\.json: not a calibration"):
            Calibration.read(path)


def test_without_wrong_predictions_there_is_nothing_to_fit() -> None:
    entity = Entity(0, 1, "A", 0.9)
    document = Document("a", "x", (entity,))
    with pytest.raises(ValueError, match="entities predicted are none, all right or all wrong"):
        Calibration.fit([document], [document])


def test_the_error_is_the_mean_distance_over_bins() -> None:
    scored = [(0.9, i < 30) for i in range(40)] + [(0.5, i < 20) for i in range(40)]
    found = Reliability.of(scored)
    assert found is not None
    assert [(b.share, b.n) for b in found.bins] == [(0.5, 40), (0.75, 40)]
    assert found.error == pytest.approx((0.0 + 0.15) / 2)
    assert Reliability.of([]) is None
