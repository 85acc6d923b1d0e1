"""evaluation: figures against seqeval and brute force, and what evaluate refuses."""

import json
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.baseline import Baseline
from pressgang.evaluation.evaluate import Report, evaluate
from pressgang.evaluation.scoring import Counts
from pressgang.text.segmentation import sentence_starts, words
from tests import bio

TEXT = "aa bb. Cc dd ee. Ff gg hh ii."
WORDS = words(TEXT)


@st.composite
def flat_entities(draw: st.DrawFn) -> tuple[Entity, ...]:
    """Entities on words that do not overlap."""
    borders = sorted(draw(st.sets(st.integers(0, len(WORDS)), max_size=10)))
    labels = draw(st.lists(st.sampled_from(["X", "Y", None]), min_size=9, max_size=9))
    return tuple(
        Entity(int(WORDS[first, 0]), int(WORDS[last - 1, 1]), label)
        for first, last, label in zip(borders, borders[1:], labels, strict=False)
        if label
    )


def make_document(name: str, seed: int) -> Document:
    """A document with random entities, overlapping ones too, and relations between any of them."""
    rng = random.Random(seed)
    offsets = WORDS.tolist()
    entities = set()
    for _ in range(rng.randrange(8)):
        first = rng.randrange(len(offsets))
        last = min(first + rng.randrange(2), len(offsets) - 1)
        entities.add(Entity(offsets[first][0], offsets[last][1], rng.choice("XYZ")))
    ordered = sorted(entities)
    relations = {
        Relation(*rng.sample(ordered, 2), rng.choice("RS"))
        for _ in range(rng.randrange(6) if len(ordered) > 1 else 0)
    }
    return Document(name, TEXT, tuple(entities), tuple(relations))


def make_documents(seed: int, n: int = 4) -> list[Document]:
    return [make_document(f"d{i}", 100 * seed + i) for i in range(n)]


def distort(document: Document, seed: int) -> Document:
    """The document with some of its entities and relations gone and others in their place."""
    rng = random.Random(seed)
    other = make_document(document.id, seed + 1000)
    relations = {r for r in document.relations if rng.random() < 0.6}
    relations |= {Relation(r.tail, r.head, r.label) for r in relations if rng.random() < 0.3}
    relations |= {r for r in other.relations if rng.random() < 0.5}
    entities = {e for e in document.entities + other.entities if rng.random() < 0.5}
    entities.update(*((r.head, r.tail) for r in relations))
    return Document(document.id, document.text, tuple(entities), tuple(relations))


def make_predictions(gold: list[Document]) -> list[Document]:
    return [distort(document, seed) for seed, document in enumerate(gold)]


def make_report(seed: int = 1, *, order: int = 1) -> Report:
    gold, predicted, other = (
        make_documents(seed),
        make_documents(seed + 50),
        make_documents(seed + 90),
    )
    memory = Baseline.fit(other)
    return evaluate(
        gold[::order],
        predicted,
        predicted_on_gold=[memory.relate(document) for document in gold],
        baseline=other[::order],
        baseline_on_gold=gold,
        seen={document.id: frozenset({"aa", "Cc dd"}) for document in gold},
        seed=7,
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(flat_entities(), flat_entities()), min_size=1, max_size=4))
def test_entities_strict_are_those_of_seqeval(
    sides: list[tuple[tuple[Entity, ...], tuple[Entity, ...]]],
) -> None:
    assume(any(gold or predicted for gold, predicted in sides))
    gold, predicted = (
        [Document(str(i), TEXT, side[place]) for i, side in enumerate(sides)] for place in (0, 1)
    )
    theirs = classification_report(
        [bio.encode(document.entities, WORDS) for document in gold],
        [bio.encode(document.entities, WORDS) for document in predicted],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    ours = evaluate(gold, predicted).model.entities
    for name, counts in [
        ("micro avg", ours.micro.counts),
        *((label, score.counts) for label, score in ours.by_label.items()),
    ]:
        assert theirs[name]["precision"] == pytest.approx(counts.precision)
        assert theirs[name]["recall"] == pytest.approx(counts.recall)
        assert theirs[name]["f1-score"] == pytest.approx(counts.f1)
        assert theirs[name]["support"] == counts.n_gold
    assert set(ours.by_label) == {name for name in theirs if not name.endswith("avg")}


def test_without_entities_all_figures_are_zero_where_seqeval_raises() -> None:
    empty = [Document("d", TEXT), Document("e", TEXT)]
    tags = [bio.encode((), WORDS)] * 2
    with pytest.raises(ValueError, match="max"):
        classification_report(tags, tags, mode="strict", scheme=IOB2)
    report = evaluate(empty, empty, baseline=empty, seen={"d": frozenset(), "e": frozenset()})
    assert report.model.entities.micro.counts == Counts()
    assert report.model.relations.macro.f1 == 0.0
    assert report.model.entities.micro.interval is None
    assert Report.from_dict(report.to_dict()) == report


@pytest.mark.parametrize("seed", range(5))
def test_relations_are_those_of_brute_force(seed: int) -> None:
    gold = make_documents(seed)
    predicted = make_predictions(gold)
    figures = evaluate(gold, predicted).model.relations
    assert 0 < figures.micro.counts.n_correct < figures.micro.counts.n_predicted
    n_correct = dict.fromkeys(["R", "S"], 0)
    n_by_distance = {"0": [0, 0], "1": [0, 0], "2+": [0, 0]}
    for g, p in zip(gold, predicted, strict=True):
        for mine in p.relations:
            n_correct[mine.label] += any(
                mine.label == theirs.label
                and [mine.head.start, mine.head.end, mine.head.label]
                == [theirs.head.start, theirs.head.end, theirs.head.label]
                and [mine.tail.start, mine.tail.end, mine.tail.label]
                == [theirs.tail.start, theirs.tail.end, theirs.tail.label]
                for theirs in g.relations
            )
        for side, document in enumerate((g, p)):
            for relation in document.relations:
                earlier, later = sorted([relation.head.start, relation.tail.start])
                between = sum(earlier < start <= later for start in sentence_starts(TEXT).tolist())
                n_by_distance["2+" if between > 1 else str(between)][side] += 1
    assert figures.micro.counts == Counts(
        sum(n_correct.values()),
        sum(len(document.relations) for document in predicted),
        sum(len(document.relations) for document in gold),
    )
    assert {label: s.counts.n_correct for label, s in figures.by_label.items()} == n_correct
    assert {
        name: [s.counts.n_gold, s.counts.n_predicted] for name, s in figures.by_distance.items()
    } == n_by_distance


def test_overlapping_gold_counts_in_full() -> None:
    entities = (Entity(0, 2, "X"), Entity(0, 2, "Y"), Entity(0, 5, "X"))
    gold, predicted = Document("d", TEXT, entities), Document("d", TEXT, entities[:1])
    figures = evaluate([gold], [predicted]).model.entities
    assert figures.micro.counts == Counts(1, 1, 3)
    assert figures.boundaries.counts == Counts(1, 1, 2)


def test_seen_and_unseen_are_apart_and_add() -> None:
    entities = make_report().model.entities
    assert entities.seen is not None
    assert entities.unseen is not None
    assert entities.seen.counts + entities.unseen.counts == entities.micro.counts


def test_the_baseline_finds_seen_mentions_only() -> None:
    gold = make_documents(3)
    memory = Baseline.fit(make_documents(8)[:1])
    seen = {document.id: frozenset(memory.lexicon) for document in gold}
    predicted = [memory.predict(document.id, document.text) for document in gold]
    report = evaluate(gold, predicted, seen=seen)
    assert report.model.entities.unseen is not None
    assert report.model.entities.unseen.counts.n_predicted == 0
    assert report.model.entities.micro.counts.n_predicted > 0


def test_perfect_predictions_score_one() -> None:
    gold = make_documents(4)
    report = evaluate(gold, gold, predicted_on_gold=gold)
    entities, relations = report.model.entities, report.model.relations
    assert relations.on_gold_entities is not None
    for score in (entities.micro, entities.boundaries, relations.micro, relations.on_gold_entities):
        assert score.counts.f1 == 1.0
    assert (entities.macro.f1, relations.macro.f1) == (1.0, 1.0)


def test_order_of_documents_does_not_matter() -> None:
    assert make_report() == make_report(order=-1)


def test_the_seed_moves_intervals_only() -> None:
    gold = make_documents(1, n=20)
    predicted = make_predictions(gold)
    first, second = (evaluate(gold, predicted, seed=seed).model for seed in (1, 2))
    assert first.entities.micro.counts == second.entities.micro.counts
    assert first.entities.micro.interval != second.entities.micro.interval


def test_json_round_trip_keeps_the_report() -> None:
    report = make_report()
    record = json.loads(json.dumps(report.to_dict()))
    assert Report.from_dict(record) == report
    micro = record["model"]["entities"]["micro"]["counts"]
    assert micro["f1"] == report.model.entities.micro.counts.f1


@pytest.mark.parametrize("seed", range(5))
def test_confusion_rows_add_to_support_and_columns_to_predictions(seed: int) -> None:
    report = make_report(seed)
    by_label, confusion = report.model.entities.by_label, report.confusion
    columns = list(zip(*confusion.rows, strict=True))
    assert set(confusion.labels) == set(by_label)
    for place, label in enumerate(confusion.labels):
        counts = by_label[label].counts
        assert sum(confusion.rows[place]) == counts.n_gold
        assert sum(columns[place]) == counts.n_predicted
        assert confusion.rows[place][place] == counts.n_correct


def test_confusion_tells_wrong_missed_and_spurious_apart() -> None:
    gold = Document("d", TEXT, (Entity(0, 2, "X"), Entity(3, 5, "Y")))
    predicted = Document("d", TEXT, (Entity(0, 2, "Y"), Entity(7, 9, "Y")))
    confusion = evaluate([gold], [predicted]).confusion
    assert confusion.labels == ("X", "Y")
    assert confusion.rows == ((0, 1, 0), (0, 0, 1), (0, 1, 0))


def test_documents_add_to_the_whole() -> None:
    report = make_report()
    assert [row.id for row in report.documents] == ["d0", "d1", "d2", "d3"]
    assert report.baseline is not None
    for rows, micro in (
        ([row.entities for row in report.documents], report.model.entities.micro),
        ([row.relations for row in report.documents], report.model.relations.micro),
        ([row.baseline_entities for row in report.documents], report.baseline.entities.micro),
        ([row.baseline_relations for row in report.documents], report.baseline.relations.micro),
    ):
        assert sum((row for row in rows if row), Counts()) == micro.counts


def test_what_does_not_fit_is_refused_by_name() -> None:
    d, e = Document("d", TEXT), Document("e", TEXT)
    with_entity = Document("d", TEXT, (Entity(0, 2, "X"),))
    with pytest.raises(ValueError, match="no document"):
        evaluate([], [])
    with pytest.raises(ValueError, match="predicted: document 'e' is missing"):
        evaluate([d, e], [d])
    with pytest.raises(ValueError, match="predicted: document 'e' is not in gold"):
        evaluate([d], [d, e])
    with pytest.raises(ValueError, match="gold: document 'd' occurs twice"):
        evaluate([d, d], [d])
    with pytest.raises(ValueError, match="baseline: document 'd' occurs twice"):
        evaluate([d], [d], baseline=[d, d])
    with pytest.raises(ValueError, match="predicted: document 'd' has another text"):
        evaluate([d], [Document("d", TEXT + " ")])
    with pytest.raises(ValueError, match="predicted_on_gold: document 'd' has other entities"):
        evaluate([d], [d], predicted_on_gold=[with_entity])
    with pytest.raises(ValueError, match="without baseline"):
        evaluate([d], [d], baseline_on_gold=[d])
    with pytest.raises(ValueError, match="seen: document 'd' is missing"):
        evaluate([d], [d], seen={})
