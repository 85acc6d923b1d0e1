"""GLiNER's relation architecture: entities and relations of a piece in one pass, labels as prompts.

Span representations on our encoder; every pair of entities is scored (`relations_layer` "none").
All labels are in every prompt, in training too: the set of labels is fixed here, so none is
sampled, dropped or renamed. Pieces hold several sentences, so relations may cross sentences.
"""

from __future__ import annotations

import math
from typing import Any

from exchange import ENCODER, Job, Stopwatch, read_job, spoken, write_result
from gliner import GLiNER
from pieces import Piece, cut_all, join, n_longer, word_offsets, word_spans

from pressgang.document import Document, Entity, Relation
from pressgang.model.pretrained import locate

MAX_WORDS = 150
MAX_WIDTH = 10
MAX_TOKENS = 512
RECIPE: dict[str, Any] = {
    "epochs": 2,
    "batch": 4,
    "learning_rate": 2e-4,
    "others_lr": 5e-4,
    "warmup_ratio": 0.1,
    "dropout": 0.3,
    "relations_layer": "none",
    "max_width": MAX_WIDTH,
}
THRESHOLD = 0.5


def main() -> None:
    """Train and predict."""
    job = read_job()
    labels, relations = spoken(job.entity_labels), spoken(job.relation_labels)
    model = _build()
    pieces, lost = cut_all(job.train, max_words=MAX_WORDS)
    rows = [_row(p.document, labels, relations) for document in pieces for p in document]
    with Stopwatch() as training:
        _train(job, model, rows)
    test, lost_in_test = cut_all(job.test, max_words=MAX_WORDS)
    with Stopwatch() as predicting:
        found = [_predict(model, parts, labels, relations) for parts in test]
    predicted = [
        join(document, parts, documents)
        for document, parts, (documents, _) in zip(job.test, test, found, strict=True)
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
            "entities_too_wide": sum(e[1] - e[0] >= MAX_WIDTH for r in rows for e in r["ner"]),
            "pieces_truncated": _n_truncated(model, [*pieces, *test], [*labels, *relations]),
            "relations_with_themselves": sum(n for _, n in found),
        },
        packages=["gliner", "torch", "transformers"],
    )


def _build() -> Any:
    model = GLiNER.from_config(
        {
            "model_name": locate(ENCODER),
            "hidden_size": 384,
            "span_mode": "markerV0",
            "max_width": MAX_WIDTH,
            "max_len": 384,
            "max_types": 100,
            "dropout": RECIPE["dropout"],
            "relations_layer": RECIPE["relations_layer"],
            "augment_data_prob": 0.0,
        }
    )
    model.data_processor.words_splitter = _split
    model.data_processor.transformer_tokenizer.model_max_length = MAX_TOKENS
    return model


def _split(text: str) -> Any:
    """The words of a text as GLiNER's own splitters give them."""
    return ((text[start:end], start, end) for start, end in word_offsets(text))


def _row(document: Document, labels: dict[str, str], relations: dict[str, str]) -> dict[str, Any]:
    """A piece as GLiNER is trained on it; the last word of an entity belongs to it."""
    offsets = word_offsets(document.text)
    spans = word_spans(document, offsets)
    position = {entity: index for index, entity in enumerate(document.entities)}
    said = {label: name for name, label in (labels | relations).items()}
    return {
        "tokenized_text": [document.text[start:end] for start, end in offsets],
        "ner": [
            [start, end - 1, said[e.label]]
            for (start, end), e in zip(spans, document.entities, strict=True)
        ],
        "relations": [
            [position[r.head], position[r.tail], said[r.label]] for r in document.relations
        ],
        "ner_labels": list(labels),
        "rel_labels": list(relations),
    }


def _train(job: Job, model: Any, rows: list[dict[str, Any]]) -> None:
    epoch = math.ceil(len(rows) / RECIPE["batch"])
    steps = job.max_steps or RECIPE["epochs"] * job.passes * epoch
    model.train_model(
        rows,
        rows[:1],  # asked for, and not used: nothing is evaluated in training
        output_dir=str(job.work),
        max_steps=steps,
        per_device_train_batch_size=RECIPE["batch"],
        learning_rate=RECIPE["learning_rate"],
        others_lr=RECIPE["others_lr"],
        warmup_ratio=RECIPE["warmup_ratio"],
        save_strategy="no",
        logging_steps=50,
        disable_tqdm=True,
        dataloader_num_workers=0,
        seed=job.seed,
        use_cpu=True,
    )


def _predict(
    model: Any, pieces: list[Piece], labels: dict[str, str], relations: dict[str, str]
) -> tuple[list[Document], int]:
    """The pieces with what is found in them; how many relations of an entity with itself went."""
    if not pieces:
        return [], 0
    documents, n_same = [], 0
    entities, related = model.eval().inference(
        [p.document.text for p in pieces],
        list(labels),
        relations=list(relations),
        threshold=THRESHOLD,
        batch_size=1,  # memory grows with the square of the spans that are found in a batch
        return_relations=True,
    )
    for piece, spans, pairs in zip(pieces, entities, related, strict=True):
        found = {
            (e["start"], e["end"], e["label"]): Entity(
                e["start"], e["end"], labels[e["label"]], min(1.0, float(e["score"]))
            )
            for e in spans
        }
        kept: dict[tuple[Entity, Entity, str], Relation] = {}
        for pair in pairs:
            head, tail = (
                found[side["start"], side["end"], side["type"]]
                for side in (pair["head"], pair["tail"])
            )
            if head == tail:
                n_same += 1
                continue
            label, score = relations[pair["relation"]], min(1.0, float(pair["score"]))
            kept[head, tail, label] = Relation(head, tail, label, score)
        text = piece.document.text
        documents.append(
            Document(piece.document.id, text, tuple(found.values()), tuple(kept.values()))
        )
    return documents, n_same


def _n_truncated(model: Any, pieces: list[list[Piece]], prompts: list[str]) -> int:
    """How many pieces are too long for the encoder, prompts and marks counted."""
    tokenizer = model.data_processor.transformer_tokenizer

    def size(words: list[str]) -> int:
        return len(
            tokenizer(words, is_split_into_words=True, add_special_tokens=False)["input_ids"]
        )

    room = MAX_TOKENS - size(prompts) - len(prompts) - 4
    return n_longer(pieces, size, room)


if __name__ == "__main__":
    main()
