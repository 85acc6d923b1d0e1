"""A short text with gold, for the tests of eval/benchmark, and where that lies."""

from __future__ import annotations

from pathlib import Path

from pressgang.document import Document, Entity, Relation

BENCHMARK = Path("eval/benchmark").resolve()
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
