"""baseline: a lexicon by longest match, and one relation for each pair of labels."""

import json
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.baseline import Baseline
from pressgang.text.segmentation import words


def mark(text: str, *mentions: tuple[str, str]) -> Document:
    """A document with the first occurrence of each surface marked."""
    entities = tuple(
        Entity(text.index(surface), text.index(surface) + len(surface), label)
        for surface, label in mentions
    )
    return Document("train", text, entities)


def found(baseline: Baseline, text: str) -> list[tuple[str, str]]:
    document = baseline.predict("test", text)
    return [(document.surface(entity), entity.label) for entity in document.entities]


def test_most_frequent_label_wins_and_the_alphabet_breaks_ties() -> None:
    documents = [mark("Osh", ("Osh", label)) for label in ("TOWN", "CITY", "TOWN")]
    assert found(Baseline.fit(documents), "In Osh.") == [("Osh", "TOWN")]
    assert found(Baseline.fit(documents[:2]), "In Osh.") == [("Osh", "CITY")]


def test_longest_match_wins_and_the_search_goes_on_behind_it() -> None:
    baseline = Baseline({"New": "A", "New York": "B", "York Times": "C", "Times": "D"}, {})
    assert found(baseline, "The New York Times, New") == [
        ("New York", "B"),
        ("Times", "D"),
        ("New", "A"),
    ]


def test_matches_begin_and_end_on_words_in_the_same_case() -> None:
    baseline = Baseline({"Osh": "CITY", "a": "X"}, {})
    assert found(baseline, "Oshkosh osh OSH banana Osh’s (Osh)") == [("Osh", "CITY")] * 2


def test_nothing_learnt_nothing_predicted() -> None:
    baseline = Baseline.fit([])
    assert baseline.predict("d", "Osh is a city.") == Document("d", "Osh is a city.")
    assert Baseline({"Osh": "CITY", " ": "X"}, {}).predict("d", "") == Document("d", "")


LEXICON = st.dictionaries(st.text("ab .", min_size=1, max_size=5), st.sampled_from("XY"))


@given(LEXICON, st.text("ab .", max_size=16))
def test_prediction_is_that_of_brute_force(lexicon: dict[str, str], text: str) -> None:
    offsets = words(text).tolist()
    spans = [
        (offsets[i][0], offsets[j - 1][1]) for i, j in combinations(range(len(offsets) + 1), 2)
    ]
    expected: list[Entity] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        is_free = not expected or start >= expected[-1].end
        if is_free and text[start:end] in lexicon:
            expected.append(Entity(start, end, lexicon[text[start:end]]))
    assert list(Baseline(lexicon, {}).predict("d", text).entities) == expected


def test_every_ordered_pair_in_a_sentence_is_related_if_its_labels_are() -> None:
    text = "Ann met Bob in Osh. Eve left."
    document = mark(text, ("Ann", "P"), ("Bob", "P"), ("Osh", "L"), ("Eve", "P"))
    ann, bob, osh, _ = document.entities
    baseline = Baseline({}, {("P", "L"): "LIVES_IN", ("P", "P"): "MET"})
    assert set(baseline.relate(document).relations) == {
        Relation(ann, bob, "MET"),
        Relation(bob, ann, "MET"),
        Relation(ann, osh, "LIVES_IN"),
        Relation(bob, osh, "LIVES_IN"),
    }


def test_relate_keeps_the_entities_and_forgets_the_relations() -> None:
    document = mark("Ann met Bob.", ("Ann", "P"), ("Bob", "P"))
    ann, bob = document.entities
    related = Document("d", document.text, (ann, bob), (Relation(ann, bob, "MET"),))
    assert Baseline({}, {}).relate(related) == Document("d", document.text, (ann, bob))


def test_most_frequent_relation_of_a_label_pair_is_learnt() -> None:
    document = mark(
        "Ann, Bob and Eve live in Osh.", ("Ann", "P"), ("Bob", "P"), ("Eve", "P"), ("Osh", "L")
    )
    ann, bob, eve, osh = document.entities
    relations = (Relation(ann, osh, "IN"), Relation(bob, osh, "FROM"), Relation(eve, osh, "FROM"))
    learnt = Baseline.fit([Document("d", document.text, document.entities, relations)])
    assert learnt.relations == {("P", "L"): "FROM"}
    predicted = learnt.predict("e", "Bob is in Osh")
    assert [relation.label for relation in predicted.relations] == ["FROM"]


def test_seen_surfaces_are_those_of_training() -> None:
    baseline = Baseline.fit([mark("In Osh.", ("Osh", "CITY"))])
    assert baseline.has_seen("Osh")
    assert not baseline.has_seen("osh")


@given(LEXICON)
def test_json_round_trip(lexicon: dict[str, str]) -> None:
    baseline = Baseline(lexicon, {("X", "Y"): "R"})
    assert Baseline.from_dict(json.loads(json.dumps(baseline.to_dict()))) == baseline
