"""Entities to and from B-/I-/O tags over words: `encode` and `decode` are inverse functions.

The scheme is strict IOB2 (Tjong Kim Sang & Veenstra 1999): `B-X` begins an entity of label X,
`I-X` goes on with it and may stand only after `B-X` or `I-X`, `O` is outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pressgang.document import Entity

OUTSIDE = "O"


def tag_names(entity_labels: Sequence[str]) -> list[str]:
    """Tag names by tag id: 0 is `O`, 1 + 2i is `B-` and 2 + 2i is `I-` of the i-th label.

    `["LAW", "MONEY"] -> ["O", "B-LAW", "I-LAW", "B-MONEY", "I-MONEY"]`
    """
    return [OUTSIDE, *(f"{prefix}-{label}" for label in entity_labels for prefix in "BI")]


def encode(entities: Iterable[Entity], word_offsets: npt.NDArray[np.int64]) -> list[str]:
    """One tag for each word, for entities that are flat and begin and end on a word.

    `word_offsets` `[n_words, 2]` are half-open character offsets, in order, without overlap.
    `[Entity(0, 3, "PERSON")]` over "Ada ran" -> `["B-PERSON", "O"]`

    Raises ValueError naming the entities that have no tags: see `encodable`.
    """
    kept, unreachable = encodable(entities, word_offsets)
    if unreachable:
        spans = ", ".join(f"[{e.start}, {e.end}) {e.label}" for e in unreachable)
        raise ValueError(
            f"{len(unreachable)} entities overlap a longer one or do not begin and end on a word: "
            f"{spans}"
        )
    tags = [OUTSIDE] * len(word_offsets)
    for entity in kept:
        first, last = _first_and_last_word(entity, word_offsets)
        tags[first] = f"B-{entity.label}"
        tags[first + 1 : last + 1] = [f"I-{entity.label}"] * (last - first)
    return tags


def decode(tags: Sequence[str], word_offsets: npt.NDArray[np.int64]) -> list[Entity]:
    """The entities that tags mark, in order; each reaches from its first to its last word.

    `["B-PERSON", "O"]` over "Ada ran" -> `[Entity(0, 3, "PERSON")]`

    Raises ValueError if there is not one tag for each word, a tag is none of the scheme, or an
    `I-` stands anywhere but after a tag of its own label.
    """
    if len(tags) != len(word_offsets):
        raise ValueError(f"{len(tags)} tags for {len(word_offsets)} words")
    entities: list[Entity] = []
    previous = ""
    for index, (tag, (start, end)) in enumerate(zip(tags, word_offsets.tolist(), strict=True)):
        prefix, _, label = tag.partition("-")
        if prefix == "B" and label:
            entities.append(Entity(start, end, label))
        elif prefix == "I" and label and label == previous:
            entities[-1] = Entity(entities[-1].start, end, label)
        elif tag != OUTSIDE:
            raise ValueError(
                f"word {index}: tag {tag!r} is neither O nor B-label nor I-label inside an entity "
                "of that label"
            )
        previous = label
    return entities


def encodable(
    entities: Iterable[Entity], word_offsets: npt.NDArray[np.int64]
) -> tuple[list[Entity], list[Entity]]:
    """The entities that tags can hold, and those they cannot; both in order of position.

    Out of reach is an entity that begins or ends inside a word or in white space, and of entities
    that overlap every one but the longest (in characters; then the leftmost; then the first label
    by the alphabet). What is out of reach stays in gold and counts as missed: it is told here, not
    dropped.
    """
    kept: list[Entity] = []
    unreachable: list[Entity] = []
    is_taken = np.zeros(len(word_offsets), dtype=bool)
    for entity in sorted(entities, key=lambda e: (e.start - e.end, e.start, e.label)):
        first, last = _first_and_last_word(entity, word_offsets)
        if last < first or is_taken[first : last + 1].any():
            unreachable.append(entity)
        else:
            is_taken[first : last + 1] = True
            kept.append(entity)
    return sorted(kept), sorted(unreachable)


def _first_and_last_word(entity: Entity, word_offsets: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Positions of the words an entity begins and ends with; (0, -1) if it cuts a word."""
    first = int(np.searchsorted(word_offsets[:, 0], entity.start))
    last = int(np.searchsorted(word_offsets[:, 1], entity.end))
    is_inside = first <= last < len(word_offsets)
    if is_inside and (word_offsets[first, 0], word_offsets[last, 1]) == (entity.start, entity.end):
        return first, last
    return 0, -1
