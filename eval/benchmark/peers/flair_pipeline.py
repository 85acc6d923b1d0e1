"""flair: a SequenceTagger, then a RelationClassifier on the entities that it predicts.

Both fine-tune our encoder, sentence by sentence. The classifier reads a sentence once for each pair
of entities, marked; it is trained on the related pairs of gold entities, and on twice as many of
the others whose labels some relation joins.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import flair
from exchange import ENCODER, Job, Stopwatch, read_job, write_result
from flair.data import Corpus, Sentence
from flair.data import Relation as FlairRelation
from flair.datasets import FlairDatapointDataset
from flair.embeddings import TransformerDocumentEmbeddings, TransformerWordEmbeddings
from flair.models import RelationClassifier, SequenceTagger
from flair.models.relation_classifier_model import TypedEntityMarkerPunct
from flair.trainers import ModelTrainer
from pieces import cut_all, join, word_offsets, word_spans

from pressgang.document import Document, Entity, Relation
from pressgang.model.pretrained import locate

MAX_WORDS = 200
RECIPE: dict[str, Any] = {
    "tagger_epochs": 3,
    "tagger_batch": 16,
    "classifier_epochs": 1,
    "classifier_batch": 32,
    "unrelated_pairs_for_a_related_one": 2,
    "learning_rate": 2e-4,
}


def main() -> None:
    """Train both and predict."""
    job = read_job()
    flair.set_seed(job.seed)
    pieces, lost = cut_all(job.train, max_words=MAX_WORDS, max_sentences=1)
    documents = [p.document for parts in pieces for p in parts]
    sentences = [_annotated(document) for document in documents]
    n_second = sum(
        len(d.relations) - len({(r.head, r.tail) for r in d.relations}) for d in documents
    )
    folder = locate(ENCODER)
    with Stopwatch() as training:
        tagger = _train_tagger(job, folder, sentences)
        classifier, n_pairs = _train_classifier(job, folder, sentences, documents)
    test, lost_in_test = cut_all(job.test, max_words=MAX_WORDS, max_sentences=1)
    with Stopwatch() as predicting:
        predicted = [
            join(document, parts, _predict(tagger, classifier, [p.document for p in parts]))
            for document, parts in zip(job.test, test, strict=True)
        ]
    write_result(
        job,
        predicted,
        training=training,
        predicting=predicting,
        parameters=sum(p.numel() for m in (tagger, classifier) for p in m.parameters()),
        recipe=RECIPE | {"unit": "sentence"},
        counts={
            "train": lost,
            "test": lost_in_test,
            "pairs_trained_on": n_pairs,
            "second_relations_of_a_pair": n_second,
        },
        packages=["flair", "torch", "transformers"],
    )


def _bare(document: Document) -> Sentence:
    return Sentence([document.text[start:end] for start, end in word_offsets(document.text)])


def _annotated(document: Document) -> Sentence:
    """The sentence with its entities and, of each pair, the first of its relations."""
    sentence, spans = _bare(document), {}
    found = word_spans(document, word_offsets(document.text))
    for entity, (start, end) in zip(document.entities, found, strict=True):
        spans[entity] = sentence[start:end]
        spans[entity].add_label("ner", entity.label)
    seen: set[tuple[Entity, Entity]] = set()
    for relation in document.relations:
        pair = (relation.head, relation.tail)
        if pair not in seen:
            seen.add(pair)
            first, second = (spans[entity] for entity in pair)
            FlairRelation(first, second).add_label("relation", relation.label)
    return sentence


def _corpus(sentences: list[Any]) -> Corpus:
    """The sentences to train on; flair also asks for others, on which nothing is decided here."""
    few = FlairDatapointDataset(sentences[:4])
    return Corpus(
        train=FlairDatapointDataset(sentences), dev=few, test=few, sample_missing_splits=False
    )


def _train_tagger(job: Job, folder: str, sentences: list[Sentence]) -> SequenceTagger:
    corpus = _corpus(sentences)
    tagger = SequenceTagger(
        embeddings=TransformerWordEmbeddings(
            folder, fine_tune=True, layers="-1", subtoken_pooling="first", use_context=False
        ),
        tag_dictionary=corpus.make_label_dictionary("ner", add_unk=False),
        tag_type="ner",
        use_crf=False,
        use_rnn=False,
        reproject_embeddings=False,
    )
    if job.max_steps:  # a trial: as many batches as there are steps, once
        corpus = _corpus(sentences[: job.max_steps * RECIPE["tagger_batch"]])
    _fine_tune(tagger, corpus, job.work / "tagger", RECIPE["tagger_epochs"], "tagger_batch", job)
    return tagger


def _train_classifier(
    job: Job, folder: str, sentences: list[Sentence], documents: list[Document]
) -> tuple[RelationClassifier, int]:
    """The classifier, and how many pairs of entities it was trained on."""
    corpus = _corpus(sentences)
    classifier = RelationClassifier(
        embeddings=TransformerDocumentEmbeddings(folder, fine_tune=True, layers="-1"),
        label_type="relation",
        label_dictionary=corpus.make_label_dictionary("relation", add_unk=False),
        entity_label_types="ner",
        entity_pair_labels={
            (r.head.label, r.tail.label) for document in documents for r in document.relations
        },
        encoding_strategy=TypedEntityMarkerPunct(),
    )
    pairs = _chosen_pairs(classifier.transform_sentence(sentences), job)
    if job.max_steps:
        pairs = pairs[: job.max_steps * RECIPE["classifier_batch"]]
    out = job.work / "classifier"
    epochs = RECIPE["classifier_epochs"]
    _fine_tune(classifier, _corpus(pairs), out, epochs, "classifier_batch", job)
    return classifier, len(pairs)


def _chosen_pairs(every: list[Any], job: Job) -> list[Any]:
    """The marked sentences of all related pairs and of some others, in a random order."""
    random.Random(job.seed).shuffle(every)  # noqa: S311 - no secret
    related = [pair.get_label("relation").value != "O" for pair in every]
    n_others = RECIPE["unrelated_pairs_for_a_related_one"] * sum(related)
    others = [i for i, is_related in enumerate(related) if not is_related]
    left_out = set(others[n_others:])
    return [pair for i, pair in enumerate(every) if i not in left_out]


def _fine_tune(model: Any, corpus: Any, out: Path, epochs: int, batch: str, job: Job) -> None:
    ModelTrainer(model, corpus).fine_tune(
        out,
        learning_rate=RECIPE["learning_rate"],
        mini_batch_size=RECIPE[batch],
        max_epochs=1 if job.max_steps else epochs * job.passes,
        use_final_model_for_eval=True,
        save_final_model=False,
    )


def _predict(tagger: Any, classifier: Any, documents: list[Document]) -> list[Document]:
    """The sentences with entities and, on these, relations."""
    if not documents:
        return []
    sentences = [_bare(document) for document in documents]
    tagger.predict(sentences, mini_batch_size=32)
    classifier.predict(sentences, mini_batch_size=32)
    return [_read(d, s) for d, s in zip(documents, sentences, strict=True)]


def _read(document: Document, sentence: Sentence) -> Document:
    """The predictions of flair as a document; its tokens are numbered from 1."""
    offsets = word_offsets(document.text)

    def entity(span: Any) -> Entity:
        label = span.get_label("ner")
        start, end = offsets[span[0].idx - 1][0], offsets[span[-1].idx - 1][1]
        return Entity(start, end, label.value, min(1.0, label.score))

    entities = tuple(entity(span) for span in sentence.get_spans("ner"))
    relations = tuple(
        Relation(entity(r.first), entity(r.second), label.value, min(1.0, label.score))
        for r in sentence.get_relations("relation")
        for label in r.get_labels("relation")
        if label.value != "O"
    )
    return Document(document.id, document.text, entities, relations)


if __name__ == "__main__":
    main()
