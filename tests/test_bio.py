"""bio: tags and spans are inverse, and what has no tags is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pressgang.document import Entity
from pressgang.text.segmentation import words
from tests.bio import decode, encodable, encode, tag_names

ADA = words("Ada ran")


def offsets_of(lengths: list[int]) -> np.ndarray:
    """Words of these lengths with one space between them."""
    ends = np.cumsum([length + 1 for length in lengths]) - 1
    return np.array([ends - lengths, ends], dtype=np.int64).T.reshape(-1, 2)


offsets = st.lists(st.integers(1, 4), max_size=12).map(offsets_of)


@st.composite
def any_entities(draw: st.DrawFn) -> tuple[list[Entity], np.ndarray]:
    """Entities anywhere: overlapping, inside words, in white space."""
    word_offsets = draw(offsets)
    size = int(word_offsets[-1, 1]) if len(word_offsets) else 0
    spans = st.tuples(st.integers(0, size), st.integers(1, 9), st.sampled_from("AB"))
    return [Entity(s, s + n, label) for s, n, label in draw(st.sets(spans))], word_offsets


@st.composite
def legal_tags(draw: st.DrawFn) -> tuple[list[str], np.ndarray]:
    word_offsets = draw(offsets)
    tags: list[str] = []
    for _ in word_offsets:
        legal = ["O", "B-A", "B-B-C"]
        if tags and tags[-1] != "O":
            legal.append("I" + tags[-1][1:])
        tags.append(draw(st.sampled_from(legal)))
    return tags, word_offsets


def test_worked_example() -> None:
    assert encode([Entity(0, 3, "PERSON")], ADA) == ["B-PERSON", "O"]
    assert decode(["B-PERSON", "O"], ADA) == [Entity(0, 3, "PERSON")]


@given(legal_tags())
def test_tags_survive_decoding_and_encoding(case: tuple[list[str], np.ndarray]) -> None:
    tags, word_offsets = case
    assert encode(decode(tags, word_offsets), word_offsets) == tags


@given(any_entities())
def test_encodable_entities_survive_encoding_and_decoding(
    case: tuple[list[Entity], np.ndarray],
) -> None:
    entities, word_offsets = case
    kept, _ = encodable(entities, word_offsets)
    assert decode(encode(kept, word_offsets), word_offsets) == kept


@given(any_entities())
def test_every_entity_is_kept_or_told_with_its_reason(
    case: tuple[list[Entity], np.ndarray],
) -> None:
    entities, word_offsets = case
    kept, unreachable = encodable(entities, word_offsets)
    assert sorted(kept + unreachable) == sorted(entities)
    starts, ends = set(word_offsets[:, 0].tolist()), set(word_offsets[:, 1].tolist())
    for entity in kept:
        assert entity.start in starts
        assert entity.end in ends
        assert not any(entity.overlaps(other) for other in kept if other != entity)
    for entity in unreachable:
        is_aligned = entity.start in starts and entity.end in ends
        winners = [k for k in kept if k.overlaps(entity)]
        assert not is_aligned or any(
            (k.start - k.end, k.start) <= (entity.start - entity.end, entity.start) for k in winners
        )


def test_adjacent_entities_of_one_label_stay_apart() -> None:
    entities = [Entity(0, 3, "X"), Entity(4, 7, "X")]
    assert encode(entities, ADA) == ["B-X", "B-X"]
    assert decode(["B-X", "B-X"], ADA) == entities
    assert decode(["B-X", "I-X"], ADA) == [Entity(0, 7, "X")]


def test_longest_then_leftmost_of_overlapping_entities_wins() -> None:
    word_offsets = words("a b c d")
    first, second, third = Entity(0, 3, "X"), Entity(2, 5, "X"), Entity(4, 7, "X")
    assert encodable([third, second, first], word_offsets) == ([first, third], [second])
    longest = Entity(2, 7, "X")
    assert encodable([first, longest], word_offsets) == ([longest], [first])


@pytest.mark.parametrize(
    "entity", [Entity(0, 2, "X"), Entity(1, 3, "X"), Entity(3, 4, "X"), Entity(3, 7, "X")]
)
def test_entity_off_the_words_is_refused_by_name(entity: Entity) -> None:
    assert encodable([entity], ADA) == ([], [entity])
    with pytest.raises(ValueError, match=rf"\[{entity.start}, {entity.end}\) X"):
        encode([entity], ADA)


@pytest.mark.parametrize(
    "tags", [["I-X", "O"], ["O", "I-X"], ["B-X", "I-Y"], ["B-", "O"], ["X", "O"], ["E-X", "O"]]
)
def test_illegal_tags_are_refused(tags: list[str]) -> None:
    with pytest.raises(ValueError, match=r"word [01]: tag"):
        decode(tags, ADA)


def test_as_many_tags_as_words() -> None:
    with pytest.raises(ValueError, match="1 tags for 2 words"):
        decode(["O"], ADA)


def test_no_words_no_tags() -> None:
    assert encode([], words("")) == []
    assert decode([], words("")) == []


def test_tag_ids_follow_the_order_of_labels() -> None:
    names = tag_names(["LAW", "MONEY"])
    assert names == ["O", "B-LAW", "I-LAW", "B-MONEY", "I-MONEY"]
    for i, label in enumerate(["LAW", "MONEY"]):
        assert (names[1 + 2 * i], names[2 + 2 * i]) == (f"B-{label}", f"I-{label}")
