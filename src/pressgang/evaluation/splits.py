"""Which documents are tested by a model that has not seen them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from pressgang.document import Document
from pressgang.text.segmentation import words


@dataclass(frozen=True, slots=True)
class Fold:
    """What a model is trained on, and what it is then tested on.

    `training_only` documents are trained on too, and tested in no fold.
    """

    train: tuple[Document, ...]
    test: tuple[Document, ...]
    training_only: tuple[Document, ...] = ()

    @property
    def known(self) -> tuple[Document, ...]:
        """All that is trained on."""
        return (*self.training_only, *self.train)


def folds(
    documents: Sequence[Document],
    n_folds: int,
    *,
    seed: int,
    training_only: Sequence[Document] = (),
) -> list[Fold]:
    """Each document is tested in exactly one fold; 0 folds means leave one out.

    Documents whose texts differ by no more than white space are one article and stay together. The
    folds get about equally many relations. `training_only` is trained on in every fold.

    Raises ValueError if there are fewer articles than folds, or fewer than two, or if an article is
    also in `training_only`.
    """
    check_apart(training_only, documents)
    groups: dict[str, list[Document]] = {}
    for document in documents:
        groups.setdefault(text_key(document.text), []).append(document)
    n_parts = n_folds or len(groups)
    if not 2 <= n_parts <= len(groups):
        raise ValueError(f"{len(groups)} different articles cannot be split into {n_parts} folds")
    articles = list(groups.values())
    if n_folds:
        random.Random(seed).shuffle(articles)  # noqa: S311 - no secret
        articles.sort(key=_n_relations, reverse=True)
    parts: list[list[Document]] = [[] for _ in range(n_parts)]
    for article in articles:
        min(parts, key=lambda part: (bool(part), _n_relations(part))).extend(article)
    return [
        Fold(
            tuple(d for other in parts if other is not part for d in other),
            tuple(part),
            tuple(training_only),
        )
        for part in parts
    ]


def hold_out(
    documents: Sequence[Document], ids: Sequence[str], *, training_only: Sequence[Document] = ()
) -> Fold:
    """The documents with these ids for testing, all others for training.

    Raises ValueError if there is no document with such an id, or the text of a held-out document
    is also among the others or in `training_only`.
    """
    if unknown := sorted(set(ids) - {document.id for document in documents}):
        raise ValueError(f"held_out names unknown documents: {', '.join(unknown)}")
    test = tuple(d for d in documents if d.id in ids)
    train = tuple(d for d in documents if d.id not in ids)
    check_apart((*training_only, *train), test)
    return Fold(train, test, tuple(training_only))


def text_key(text: str) -> str:
    """What two texts have in common that differ by no more than white space: a SHA-256."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()


def check_apart(train: Sequence[Document], test: Sequence[Document]) -> None:
    """Raise ValueError if a text of one side is, but for white space, also on the other."""
    trained = {text_key(d.text): d.id for d in train}
    for document in test:
        key = text_key(document.text)
        if key in trained:
            raise ValueError(f"test document {document.id!r} has the same text as {trained[key]!r}")


def shared_runs(fold: Fold, *, length: int = 8) -> tuple[int, int]:
    """How many runs of `length` words of the test documents stand in training too, of how many.

    A measure of what articles copy from each other: such text is tested in the words of training.
    """
    known = {run for document in fold.known for run in _runs(document.text, length)}
    runs = [run for document in fold.test for run in _runs(document.text, length)]
    return sum(run in known for run in runs), len(runs)


def _runs(text: str, length: int) -> list[tuple[str, ...]]:
    tokens = [text[start:end].casefold() for start, end in words(text).tolist()]
    return [tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)]


def _n_relations(documents: Sequence[Document]) -> int:
    return sum(len(document.relations) for document in documents)
