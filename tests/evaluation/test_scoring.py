"""scoring: counts against brute force, the bootstrap against what can be enumerated."""

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation import scoring
from pressgang.evaluation.scoring import Counts, Interval, MacroF1, Score

TEXT = "aa bb. Cc dd. Ee ff."
SPANS = [(0, 2), (3, 5), (0, 5), (7, 9), (10, 12), (14, 16)]

counts = st.builds(
    lambda correct, more_predicted, more_gold: Counts(
        correct, correct + more_predicted, correct + more_gold
    ),
    *[st.integers(0, 9)] * 3,
)


ENTITIES = [Entity(*span, label) for span, label in product(SPANS, "XY")]
RELATIONS = [
    Relation(head, tail, label) for head, tail in permutations(ENTITIES, 2) for label in "RS"
]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    relations = draw(st.sets(st.sampled_from(RELATIONS), max_size=4))
    lonely = draw(st.sets(st.sampled_from(ENTITIES), max_size=4))
    entities = lonely.union(*((r.head, r.tail) for r in relations))
    return Document("d", TEXT, tuple(entities), tuple(relations))


pairs = st.tuples(documents(), documents())


def brute_force(gold: list, predicted: list, is_same) -> Counts:
    """Counts by comparing everything with everything, for things that occur once on each side."""
    n_correct = sum(any(is_same(g, p) for g in gold) for p in predicted)
    return Counts(n_correct, len(predicted), len(gold))


def test_figures_of_counts() -> None:
    some = Counts(2, 4, 8)
    assert (some.precision, some.recall, some.f1) == (0.5, 0.25, pytest.approx(1 / 3))


def test_undefined_figures_are_zero() -> None:
    assert (Counts().precision, Counts().recall, Counts().f1) == (0.0, 0.0, 0.0)
    assert (Counts(0, 3, 0).f1, Counts(0, 0, 3).f1) == (0.0, 0.0)


@given(counts)
def test_f1_is_the_harmonic_mean(some: Counts) -> None:
    if some.n_correct:
        mean = 2 / (1 / some.precision + 1 / some.recall)
        assert some.f1 == pytest.approx(mean)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="3 correct of 2 predicted"):
        Counts(3, 2, 4)


@given(pairs)
def test_entity_counts_are_those_of_brute_force(pair: tuple[Document, Document]) -> None:
    gold, predicted = pair
    assert scoring.entity_counts(gold, predicted) == brute_force(
        list(gold.entities),
        list(predicted.entities),
        lambda g, p: g.start == p.start and g.end == p.end and g.label == p.label,
    )
    assert scoring.entity_boundary_counts(gold, predicted) == brute_force(
        list({(e.start, e.end): e for e in gold.entities}.values()),
        list({(e.start, e.end): e for e in predicted.entities}.values()),
        lambda g, p: g.start == p.start and g.end == p.end,
    )


@given(pairs)
def test_relation_counts_are_those_of_brute_force(pair: tuple[Document, Document]) -> None:
    gold, predicted = pair

    def same_boundaries(g: Relation, p: Relation) -> bool:
        return (
            g.label == p.label
            and (g.head.start, g.head.end) == (p.head.start, p.head.end)
            and (g.tail.start, g.tail.end) == (p.tail.start, p.tail.end)
        )

    def same(g: Relation, p: Relation) -> bool:
        labels = (g.head.label, g.tail.label) == (p.head.label, p.tail.label)
        return labels and same_boundaries(g, p)

    assert scoring.relation_counts(gold, predicted) == brute_force(
        list(gold.relations), list(predicted.relations), same
    )
    distinct = [
        [
            r
            for i, r in enumerate(d.relations)
            if not any(same_boundaries(r, s) for s in d.relations[:i])
        ]
        for d in pair
    ]
    assert scoring.relation_boundary_counts(gold, predicted) == brute_force(
        *distinct, same_boundaries
    )


@given(pairs)
def test_groups_add_to_the_whole(pair: tuple[Document, Document]) -> None:
    entities, relations = scoring.entity_counts(*pair), scoring.relation_counts(*pair)
    for whole, groups in (
        (entities, scoring.entity_counts_by_label(*pair)),
        (entities, scoring.entity_counts_by_seen(*pair, {"aa", "Cc dd"})),
        (relations, scoring.relation_counts_by_label(*pair)),
        (relations, scoring.relation_counts_by_distance(*pair)),
    ):
        assert sum(groups.values(), Counts()) == whole


@given(documents())
def test_a_document_matches_itself(document: Document) -> None:
    n = len(document.entities)
    assert scoring.entity_counts(document, document) == Counts(n, n, n)


def test_direction_and_entity_labels_count() -> None:
    a, b, b_wrong = Entity(0, 2, "X"), Entity(3, 5, "X"), Entity(3, 5, "Y")
    gold = Document("d", TEXT, (a, b), (Relation(a, b, "R"),))
    reversed_ = Document("d", TEXT, (a, b), (Relation(b, a, "R"),))
    relabelled = Document("d", TEXT, (a, b_wrong), (Relation(a, b_wrong, "R"),))
    assert scoring.relation_boundary_counts(gold, reversed_).n_correct == 0
    assert scoring.relation_counts(gold, relabelled).n_correct == 0
    assert scoring.relation_boundary_counts(gold, relabelled).n_correct == 1


def test_scores_take_no_part() -> None:
    gold = Document("d", TEXT, (Entity(0, 2, "X"),))
    predicted = Document("d", TEXT, (Entity(0, 2, "X", 0.1),))
    assert scoring.entity_counts(gold, predicted) == Counts(1, 1, 1)


def test_sentence_distance_counts_sentences() -> None:
    a, b, c, d = (Entity(*span, "X") for span in ((0, 2), (3, 5), (7, 9), (14, 16)))
    relations = (Relation(a, b, "R"), Relation(c, a, "R"), Relation(a, d, "R"))
    gold = Document("d", TEXT, (a, b, c, d), relations)
    groups = scoring.relation_counts_by_distance(gold, Document("d", TEXT, (a, b), relations[:1]))
    assert groups == {"0": Counts(1, 1, 1), "1": Counts(0, 0, 1), "2+": Counts(0, 0, 1)}


@given(st.lists(counts, min_size=2, max_size=6), st.integers(0, 99))
def test_interval_lies_within_the_figures_of_documents(some: list[Counts], seed: int) -> None:
    interval = scoring.bootstrap_interval(some, seed=seed, n_resamples=50)
    f1 = [c.f1 for c in some if c.n_predicted + c.n_gold]
    if len(f1) < 2:
        assert interval is None
    else:
        assert interval is not None
        assert min(f1) - 1e-9 <= interval.low <= interval.high <= max(f1) + 1e-9


def test_interval_is_that_of_all_resamples() -> None:
    some = [Counts(1, 1, 1), Counts(0, 2, 1), Counts(3, 4, 6), Counts()]
    drawn = sorted(
        total.f1
        for draw in product(some, repeat=4)
        if (total := sum(draw, Counts())).n_predicted + total.n_gold
    )
    interval = scoring.bootstrap_interval(some, seed=5, n_resamples=60_000, level=0.8)
    share = len(drawn) / 10
    assert interval is not None
    assert interval.low == pytest.approx(drawn[round(share)], abs=0.02)
    assert interval.high == pytest.approx(drawn[round(9 * share)], abs=0.02)


def test_interval_depends_on_the_seed_alone() -> None:
    some = [Counts(k, 9, 11) for k in range(9)]
    first, again, other = (scoring.bootstrap_interval(some, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_difference_is_that_of_figures_drawn_together() -> None:
    one = [Counts(9, 10, 10), Counts(2, 10, 10), Counts(5, 10, 10)]
    assert scoring.bootstrap_difference(one, one, seed=3) == Interval(0.0, 0.0)
    worse = [Counts(c.n_correct - 1, 10, 10) for c in one]
    apart = scoring.bootstrap_difference(one, worse, seed=3)
    assert apart is not None  # each document has a tenth less, so each resample has
    assert (apart.low, apart.high) == (pytest.approx(0.1), pytest.approx(0.1))
    with pytest.raises(ValueError, match="longer"):
        scoring.bootstrap_difference(one, [*one, one[0]], seed=3)


def test_one_document_has_no_interval() -> None:
    assert scoring.bootstrap_interval([Counts(1, 2, 3)], seed=0) is None
    assert scoring.bootstrap_interval([Counts(1, 2, 3), Counts()], seed=0) is None


def test_no_document_is_refused() -> None:
    with pytest.raises(ValueError, match="no document"):
        scoring.bootstrap_interval([], seed=0)
    with pytest.raises(ValueError, match="no document"):
        scoring.bootstrap_macro_interval([], seed=0)


def test_level_must_be_a_share() -> None:
    with pytest.raises(ValueError, match="level 95"):
        scoring.bootstrap_interval([Counts(1, 1, 1)] * 3, seed=0, level=95)


def test_macro_is_the_mean_over_labels_in_gold() -> None:
    per_document = [{"X": Counts(1, 1, 1), "Z": Counts(0, 5, 0)}, {"Y": Counts(0, 0, 2)}]
    macro = MacroF1.of(per_document, seed=0)
    assert (macro.f1, macro.support) == (0.5, 2)
    assert macro.interval == Interval(0.0, 1.0)


def test_macro_of_nothing_is_zero() -> None:
    assert MacroF1.of([{}, {}], seed=0) == MacroF1(0.0, 0, None)


@given(st.lists(counts, min_size=2, max_size=5).filter(lambda some: all(c.n_gold for c in some)))
def test_macro_of_one_label_is_its_f1(some: list[Counts]) -> None:
    macro = MacroF1.of([{"X": c} for c in some], seed=3)
    micro = Score.of(some, seed=3)
    assert macro.f1 == micro.counts.f1
    assert macro.interval is not None
    assert micro.interval is not None
    assert macro.interval.low == pytest.approx(micro.interval.low)
    assert macro.interval.high == pytest.approx(micro.interval.high)
