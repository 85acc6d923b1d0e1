"""SpanMarker: every span of a sentence is a candidate, marked by a pair of tokens of its own.

What it costs follows the number of candidates: it is given one epoch, and spans of six words (its
default is eight). It pads every sentence to the longest possible; the padding that no sentence of a
batch needs is cut off again, which changes nothing but the time.
"""

from __future__ import annotations

from typing import Any

import torch
from bio import to_tags
from datasets import Dataset
from exchange import ENCODER, Job, Stopwatch, read_job, write_result
from pieces import Piece, cut_all, join, n_longer, word_offsets, word_spans
from span_marker import SpanMarkerModel, Trainer
from transformers import TrainingArguments

from pressgang.document import Document, Entity
from pressgang.model.pretrained import locate

MAX_WORDS = 60
RECIPE: dict[str, Any] = {
    "epochs": 1,
    "batch": 8,
    "learning_rate": 2e-4,
    "warmup_ratio": 0.1,
    "model_max_length": 96,
    "marker_max_length": 96,
    "entity_max_length": 6,
}


def main() -> None:
    """Train and predict."""
    job = read_job()
    tags = ["O", *(f"{side}-{label}" for label in job.entity_labels for side in "BI")]
    lengths = {key: value for key, value in RECIPE.items() if key.endswith("_max_length")}
    model = SpanMarkerModel.from_pretrained(locate(ENCODER), labels=tags, **lengths)
    pieces, lost = cut_all(job.train, max_words=MAX_WORDS, max_sentences=1)
    sentences = [p.document for document in pieces for p in document]
    data = Dataset.from_dict(
        {
            "tokens": [_words(s) for s in sentences],
            "ner_tags": [[tags.index(tag) for tag in _tags(s)] for s in sentences],
        }
    )
    with Stopwatch() as training:
        _train(job, model, data)
    test, lost_in_test = cut_all(job.test, max_words=MAX_WORDS, max_sentences=1)
    with Stopwatch() as predicting:
        predicted = [
            join(document, parts, _predict(model, [p.document for p in parts]))
            for document, parts in zip(job.test, test, strict=True)
        ]
    write_result(
        job,
        predicted,
        training=training,
        predicting=predicting,
        parameters=sum(p.numel() for p in model.parameters()),
        recipe=RECIPE | {"unit": "sentence"},
        counts={
            "train": lost,
            "test": lost_in_test,
            "entities_too_wide": sum(
                end - start > RECIPE["entity_max_length"]
                for s in sentences
                for start, end in word_spans(s, word_offsets(s.text))
            ),
            "sentences_truncated": _n_truncated(model, [*pieces, *test]),
        },
        packages=["span_marker", "torch", "transformers"],
    )


def _words(document: Document) -> list[str]:
    return [document.text[start:end] for start, end in word_offsets(document.text)]


def _tags(document: Document) -> list[str]:
    offsets = word_offsets(document.text)
    spans = word_spans(document, offsets)
    return to_tags(
        [(*span, e.label) for span, e in zip(spans, document.entities, strict=True)], len(offsets)
    )


def _train(job: Job, model: Any, data: Dataset) -> None:
    arguments = TrainingArguments(
        str(job.work),
        num_train_epochs=RECIPE["epochs"] * job.passes,
        max_steps=job.max_steps or -1,
        per_device_train_batch_size=RECIPE["batch"],
        learning_rate=RECIPE["learning_rate"],
        warmup_ratio=RECIPE["warmup_ratio"],
        weight_decay=0.01,
        seed=job.seed,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_steps=50,
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=data)
    pad = trainer.data_collator
    trainer.data_collator = lambda samples: _trimmed(pad(samples))
    trainer.train()


def _trimmed(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A batch without the columns that are padding in all its sentences; an even number stays."""
    size = int((batch["start_marker_indices"] + 2 * batch["num_marker_pairs"]).max())
    size += size % 2
    trimmed = {key: batch[key][:, :size] for key in ("input_ids", "position_ids")}
    trimmed["attention_mask"] = batch["attention_mask"][:, :size, :size]
    trimmed["labels"] = batch["labels"][:, : size // 2]
    return batch | {key: value.contiguous() for key, value in trimmed.items()}


def _predict(model: Any, documents: list[Document]) -> list[Document]:
    if not documents:
        return []
    found = model.eval().predict([_words(document) for document in documents], batch_size=8)
    if len(documents) == 1:  # then it gives the entities of the sentence, not a list of them
        found = [found]
    return [_read(d, spans) for d, spans in zip(documents, found, strict=True)]


def _read(document: Document, spans: list[dict[str, Any]]) -> Document:
    offsets = word_offsets(document.text)
    entities = tuple(
        Entity(
            offsets[span["word_start_index"]][0],
            offsets[span["word_end_index"] - 1][1],
            span["label"],
            min(1.0, span["score"]),
        )
        for span in spans
    )
    return Document(document.id, document.text, entities)


def _n_truncated(model: Any, pieces: list[list[Piece]]) -> int:
    """How many sentences have more tokens than the model reads, its two marks counted."""

    def size(words: list[str]) -> int:
        tokenizer = model.tokenizer.tokenizer
        return len(
            tokenizer(words, is_split_into_words=True, add_special_tokens=False)["input_ids"]
        )

    return n_longer(pieces, size, RECIPE["model_max_length"] - 2)


if __name__ == "__main__":
    main()
