"""How much a model is in doubt about a text, and in which order texts would teach it most.

Doubt is the number of wrong decisions that the model expects of itself, per word: for each word
one less the probability of its likeliest tag (least confidence, Culotta & McCallum, 2005, by word
rather than by sequence, so that long texts are not preferred), for each pair of mentions and each
relation the smaller of its probability and the rest. Texts are then taken one by one, each the one
with most doubt after what it shares with those already taken or labelled is discounted (maximal
marginal relevance, Carbonell & Goldstein, 1998, as a product), so that ten copies of one report do
not come first.
"""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pressgang.document import Document
from pressgang.model.extractor import Extractor
from pressgang.text.batches import View, window_batch
from pressgang.text.encoding import EncodedText
from pressgang.text.segmentation import words
from pressgang.text.tagging import log_softmax
from pressgang.text.windows import cut

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

LEAST_SCORE = 0.01
"""Relations below this probability add next to nothing to doubt and are not looked at."""

_WIDTH = 4096
_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class Doubt:
    """Expected wrong decisions per word; `words` that there are to read."""

    tags: float
    relations: float
    words: int

    @property
    def total(self) -> float:
        """Both together."""
        return self.tags + self.relations


def doubt_many(
    extractor: Extractor, documents: Iterable[Document]
) -> Iterator[tuple[Document, Doubt]]:
    """What the model finds in each text, as `predict_many` does, and its doubt about it.

    Doubt is reckoned from the model's own scores: a calibrated score of a relation holds the doubt
    about its mentions too, which would count twice.
    """
    threshold = extractor.config.decoding.relation_threshold
    asked, encoded = itertools.tee(documents)
    for found, source in zip(asking_all(extractor).predict_many(asked), encoded, strict=True):
        _, log_probabilities = tag_scores(extractor, source.text)
        n_words = len(log_probabilities)
        scores = [r.score for r in found.relations if r.score is not None]
        doubt = Doubt(
            float((1 - np.exp(log_probabilities.max(axis=1))).sum()) / max(n_words, 1),
            sum(min(score, 1 - score) for score in scores) / max(n_words, 1),
            n_words,
        )
        kept = tuple(r for r in found.relations if (r.score or 0.0) >= threshold)
        found = dataclasses.replace(found, relations=kept)
        yield extractor.calibration.apply(found) if extractor.calibration else found, doubt


def asking_all(extractor: Extractor, *, least: float = LEAST_SCORE) -> Extractor:
    """The same model, which also gives relations of low probability, down to the `least`.

    Scores are the model's own, without calibration.
    """
    return dataclasses.replace(extractor.with_threshold(least), calibration=None)


def tag_scores(extractor: Extractor, text: str) -> tuple[EncodedText, Floats]:
    """The log probabilities of the tags of each word, `[n_words, n_tags]`, and the words."""
    encoder = extractor.text_encoder
    encoded = encoder.encode(text)
    windows = cut(encoded, extractor.config.windows, n_special=encoder.n_special)
    pieces = []
    for at in range(0, len(windows), _WINDOWS):
        some = windows[at : at + _WINDOWS]
        batch = window_batch([View(encoded, window) for window in some], encoder)
        _, logits = extractor.runtime.encode(batch)
        for row, window in enumerate(some):
            first = window.core_start - window.start_word
            pieces.append(log_softmax(logits[row, first : window.core_end - window.start_word]))
    n_tags = 1 + 2 * len(extractor.schema.entity_labels)
    return encoded, np.concatenate(pieces) if pieces else np.zeros((0, n_tags))


def order(doubts: Sequence[float], texts: Sequence[str], known: Sequence[str] = ()) -> list[int]:
    """Positions of the texts, the one to label first in front; `known` texts are labelled already.

    What counts is doubt times one less the highest similarity (cosine of the weighted words) to a
    text before it.
    """
    vectors = _vectors([*texts, *known])
    waiting, past = vectors[: len(texts)], vectors[len(texts) :]
    nearest = (waiting @ past.T).max(axis=1) if len(past) else np.zeros(len(texts))
    weight = np.asarray(doubts, dtype=np.float64)
    taken: list[int] = []
    is_free = np.ones(len(texts), dtype=np.bool_)
    for _ in range(len(texts)):
        worth = np.where(is_free, weight * (1 - np.minimum(nearest, 1.0)), -1.0)
        best = int(worth.argmax())
        taken.append(best)
        is_free[best] = False
        nearest = np.maximum(nearest, waiting @ waiting[best])
    return taken


def _vectors(texts: Sequence[str]) -> Vectors:
    """Word counts, damped and weighted by rarity, hashed to a fixed width, of length one."""
    counts = np.zeros((len(texts), _WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        for start, end in words(text).tolist():
            counts[
                row, zlib.crc32(text[start:end].casefold().encode("utf-8", "replace")) % _WIDTH
            ] += 1
    n_with = (counts > 0).sum(axis=0)
    vectors = np.log1p(counts) * np.log((1 + len(texts)) / (1 + n_with))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return result
