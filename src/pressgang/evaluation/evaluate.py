"""How good predicted documents are: `evaluate` compares them with gold ones and knows no model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from pressgang.document import Document
from pressgang.evaluation import scoring
from pressgang.evaluation.cooccurrence import FalsePositives, false_positives
from pressgang.evaluation.precision_recall import OperatingPoint, operating_points
from pressgang.evaluation.reliability import Reliability, reliability
from pressgang.evaluation.scoring import Counts, MacroF1, Score

Pair = tuple[Document, Document]
"""A gold document and the predicted one with the same id and text."""

DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "precision, recall, F1": "Precision is correct / predicted, recall correct / gold, F1 "
        "their harmonic mean, 2 × correct / (predicted + gold). Support is the number in gold. "
        "Gold is all that was annotated and predicted all that was predicted, on whole documents: "
        "nothing is left out of either. A dash stands where a figure has no denominator.",
        "micro, macro": "Micro: counts are added over all documents and labels, then divided. "
        "Macro: the plain mean of the F1 of the labels in gold; its support is their number.",
        "interval": f"The middle {scoring.LEVEL:.0%} of F1 in the percentile bootstrap over "
        f"documents (Efron & Tibshirani 1993): {scoring.N_RESAMPLES:,} times as many documents as "
        "there are get drawn with replacement, those draws left out in which F1 is undefined. It "
        "shows what other documents of the kind would change, not what other training runs would. "
        "It is too narrow where few documents count, and a dash where fewer than two do.",
        "entities, strict": "An entity is correct if one in gold has the same first and last "
        "character and the same label (for flat entities, seqeval's count in strict IOB2 mode).",
        "entities, boundaries": "Distinct spans, whatever their label.",
        "entities, seen and unseen": "A mention is seen if its exact surface, case and all, is a "
        "mention, of any label, in the training documents of the model that predicted this "
        "document. Recall: of the seen (unseen) mentions in gold. Precision: of the seen (unseen) "
        "mentions predicted. Correct as in entities, strict.",
        "relations, strict (end to end)": "From text alone. A relation is correct if one in gold "
        "has the same label and direction, and both its entities, span and label. No relation "
        "counts as symmetric.",
        "relations, boundaries": "From text alone. Label, direction and both spans are right; the "
        "entity labels may be wrong.",
        "relations, on gold entities": "As relations, strict, but the gold entities were given and "
        "only the relations had to be found.",
        "relations, by sentence distance": "How many sentences lie from the one in which an "
        "argument begins to that of the other; 0 is the same sentence. Recall: of the relations in "
        "gold at that distance. Precision: of those predicted at it. Correct as in strict.",
        "baseline": "Entities: the longest surface of the training documents, under its most "
        "frequent label there. Relations: between every ordered pair of entities in a sentence the "
        "most frequent relation of their labels there. The same training documents as the model's.",
        "co-occurrence": "Ordered pairs of gold mentions in one sentence that have no relation in "
        "gold, and whose labels have this relation somewhere in gold. The rate is the share of "
        "them between which the model, from text alone, finds that relation all the same.",
        "calibration": "Scores in bins of about equal number, the mean score of each against the "
        "share of it that is right (as in strict). The expected calibration error (Naeini et al. "
        "2015) is the mean distance of the two, weighted by number; with few scores it is above "
        "zero by chance alone.",
        "operating points": "What is left, and how good it is, when only entities (relations) of "
        "at least this score are kept. Relations that the model scored below its own threshold "
        "count here too; entities that it does not predict have no score.",
        "confusion": "Entities with exactly the same span, by gold label (row) and predicted label "
        "(column). Missed: gold spans not predicted. Spurious: predicted spans not in gold.",
    }
)


@dataclass(frozen=True, slots=True)
class EntityScores:
    """Every figure on entities; `seen` and `unseen` where the training surfaces are known."""

    micro: Score
    macro: MacroF1
    boundaries: Score
    seen: Score | None
    unseen: Score | None
    by_label: Mapping[str, Score]
    reliability: Reliability | None = None
    operating_points: tuple[OperatingPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class RelationScores:
    """Every figure on relations; `on_gold_entities` where such predictions were made."""

    micro: Score
    macro: MacroF1
    boundaries: Score
    on_gold_entities: Score | None
    by_label: Mapping[str, Score]
    by_distance: Mapping[str, Score]
    reliability: Reliability | None = None
    cooccurrence: Mapping[str, FalsePositives] = field(default_factory=dict)
    operating_points: tuple[OperatingPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemScores:
    """What one system, the model or the baseline, reaches."""

    entities: EntityScores
    relations: RelationScores


@dataclass(frozen=True, slots=True)
class Confusion:
    """Entities by gold label (rows, then spurious) and predicted label (columns, then missed).

    `rows` `[n_labels + 1, n_labels + 1]` add to support, columns to what was predicted.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class DocumentScores:
    """The strict counts of one document; None where there is no baseline."""

    id: str
    entities: Counts
    relations: Counts
    baseline_entities: Counts | None
    baseline_relations: Counts | None

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> DocumentScores:
        """The scores in the record of a document."""
        counts = {key: c and Counts.from_dict(c) for key, c in record.items() if key != "id"}
        return cls(record["id"], **counts)


@dataclass(frozen=True, slots=True)
class Report:
    """All scores of one evaluation, with the definitions they were made by."""

    model: SystemScores
    baseline: SystemScores | None
    confusion: Confusion
    documents: tuple[DocumentScores, ...]
    seed: int
    definitions: Mapping[str, str] = field(default_factory=lambda: dict(DEFINITIONS))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types, with precision, recall and F1 beside all counts."""
        record: dict[str, Any] = _with_rates(asdict(self))
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Report:
        """The report that `to_dict` wrote."""
        confusion = record["confusion"]
        return cls(
            _read_system(record["model"]),
            _read_system(record["baseline"]) if record["baseline"] else None,
            Confusion(tuple(confusion["labels"]), tuple(map(tuple, confusion["rows"]))),
            tuple(DocumentScores.from_dict(row) for row in record["documents"]),
            record["seed"],
            dict(record["definitions"]),
        )


def evaluate(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    *,
    predicted_on_gold: Sequence[Document] | None = None,
    candidates: Sequence[Document] | None = None,
    baseline: Sequence[Document] | None = None,
    baseline_on_gold: Sequence[Document] | None = None,
    seen: Mapping[str, Set[str]] | None = None,
    seed: int = 0,
) -> Report:
    """All scores of predicted documents against gold ones, matched by id; their order is free.

    `predicted_on_gold` holds the relations predicted for the gold entities, `candidates` what the
    model scored, predicted or not (without it the operating points end at what is predicted),
    `baseline` and `baseline_on_gold` the same of the baseline. `seen` maps each document's id to
    the surfaces that were mentions in the training of the model that predicted it. `seed` draws
    the resamples.

    Raises ValueError, naming the document, if there is none, an id is missing, unknown or there
    twice, a text differs from gold's, or predictions on gold have other entities than gold.
    """
    if not gold:
        raise ValueError("gold: there is no document to evaluate")
    if baseline is None and baseline_on_gold is not None:
        raise ValueError("baseline_on_gold is given without baseline")
    gold = sorted(gold, key=lambda document: document.id)
    if seen is not None and (unknown := [d.id for d in gold if d.id not in seen]):
        raise ValueError(f"seen: document {unknown[0]!r} is missing")

    pairs = _pair(gold, predicted, "predicted")
    on_gold = _pair_on_gold(gold, predicted_on_gold, "predicted_on_gold")
    scored = pairs if candidates is None else _pair(gold, candidates, "candidates")
    model = _score_system(pairs, on_gold, scored, seen, seed)
    memory = beside = None
    if baseline is not None:
        beside = _pair(gold, baseline, "baseline")
        on_gold = _pair_on_gold(gold, baseline_on_gold, "baseline_on_gold")
        memory = _score_system(beside, on_gold, beside, seen, seed)
    documents = tuple(
        _score_document(pair, beside[place] if beside else None) for place, pair in enumerate(pairs)
    )
    return Report(model, memory, _confusion(pairs), documents, seed)


def _pair(gold: Sequence[Document], others: Sequence[Document], name: str) -> list[Pair]:
    """Each gold document with the other of its id."""
    for side, documents in (("gold", gold), (name, others)):
        ids = Counter(document.id for document in documents)
        if len(ids) < len(documents):
            raise ValueError(f"{side}: document {ids.most_common(1)[0][0]!r} occurs twice")
    by_id = {document.id: document for document in others}
    for document in gold:
        if document.id not in by_id:
            raise ValueError(f"{name}: document {document.id!r} is missing")
        if by_id[document.id].text != document.text:
            raise ValueError(f"{name}: document {document.id!r} has another text than in gold")
    if len(others) > len(gold):
        unknown = by_id.keys() - {document.id for document in gold}
        raise ValueError(f"{name}: document {min(unknown)!r} is not in gold")
    return [(document, by_id[document.id]) for document in gold]


def _pair_on_gold(
    gold: Sequence[Document], others: Sequence[Document] | None, name: str
) -> list[Pair] | None:
    """Each gold document with the other of its id, which has the same entities."""
    pairs = None if others is None else _pair(gold, others, name)
    for document, other in pairs or ():
        if document.entities != other.entities:
            raise ValueError(f"{name}: document {document.id!r} has other entities than in gold")
    return pairs


def _score_document(pair: Pair, baseline: Pair | None) -> DocumentScores:
    return DocumentScores(
        pair[0].id,
        scoring.entity_counts(*pair),
        scoring.relation_counts(*pair),
        scoring.entity_counts(*baseline) if baseline else None,
        scoring.relation_counts(*baseline) if baseline else None,
    )


def _score_system(
    pairs: list[Pair],
    on_gold: list[Pair] | None,
    scored: list[Pair],
    seen: Mapping[str, Set[str]] | None,
    seed: int,
) -> SystemScores:
    by_label = [scoring.entity_counts_by_label(*pair) for pair in pairs]
    by_seen = seen and [scoring.entity_counts_by_seen(*pair, seen[pair[0].id]) for pair in pairs]
    entities = EntityScores(
        micro=Score.of([scoring.entity_counts(*pair) for pair in pairs], seed=seed),
        macro=MacroF1.of(by_label, seed=seed),
        boundaries=Score.of([scoring.entity_boundary_counts(*pair) for pair in pairs], seed=seed),
        seen=Score.of_group(by_seen, "seen", seed=seed) if by_seen else None,
        unseen=Score.of_group(by_seen, "unseen", seed=seed) if by_seen else None,
        by_label=_scores_by_label(by_label, seed),
        reliability=reliability(pairs, "entities"),
        operating_points=operating_points(scored, "entities"),
    )
    given = [scoring.relation_counts(*pair) for pair in on_gold or ()]
    by_label = [scoring.relation_counts_by_label(*pair) for pair in pairs]
    by_distance = [scoring.relation_counts_by_distance(*pair) for pair in pairs]
    relations = RelationScores(
        micro=Score.of([scoring.relation_counts(*pair) for pair in pairs], seed=seed),
        macro=MacroF1.of(by_label, seed=seed),
        boundaries=Score.of([scoring.relation_boundary_counts(*pair) for pair in pairs], seed=seed),
        on_gold_entities=Score.of(given, seed=seed) if given else None,
        by_label=_scores_by_label(by_label, seed),
        by_distance={n: Score.of_group(by_distance, n, seed=seed) for n in scoring.DISTANCES},
        reliability=reliability(pairs, "relations"),
        cooccurrence=false_positives(pairs),
        operating_points=operating_points(scored, "relations"),
    )
    return SystemScores(entities, relations)


def _scores_by_label(per_document: Sequence[Mapping[str, Counts]], seed: int) -> dict[str, Score]:
    labels = sorted({label for counts in per_document for label in counts})
    return {label: Score.of_group(per_document, label, seed=seed) for label in labels}


def _confusion(pairs: list[Pair]) -> Confusion:
    """Labels of the same span are paired off: equal ones first, the rest in alphabetical order."""
    cells: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        sides: defaultdict[tuple[int, int], tuple[list[str], list[str]]]
        sides = defaultdict(lambda: ([], []))
        for side, document in enumerate(pair):
            for entity in document.entities:
                sides[entity.start, entity.end][side].append(entity.label)
        for gold, predicted in sides.values():
            cells.update((label, label) for label in gold if label in predicted)
            wrong = [label for label in gold if label not in predicted]
            instead = [label for label in predicted if label not in gold]
            cells.update(zip_longest(wrong, instead, fillvalue=""))
    labels = sorted({label for cell in cells for label in cell if label})
    axis = [*labels, ""]
    return Confusion(tuple(labels), tuple(tuple(cells[g, p] for p in axis) for g in axis))


def _with_rates(value: Any) -> Any:
    """The same JSON, with precision, recall and F1 beside counts."""
    if isinstance(value, list | tuple):
        return [_with_rates(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"n_correct", "n_predicted", "n_gold"}:
        counts = Counts(**value)
        return value | {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
    return {key: _with_rates(entry) for key, entry in value.items()}


def _read_system(record: Mapping[str, Any]) -> SystemScores:
    read = {
        part: {name: _read_score(name, score) for name, score in scores.items()}
        for part, scores in record.items()
    }
    return SystemScores(EntityScores(**read["entities"]), RelationScores(**read["relations"]))


def _read_score(name: str, record: Any) -> Any:
    """What a field of `EntityScores` or `RelationScores` of this name holds."""
    if name.startswith("by_"):
        return {key: Score.from_dict(score) for key, score in record.items()}
    if name == "cooccurrence":
        return {label: FalsePositives(**counts) for label, counts in record.items()}
    if name == "operating_points":
        return tuple(map(OperatingPoint.from_dict, record))
    if name == "reliability":
        return record and Reliability.from_dict(record)
    return record and (MacroF1 if name == "macro" else Score).from_dict(record)
