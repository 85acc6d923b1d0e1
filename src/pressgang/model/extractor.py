"""From text to Documents: tokenizer, runtime and schema behind `predict`."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pressgang.config import RunConfig
from pressgang.document import Document, Entity, Relation
from pressgang.files import write_json
from pressgang.model.artefact import MANIFEST
from pressgang.model.calibration import Calibration
from pressgang.model.folders import CALIBRATION, SCHEMA, SETTINGS, TOKENIZER
from pressgang.model.saved_model import FORMAT, Runtime, read_model
from pressgang.schema import Schema
from pressgang.text.batches import View, span_batch, window_batch
from pressgang.text.encoding import EncodedText, Ints, TextEncoder
from pressgang.text.pairing import allowed, has_relation
from pressgang.text.tagging import Spans, decode, entity_of, log_softmax, spans_of
from pressgang.text.windows import Window, cut

_CHUNK_TOKENS = 8192
_CHUNK_DOCUMENTS = 1024
"""Documents held back at most: those without a word, of which any number fit into a chunk, too."""
_BATCH_TOKENS = 4096


@dataclass(slots=True)
class _Job:
    """A document on its way: how many of its windows are left, what was found so far."""

    source: Document
    encoded: EncodedText
    views: list[View]
    given: Spans | None
    spans: Spans
    n_left: int
    relations: list[tuple[int, int, int, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Extractor:
    """A trained model that turns text into Documents.

    Scores are probabilities where there is a calibration, else the model's own. Safe to call from
    one thread at a time; texts may have any length, and nothing is truncated.
    """

    schema: Schema
    text_encoder: TextEncoder
    runtime: Runtime
    config: RunConfig
    calibration: Calibration | None = None

    def predict(self, text: str | Document) -> Document:
        """The text with the entities and relations found in it; of a Document, its text is read."""
        return next(self.predict_many([text]))

    def predict_many(self, texts: Iterable[str | Document]) -> Iterator[Document]:
        """One Document for each text, in order, computed in batches while the stream is read.

        A Document keeps its id; a bare text gets its position in the stream as id.
        """
        return self._run(self._job(s, with_entities=False) for s in _documents(texts))

    def relate_many(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The Documents with their own entities and the relations that the model finds among them.

        Entities off the word borders, or with a label that the model does not know, keep their
        place and get no relation.
        """
        return self._run(self._job(d, with_entities=True) for d in documents)

    def with_threshold(self, relation_threshold: float) -> Extractor:
        """The same model, predicting relations that it gives at least this score of its own."""
        decoding = dataclasses.replace(self.config.decoding, relation_threshold=relation_threshold)
        return dataclasses.replace(self, config=dataclasses.replace(self.config, decoding=decoding))

    def _job(self, source: Document, *, with_entities: bool) -> _Job:
        encoded = self.text_encoder.encode(source.text)
        windows = cut(encoded, self.config.windows, n_special=self.text_encoder.n_special)
        given = spans_of(source.entities, encoded, self.schema)[0] if with_entities else None
        return _Job(
            source if with_entities else Document(source.id, source.text),
            encoded,
            [View(encoded, window) for window in windows],
            given,
            Spans.none() if given is None else given,
            len(windows),
        )

    def _run(self, jobs: Iterable[_Job]) -> Iterator[Document]:
        """Work through the windows of all documents in chunks, and give back finished documents.

        A chunk ends where a sentence ends, so that tags are decoded over whole sentences; a pair
        is asked about in the window that owns its later mention, whose earlier mention is decoded
        by then.
        """
        waiting: collections.deque[_Job] = collections.deque()
        chunk: list[tuple[_Job, View]] = []
        n_tokens = 0
        for job in jobs:
            waiting.append(job)
            for position, view in enumerate(job.views):
                chunk.append((job, view))
                n_tokens += view.n_tokens
                if n_tokens >= _CHUNK_TOKENS and _ends_sentence(job, position):
                    self._work(chunk)
                    chunk, n_tokens = [], 0
            if len(waiting) >= _CHUNK_DOCUMENTS:
                self._work(chunk)
                chunk, n_tokens = [], 0
            while waiting and not waiting[0].n_left:
                yield self._finish(waiting.popleft())
        if chunk:
            self._work(chunk)
        while waiting:
            yield self._finish(waiting.popleft())

    def _work(self, chunk: Sequence[tuple[_Job, View]]) -> None:
        """Run the windows of a chunk through the model: entities first, then relations."""
        batches = _batches(chunk)
        hidden_states, scores = [], {}
        for batch in batches:
            views = [chunk[index][1] for index in batch]
            hidden, logits = self.runtime.encode(window_batch(views, self.text_encoder))
            hidden_states.append(hidden)
            for row, index in enumerate(batch):
                window = views[row].window
                core = slice(
                    window.core_start - window.start_word, window.core_end - window.start_word
                )
                scores[index] = log_softmax(logits[row, core])
        for job, members in _by_job(chunk):
            if job.given is None:
                start = chunk[members[0]][1].window.core_start
                end = chunk[members[-1]][1].window.core_end
                found = decode(
                    np.concatenate([scores[index] for index in members]),
                    job.encoded.sentences[start:end],
                )
                job.spans = job.spans.joined(found.moved(start))
            job.n_left -= len(members)
        for batch, hidden in zip(batches, hidden_states, strict=True):
            self._relate([chunk[index] for index in batch], hidden)

    def _relate(self, members: Sequence[tuple[_Job, View]], hidden: Any) -> None:
        """Score the pairs that a batch of windows owns, and note the relations in their jobs."""
        mask = allowed(self.schema)
        views = [view for _, view in members]
        positions = [_within(job.spans, view.window) for job, view in members]
        spans = [job.spans.take(p) for (job, _), p in zip(members, positions, strict=True)]
        batch = span_batch(
            views,
            spans,
            has_relation(mask),
            self.text_encoder,
            owned_only=True,
            sentences_apart=self.config.windows.sentences_apart,
        )
        if not len(batch.head):
            return
        scores = self.runtime.relate(hidden, batch)
        scores = scores * mask[batch.label[batch.head], batch.label[batch.tail]]
        place = np.concatenate(positions)
        threshold = self.config.decoding.relation_threshold
        for pair, relation in zip(*np.nonzero(scores >= threshold), strict=True):
            head, tail = batch.head[pair], batch.tail[pair]
            job = members[batch.window[head]][0]
            job.relations.append(
                (int(place[head]), int(place[tail]), int(relation), float(scores[pair, relation]))
            )

    def _finish(self, job: _Job) -> Document:
        entities = [
            entity_of(job.spans, index, job.encoded, self.schema) for index in range(len(job.spans))
        ]
        if job.given is not None:
            own = {entity: entity for entity in job.source.entities}
            entities = [own[entity] for entity in entities]
        relations = tuple(
            Relation(entities[head], entities[tail], self.schema.relation_labels[label], score)
            for head, tail, label, score in job.relations
        )
        kept: Sequence[Entity] = entities if job.given is None else job.source.entities
        document = Document(job.source.id, job.source.text, tuple(kept), relations)
        if self.calibration is None:
            return document
        return self.calibration.apply(document, given_entities=job.given is not None)

    def save(self, folder: Path) -> None:
        """Write the model as a folder that `load` reads: safetensors for weights, else JSON.

        `pressgang.json` goes first and comes last: a folder that holds it is whole. Of an export
        that lay there no manifest stays.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in (SETTINGS, MANIFEST, CALIBRATION):
            (folder / name).unlink(missing_ok=True)
        self.runtime.save(folder)
        self.text_encoder.save(folder / TOKENIZER)
        write_json(folder / SCHEMA, self.schema.to_dict())
        if self.calibration is not None:
            write_json(folder / CALIBRATION, self.calibration.to_dict())
        settings = {"format": FORMAT, "config": dataclasses.asdict(self.config)}
        write_json(folder / SETTINGS, settings)

    @classmethod
    def load(cls, folder: Path, *, device: str = "auto") -> Extractor:
        """The model in a folder, trained or exported.

        Raises ValueError naming the folder or the file if there is no model or it is damaged.
        """
        model = read_model(folder, device=device)
        return cls(model.schema, model.text_encoder, model.runtime, model.config, model.calibration)


def _documents(texts: Iterable[str | Document]) -> Iterator[Document]:
    for position, text in enumerate(texts):
        yield Document(str(position), text) if isinstance(text, str) else text


def _ends_sentence(job: _Job, position: int) -> bool:
    """Whether the core of a document's window ends where a sentence does."""
    end = job.views[position].window.core_end
    sentences = job.encoded.sentences
    return end == len(sentences) or bool(sentences[end] != sentences[end - 1])


def _within(spans: Spans, window: Window) -> Ints:
    """Positions of the spans, which are sorted by their start, that lie within a window."""
    begin, end = np.searchsorted(spans.start, [window.start_word, window.end_word])
    result: Ints = begin + np.flatnonzero(spans.end[begin:end] < window.end_word)
    return result


def _batches(chunk: Sequence[tuple[_Job, View]]) -> list[list[int]]:
    """Positions in the chunk, grouped by length so that little is padded."""
    batches: list[list[int]] = []
    for index in sorted(range(len(chunk)), key=lambda i: chunk[i][1].n_tokens):
        width = chunk[index][1].n_tokens
        if not batches or width * (len(batches[-1]) + 1) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(index)
    return batches


def _by_job(chunk: Sequence[tuple[_Job, View]]) -> Iterator[tuple[_Job, list[int]]]:
    """Each document of the chunk with the positions of its windows, in order."""
    members: dict[int, list[int]] = {}
    for index, (job, _) in enumerate(chunk):
        members.setdefault(id(job), []).append(index)
    for positions in members.values():
        yield chunk[positions[0]][0], positions
