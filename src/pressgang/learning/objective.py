"""What training minimises: the tag loss and the pair loss of a batch of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pressgang.document import Document, Entity
from pressgang.model.joint_model import JointModel, as_tensors
from pressgang.schema import Schema
from pressgang.text.batches import SpanBatch, View, WindowBatch, span_batch, window_batch
from pressgang.text.encoding import EncodedText, Ints, TextEncoder
from pressgang.text.pairing import allowed, has_relation
from pressgang.text.tagging import IGNORED, Spans, decode, log_softmax, spans_of, tags_of


@dataclass(frozen=True, slots=True)
class Example:
    """A gold document as the model learns it.

    `relations` [n, 3] are head and tail (positions among the spans) and relation. `n_lost_entities`
    lie off the word borders, across sentences or under longer ones, `n_lost_relations` have such an
    argument: they cannot be predicted, and every score still counts them.
    """

    encoded: EncodedText
    spans: Spans
    tags: Ints
    relations: Ints
    n_lost_entities: int
    n_lost_relations: int


def make_example(document: Document, text_encoder: TextEncoder, schema: Schema) -> Example:
    """What can be learnt from a document, and how much cannot."""
    encoded = text_encoder.encode(document.text)
    spans, entities = spans_of(document.entities, encoded, schema)
    tags, is_tagged = tags_of(spans, encoded.sentences)
    position: dict[Entity, int] = {entity: index for index, entity in enumerate(entities)}
    relation = {label: index for index, label in enumerate(schema.relation_labels)}
    rows = [
        (position[r.head], position[r.tail], relation[r.label])
        for r in document.relations
        if r.head in position and r.tail in position and r.label in relation
    ]
    learnt = {entity for entity, ok in zip(entities, is_tagged.tolist(), strict=True) if ok}
    return Example(
        encoded,
        spans,
        tags,
        np.array(rows, dtype=np.int64).reshape(-1, 3),
        len(document.entities) - len(learnt),
        sum(r.head not in learnt or r.tail not in learnt for r in document.relations),
    )


class JointLoss(nn.Module):
    """Cross-entropy of the tags of all words and binary cross-entropy of all candidate pairs.

    Pairs are formed among the gold spans and up to `predicted_spans` wrong spans of the tagger's
    own in each window, so that the pair head learns to reject what it will be given.
    """

    def __init__(
        self,
        model: JointModel,
        schema: Schema,
        text_encoder: TextEncoder,
        *,
        predicted_spans: int,
        sentences_apart: int | None = None,
        bf16: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.bf16 = bf16
        self.text_encoder = text_encoder
        self.predicted_spans = predicted_spans
        self.sentences_apart = sentences_apart
        self.allowed: Tensor
        shape = (len(schema.entity_labels), len(schema.entity_labels), len(schema.relation_labels))
        self.register_buffer("allowed", torch.zeros(shape), persistent=False)
        self.restrict(schema)

    def restrict(self, schema: Schema) -> None:
        """Ask for the triples of a schema alone; its labels are those of the model."""
        mask = allowed(schema)
        self.legal = has_relation(mask)
        self.allowed.copy_(torch.from_numpy(mask).float())

    def forward(
        self, examples: Sequence[Example], views: Sequence[View], *, seed: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Summed tag loss, summed pair loss, number of words, number of pairs.

        `seed` decides which of the tagger's wrong spans are taken.
        """
        # Not left to accelerate, whose precision is one for the whole process.
        with torch.autocast(self.allowed.device.type, torch.bfloat16, enabled=self.bf16):
            return self._losses(examples, views, seed)

    def _losses(
        self, examples: Sequence[Example], views: Sequence[View], seed: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        batch = window_batch(views, self.text_encoder)
        hidden, logits = self.model.encode(**self._tensors(batch))
        targets = np.full(batch.first.shape, IGNORED)
        for row, (example, view) in enumerate(zip(examples, views, strict=True)):
            inside = example.tags[view.window.start_word : view.window.end_word]
            targets[row, : len(inside)] = inside
        tag_loss = nn.functional.cross_entropy(
            logits.float().flatten(0, 1),
            torch.from_numpy(targets).flatten().to(logits.device),
            ignore_index=IGNORED,
            reduction="sum",
        )
        guesses = self._guesses(logits, views)
        random = np.random.default_rng(seed)
        chosen, gold = [], []
        for example, view, guess in zip(examples, views, guesses, strict=True):
            spans, positions = _with_wrong(example, view, guess, self.predicted_spans, random)
            chosen.append(spans)
            gold.append(positions)
        pairs = span_batch(
            views,
            chosen,
            self.legal,
            self.text_encoder,
            owned_only=False,
            sentences_apart=self.sentences_apart,
        )
        scores = self.model.relate(hidden, **self._tensors(pairs))
        labels = pairs.label
        legal = self.allowed[
            torch.from_numpy(labels[pairs.head]), torch.from_numpy(labels[pairs.tail])
        ]
        pair_losses = nn.functional.binary_cross_entropy_with_logits(
            scores.float(),
            torch.from_numpy(_targets(examples, pairs, gold, self.allowed.shape[-1])).to(scores),
            reduction="none",
        )
        n_words = torch.tensor(float((targets != IGNORED).sum()), device=logits.device)
        n_pairs = torch.tensor(float(len(pairs.head)), device=logits.device)
        return tag_loss, (pair_losses * legal).sum(), n_words, n_pairs

    def _tensors(self, batch: WindowBatch | SpanBatch) -> dict[str, Tensor]:
        return as_tensors(batch, self.allowed.device)

    def _guesses(self, logits: Tensor, views: Sequence[View]) -> list[Spans]:
        """The spans that the tagger would now predict in each window, in words of the document."""
        if not self.predicted_spans:
            return [Spans.none() for _ in views]
        scores = log_softmax(logits.detach().float().cpu().numpy().astype(np.float64))
        guesses = []
        for row, view in enumerate(views):
            window = view.window
            sentences = view.encoded.sentences[window.start_word : window.end_word]
            spans = decode(scores[row, : len(sentences)], sentences)
            guesses.append(spans.moved(window.start_word))
        return guesses


def _with_wrong(
    example: Example, view: View, guess: Spans, limit: int, random: np.random.Generator
) -> tuple[Spans, Ints]:
    """A window's gold spans and up to `limit` wrong ones of the tagger's, and which gold each is.

    The positions [n_spans] count among the example's spans; -1 for a wrong span.
    """
    window, spans = view.window, example.spans
    inside = np.flatnonzero((spans.start >= window.start_word) & (spans.end < window.end_word))
    gold = set(zip(spans.start.tolist(), spans.end.tolist(), spans.label.tolist(), strict=True))
    wrong = np.array(
        [
            index
            for index, span in enumerate(
                zip(guess.start.tolist(), guess.end.tolist(), guess.label.tolist(), strict=True)
            )
            if span not in gold
        ],
        dtype=np.int64,
    )
    wrong = np.sort(random.permutation(wrong)[:limit])
    both = spans.take(inside).joined(guess.take(wrong))
    return both, np.concatenate([inside, np.full(len(wrong), -1)])


def _targets(
    examples: Sequence[Example], pairs: SpanBatch, gold: Sequence[Ints], n_relations: int
) -> Ints:
    """1 where a pair of gold spans holds a relation, else 0: `[P, n_relations]`."""
    targets = np.zeros((len(pairs.head), n_relations), dtype=np.int64)
    row_of = {
        pair: row
        for row, pair in enumerate(zip(pairs.head.tolist(), pairs.tail.tolist(), strict=True))
    }
    offset = 0
    for example, positions in zip(examples, gold, strict=True):
        place = {int(p): offset + i for i, p in enumerate(positions.tolist()) if p >= 0}
        for head, tail, relation in example.relations.tolist():
            pair = (place.get(head, -1), place.get(tail, -1))
            if pair in row_of:
                targets[row_of[pair], relation] = 1
        offset += len(positions)
    return targets
