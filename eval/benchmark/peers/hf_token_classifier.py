"""A Hugging Face token classifier, trained as the transformers example `run_ner` trains it.

Sentence by sentence; the label of a word on its first sub-word, the others left out of the loss; a
linear layer on the encoder, no constraints on the sequence of tags.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from bio import to_spans, to_tags
from exchange import ENCODER, Job, Stopwatch, read_job, write_result
from pieces import cut_all, join, word_offsets, word_spans
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
)

from pressgang.document import Document, Entity
from pressgang.model.pretrained import locate

MAX_WORDS = 200
RECIPE: dict[str, Any] = {"epochs": 5, "batch": 16, "learning_rate": 2e-4, "warmup_ratio": 0.1}


def main() -> None:
    """Train and predict."""
    job = read_job()
    tags = ["O", *(f"{side}-{label}" for label in job.entity_labels for side in "BI")]
    folder = locate(ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(
        folder, id2label=dict(enumerate(tags)), label2id={tag: i for i, tag in enumerate(tags)}
    )
    pieces, lost = cut_all(job.train, max_words=MAX_WORDS, max_sentences=1)
    rows = [_row(p.document, tokenizer, tags) for document in pieces for p in document]
    with Stopwatch() as training:
        _train(job, model, tokenizer, [row for row, _ in rows])
    test, lost_in_test = cut_all(job.test, max_words=MAX_WORDS, max_sentences=1)
    n_truncated = sum(n for _, n in rows)
    with Stopwatch() as predicting:
        predicted = []
        for document, parts in zip(job.test, test, strict=True):
            found = [_predict(model, tokenizer, tags, p.document) for p in parts]
            predicted.append(join(document, parts, [d for d, _ in found]))
            n_truncated += sum(n for _, n in found)
    write_result(
        job,
        predicted,
        training=training,
        predicting=predicting,
        parameters=sum(p.numel() for p in model.parameters()),
        recipe=RECIPE | {"unit": "sentence"},
        counts={"train": lost, "test": lost_in_test, "words_truncated": n_truncated},
        packages=["torch", "transformers"],
    )


def _row(document: Document, tokenizer: Any, tags: list[str]) -> tuple[dict[str, Any], int]:
    """A sentence as the model reads it, and how many of its words are truncated."""
    offsets = word_offsets(document.text)
    spans = [
        (start, end, e.label)
        for (start, end), e in zip(word_spans(document, offsets), document.entities, strict=True)
    ]
    gold = to_tags(spans, len(offsets))
    encoded = tokenizer(
        [document.text[start:end] for start, end in offsets],
        is_split_into_words=True,
        truncation=True,
        max_length=512,
    )
    words = encoded.word_ids()
    first = [w is not None and w not in words[:i] for i, w in enumerate(words)]
    labels = [tags.index(gold[w]) if f else -100 for w, f in zip(words, first, strict=True)]
    n_truncated = len(offsets) - 1 - max((w for w in words if w is not None), default=-1)
    return dict(encoded) | {"labels": labels}, n_truncated


def _train(job: Job, model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> None:
    arguments = TrainingArguments(
        str(job.work),
        num_train_epochs=RECIPE["epochs"] * job.passes,
        max_steps=job.max_steps or -1,
        per_device_train_batch_size=RECIPE["batch"],
        learning_rate=RECIPE["learning_rate"],
        warmup_steps=RECIPE["warmup_ratio"],
        weight_decay=0.01,
        seed=job.seed,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        train_sampling_strategy="group_by_length",  # else most of a batch is padding
        logging_steps=50,
        disable_tqdm=True,
    )
    collator = DataCollatorForTokenClassification(tokenizer)
    Trainer(model, arguments, data_collator=collator, train_dataset=rows).train()


def _predict(
    model: Any, tokenizer: Any, tags: list[str], document: Document
) -> tuple[Document, int]:
    """The sentence with its entities, and how many of its words were truncated."""
    row, n_truncated = _row(document, tokenizer, tags)
    inputs = {k: torch.tensor([v]) for k, v in row.items() if k != "labels"}
    with torch.inference_mode():
        scores = model.eval()(**inputs).logits[0].softmax(-1).numpy()
    kept = np.array(row["labels"]) != -100
    found = [tags[i] for i in scores[kept].argmax(-1)]
    offsets = word_offsets(document.text)
    entities = [
        Entity(offsets[start][0], offsets[end - 1][1], label)
        for start, end, label in to_spans(found)
    ]
    return Document(document.id, document.text, tuple(entities)), n_truncated


if __name__ == "__main__":
    main()
