from __future__ import annotations

import dataclasses

from pressgang.document import Relation
from pressgang.evaluation.cooccurrence import ANY, FalsePositives, false_positives
from tests.conftest import mark

GOLD = mark(
    "a",
    "[Ana](P:a) of [Osh](L:o) met [Bo](P) in [Naryn](L). [Cy](P) left. [Di](P), [Talas](L).",
    "a LIVES o",
)


def test_pairs_without_a_relation_are_counted_by_sentence_and_direction() -> None:
    # Person to place, the one direction that gold has: Ana-Naryn, Bo-Osh, Bo-Naryn, Di-Talas.
    assert false_positives([(GOLD, GOLD)]) == {
        ANY: FalsePositives(4, 0),
        "LIVES": FalsePositives(4, 0),
    }


def test_what_is_predicted_on_them_is_counted_whatever_else_is() -> None:
    ana, osh, bo, naryn, cy, _, talas = GOLD.entities
    predicted = dataclasses.replace(
        GOLD,
        relations=(
            Relation(ana, osh, "LIVES"),  # right
            Relation(bo, naryn, "LIVES"),  # wrong, and in the set
            Relation(naryn, bo, "LIVES"),  # wrong, in a direction that gold never has
            Relation(cy, talas, "LIVES"),  # wrong, across sentences
        ),
    )
    found = false_positives([(GOLD, predicted)])
    assert found["LIVES"] == FalsePositives(4, 1)
    assert found["LIVES"].rate == 0.25
    assert false_positives([(mark("b", "[Ana](P)", ""),) * 2]) == {}
    assert FalsePositives(0, 0).rate == 0.0
