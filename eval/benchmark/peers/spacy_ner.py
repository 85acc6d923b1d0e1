"""spaCy's `ner`, trained by `spacy train` from the configuration that `init config` writes.

Variant "tok2vec": embeddings and convolutions from scratch, the quick start's choice for a CPU.
Variant "transformer": on spacy-transformers, the quick start's choice for a GPU, with our encoder.
Whole documents, spaCy's own words; the best of the models in training is kept, judged on every
tenth training document, which is held out for that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import spacy
from exchange import ENCODER, Job, Stopwatch, read_job, write_result
from spacy.cli.init_config import init_config
from spacy.cli.train import train
from spacy.tokens import DocBin

from pressgang.document import Document, Entity

EPOCHS = 6
BATCH_WORDS = 2000
LEARNING_RATE = 2e-4
MAX_STEPS = 8000
PATIENCE = 1600


def main() -> None:
    """Train and predict."""
    job = read_job()
    kept, held_out = job.split()
    n_lost = _write(job, "train", kept) + _write(job, "dev", held_out or kept)
    config, settings = _configure(job, n_words=sum(len(d.text.split()) for d in kept))
    config.to_disk(job.work / "config.cfg", interpolate=False)
    paths = {f"paths.{name}": str(job.work / f"{name}.spacy") for name in ("train", "dev")}
    with Stopwatch() as training:
        train(job.work / "config.cfg", job.work / "out", overrides=paths | settings)
    model = spacy.load(job.work / "out" / "model-best")
    with Stopwatch() as predicting:
        predicted = [_predict(model, document) for document in job.test]
    write_result(
        job,
        predicted,
        training=training,
        predicting=predicting,
        parameters=_size(model),
        recipe={"unit": "document"} | {k.removeprefix("training."): v for k, v in settings.items()},
        counts={"held_out_documents": len(held_out), "entities_inside_words": n_lost},
        packages=["spacy", "spacy-transformers"] if job.variant == "transformer" else ["spacy"],
    )


def _write(job: Job, name: str, documents: Sequence[Document]) -> int:
    """Write documents in spaCy's format; how many entities end inside one of its words."""
    nlp, docs, n_lost = spacy.blank("en"), DocBin(), 0
    for document in documents:
        doc = nlp.make_doc(document.text)
        spans = [doc.char_span(e.start, e.end, label=e.label) for e in document.entities]
        doc.ents = [span for span in spans if span is not None]
        n_lost += len(spans) - len(doc.ents)
        docs.add(doc)
    docs.to_disk(job.work / f"{name}.spacy")
    return n_lost


def _configure(job: Job, *, n_words: int) -> tuple[Any, dict[str, Any]]:
    """The quick start's configuration, and the settings of it that are changed."""
    is_transformer = job.variant == "transformer"
    config = init_config(lang="en", pipeline=["ner"], optimize="efficiency", gpu=is_transformer)
    if not is_transformer:
        return config, {
            "training.seed": job.seed,
            "training.max_steps": job.max_steps or MAX_STEPS,
            "training.patience": PATIENCE,
            "training.eval_frequency": min(200, job.max_steps or 200),
        }
    from pressgang.model.pretrained import (
        locate,  # needs safetensors, which spaCy alone does not bring
    )

    epoch = max(1, math.ceil(1.2 * n_words / BATCH_WORDS))  # 1.2: marks are words of their own
    steps = job.max_steps or EPOCHS * job.passes * epoch
    config["components"]["transformer"]["model"]["name"] = locate(ENCODER)
    return config, {
        "training.seed": job.seed,
        "training.max_steps": steps,
        "training.patience": 0,
        "training.eval_frequency": min(epoch, steps),
        "training.accumulate_gradient": 1,
        "training.batcher.size": BATCH_WORDS,
        "training.optimizer.learn_rate.initial_rate": LEARNING_RATE,
        "training.optimizer.learn_rate.warmup_steps": max(1, steps // 10),
        "training.optimizer.learn_rate.total_steps": steps,
    }


def _predict(model: Any, document: Document) -> Document:
    entities = tuple(Entity(e.start_char, e.end_char, e.label_) for e in model(document.text).ents)
    return Document(document.id, document.text, entities)


def _size(model: Any) -> int:
    """The number of parameters in all layers, those of PyTorch modules inside included."""
    total = 0
    for _, pipe in model.pipeline:
        for node in pipe.model.walk():
            total += sum(
                node.get_param(name).size for name in node.param_names if node.has_param(name)
            )
            for shim in node.shims:
                module = getattr(shim, "_model", None)
                total += sum(p.numel() for p in module.parameters()) if module is not None else 0
    return total


if __name__ == "__main__":
    main()
