"""precision_recall: what is kept at each least score, counted by hand."""

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.precision_recall import OperatingPoint, operating_points
from pressgang.evaluation.scoring import Counts

ANN, BOB, OSH = Entity(0, 3, "P"), Entity(4, 7, "P"), Entity(8, 11, "L")
GOLD = Document("a", "Ann Bob Osh", (ANN, BOB, OSH), (Relation(ANN, OSH, "IN"),))


def scored(*scores: float | None) -> Document:
    """Three mentions as in gold; Ann is in Osh, and Bob, wrongly, too."""
    first, second = Entity(0, 3, "P", scores[0]), Entity(4, 7, "P", scores[1])
    third = Entity(8, 11, "L", scores[2])
    relations = (Relation(first, third, "IN", scores[3]), Relation(second, third, "IN", scores[4]))
    return Document("a", GOLD.text, (first, second, third), relations)


def test_points_count_what_is_kept_and_all_of_gold() -> None:
    pairs = [(GOLD, scored(0.99, 0.55, 0.35, 0.85, 0.03))]
    assert operating_points(pairs, "relations") == (
        OperatingPoint(0.0, Counts(1, 2, 1)),
        OperatingPoint(0.05, Counts(1, 1, 1)),
    )
    assert operating_points(pairs, "entities") == (
        OperatingPoint(0.0, Counts(3, 3, 3)),
        OperatingPoint(0.4, Counts(2, 2, 3)),
        OperatingPoint(0.6, Counts(1, 1, 3)),
    )


def test_a_score_on_the_point_is_kept() -> None:
    pairs = [(GOLD, scored(0.9, 0.9, 0.9, 0.5, 0.4))]
    kept = {p.min_score: p.counts.n_predicted for p in operating_points(pairs, "relations")}
    assert kept == {0.0: 2, 0.5: 1}


def test_without_scores_there_are_no_points() -> None:
    assert operating_points([(GOLD, scored(*[None] * 5))], "relations") == ()
    assert operating_points([(GOLD, GOLD)], "entities") == ()
