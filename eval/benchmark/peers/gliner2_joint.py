"""GLiNER2, span architecture: entities and relations of a piece from one schema, labels as prompts.

Gold is given with offsets. A relation that a piece does not have is given with an empty head and
tail, or the model would never see a relation in a prompt that is not in the text. Arguments of
predicted relations are spans without a label: they take that of the entity predicted there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exchange import ENCODER, Job, Stopwatch, read_job, spoken, write_result
from gliner2 import ExtractorConfig, InputExample
from gliner2.inference.engine import SpanExtractor
from gliner2.processor import SamplingConfig
from gliner2.training.data import Relation as GoldRelation
from gliner2.training.trainer import ExtractorTrainer, TrainingConfig
from pieces import Piece, cut_all, join, n_longer, word_offsets

from pressgang.document import Document, Entity, Relation
from pressgang.model.pretrained import locate

MAX_WORDS = 120
MAX_WIDTH = 10
MAX_TOKENS = 512
PROMPT_TOKENS = 14  # of a relation: its name, head and tail with their marks and brackets
RECIPE: dict[str, Any] = {
    "epochs": 2,
    "batch": 4,
    "encoder_lr": 2e-4,
    "task_lr": 5e-4,
    "warmup_ratio": 0.1,
    "max_width": MAX_WIDTH,
}
THRESHOLD = 0.5


def main() -> None:
    """Train and predict."""
    job = read_job()
    labels, relations = spoken(job.entity_labels), spoken(job.relation_labels)
    model = SpanExtractor(
        ExtractorConfig(model_name=locate(ENCODER), architecture="span", max_width=MAX_WIDTH)
    )
    model.processor.word_splitter = _split
    # Labels are fixed here: none is renamed, none dropped.
    model.processor.sampling_config = SamplingConfig(
        synthetic_entity_label_prob=0.0, remove_relations_prob=0.0
    )
    pieces, lost = cut_all(job.train, max_words=MAX_WORDS)
    rows = [_row(p.document, labels, relations) for document in pieces for p in document]
    with Stopwatch() as training:
        _train(job, model, rows)
    test, lost_in_test = cut_all(job.test, max_words=MAX_WORDS)
    counts = {"overlapping_entities": 0, "arguments_without_entity": 0}
    with Stopwatch() as predicting:
        predicted = [
            join(document, parts, _predict(model, parts, labels, relations, counts))
            for document, parts in zip(job.test, test, strict=True)
        ]
    write_result(
        job,
        predicted,
        training=training,
        predicting=predicting,
        parameters=sum(p.numel() for p in model.parameters()),
        recipe=RECIPE | {"unit": f"whole sentences, at most {MAX_WORDS} words"},
        counts={
            "train": lost,
            "test": lost_in_test,
            "entities_too_wide": sum(_n_too_wide(p.document) for parts in pieces for p in parts),
            "pieces_longer_than_the_encoder": _n_too_long(model, [*pieces, *test], len(relations)),
            **counts,
        },
        packages=["gliner2", "torch", "transformers"],
    )


def _split(text: str, lower: bool = True) -> Iterator[tuple[str, int, int]]:
    """The words of a text as GLiNER2's own splitters give them."""
    for start, end in word_offsets(text):
        word = text[start:end]
        yield (word.lower() if lower else word), start, end


def _row(document: Document, labels: dict[str, str], relations: dict[str, str]) -> InputExample:
    def span(entity: Entity) -> dict[str, Any]:
        return {"text": document.surface(entity), "start": entity.start, "end": entity.end}

    given = []
    for name, label in relations.items():
        pairs = [(span(r.head), span(r.tail)) for r in document.relations if r.label == label]
        given += [GoldRelation(name, head=head, tail=tail) for head, tail in pairs or [("", "")]]
    entities = {
        name: [span(e) for e in document.entities if e.label == label]
        for name, label in labels.items()
    }
    return InputExample(text=document.text, entities=entities, relations=given)


def _train(job: Job, model: Any, rows: list[InputExample]) -> None:
    config = TrainingConfig(
        output_dir=str(job.work),
        num_epochs=RECIPE["epochs"] * job.passes,
        max_steps=job.max_steps or -1,
        batch_size=RECIPE["batch"],
        encoder_lr=RECIPE["encoder_lr"],
        task_lr=RECIPE["task_lr"],
        warmup_ratio=RECIPE["warmup_ratio"],
        fp16=False,
        bf16=False,
        eval_strategy="no",
        save_best=False,
        logging_steps=50,
        num_workers=0,
        pin_memory=False,
        seed=job.seed,
    )
    ExtractorTrainer(model, config).train(train_data=rows)


def _predict(
    model: Any,
    pieces: list[Piece],
    labels: dict[str, str],
    relations: dict[str, str],
    counts: dict[str, int],
) -> list[Document]:
    """The pieces with what is found in them; `counts` grows by what is left out."""
    if not pieces:
        return []
    schema = model.create_schema().entities(list(labels)).relations(list(relations))
    results = model.eval().batch_extract(
        [p.document.text for p in pieces],
        schema,
        RECIPE["batch"],
        THRESHOLD,
        include_confidence=True,
        include_spans=True,
    )
    documents = []
    for piece, result in zip(pieces, results, strict=True):
        entities = _entities(piece.document.text, result.get("entities", {}), labels, counts)
        at = {(e.start, e.end): e for e in entities}
        kept: dict[tuple[Entity, Entity, str], Relation] = {}
        for name, pairs in result.get("relation_extraction", {}).items():
            for pair in pairs:
                head, tail = (at.get((pair[k]["start"], pair[k]["end"])) for k in ("head", "tail"))
                if head is None or tail is None or head == tail:
                    counts["arguments_without_entity"] += 1
                    continue
                score = min(1.0, pair["head"]["confidence"] * pair["tail"]["confidence"])
                label = relations[name]
                kept[head, tail, label] = Relation(head, tail, label, score)
        documents.append(
            Document(piece.document.id, piece.document.text, entities, tuple(kept.values()))
        )
    return documents


def _entities(
    text: str, found: dict[str, Any], labels: dict[str, str], counts: dict[str, int]
) -> tuple[Entity, ...]:
    """The entities, of those that overlap the surest: labels are decoded apart from each other."""
    spans = [
        Entity(e["start"], min(e["end"], len(text)), labels[name], min(1.0, e["confidence"]))
        for name, mentions in found.items()
        for e in mentions
        if e["start"] < len(text)  # a full stop may have been added to the text
    ]
    kept: list[Entity] = []
    for entity in sorted(spans, key=lambda e: (-(e.score or 0.0), e)):
        if any(entity.overlaps(other) for other in kept):
            counts["overlapping_entities"] += 1
        else:
            kept.append(entity)
    return tuple(kept)


def _n_too_wide(document: Document) -> int:
    """How many entities have more words than a span may have."""
    return sum(len(word_offsets(document.surface(e))) > MAX_WIDTH for e in document.entities)


def _n_too_long(model: Any, pieces: list[list[Piece]], n_relations: int) -> int:
    """How many pieces make a longer input than the encoder was trained on, by a rough count."""
    tokenizer = model.processor.tokenizer

    def size(words: list[str]) -> int:
        return len(
            tokenizer(words, is_split_into_words=True, add_special_tokens=False)["input_ids"]
        )

    return n_longer(pieces, size, MAX_TOKENS - PROMPT_TOKENS * n_relations)


if __name__ == "__main__":
    main()
