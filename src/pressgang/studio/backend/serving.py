"""The model that answers: loaded in the background, one thread at a time, exchanged in one step."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pressgang.annotation.doubt import doubt_many
from pressgang.document import Document
from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.model.extractor import Extractor
from pressgang.studio.backend.proposals import Tally, propose, taken_places, task_text

_CHUNK_CHARACTERS = 20_000
"""Characters of tasks predicted in one go: the step in which the time is looked at."""

_log = logging.getLogger("pressgang.studio")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded model and the version that its answers carry; calls wait for each other."""

    extractor: Extractor
    version: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    def predict(self, text: str) -> Document:
        """The text with what the model finds in it."""
        with self.lock:
            return self.extractor.predict(text)

    def judge(self, texts: Sequence[str]) -> list[tuple[Document, float]]:
        """The texts with what the model finds in them, and how sure it is: one less its doubt."""
        sources = [Document(str(position), text) for position, text in enumerate(texts)]
        with self.lock:
            judged = list(doubt_many(self.extractor, sources))
        return [(found, round(max(0.0, 1 - doubt.total), 6)) for found, doubt in judged]


class ModelSlot:
    """The place of the current model: `version` is known before it is loaded."""

    def __init__(self, folder: Path, version: str, *, device: str) -> None:
        self.version = version
        self._folder, self._device = folder, device
        self._model: ServedModel | None = None
        self._loading = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether an answer needs no loading first."""
        return self._model is not None

    def get(self) -> ServedModel:
        """The current model; the first call loads it, others wait for that.

        Raises ValueError if there is no model in its folder, or it is damaged.
        """
        with self._loading:
            if self._model is None:
                started = time.monotonic()
                self._model = self._read(self._folder, self.version)
                _log.info("%s loaded in %.1f s", self.version, time.monotonic() - started)
            return self._model

    def exchange(self, folder: Path, version: str) -> None:
        """Put another model in its place, loaded before; answers under way end with the old one.

        Raises ValueError, and changes nothing, if it cannot be loaded.
        """
        model = self._read(folder, version)
        with self._loading:
            self._folder, self._model, self.version = folder, model, version

    def _read(self, folder: Path, version: str) -> ServedModel:
        return ServedModel(Extractor.load(folder, device=self._device), version)


def predict_tasks(
    model: ServedModel,
    tasks: Sequence[object],
    target: LabelingConfig,
    *,
    until: float,
    max_characters: int,
) -> tuple[list[Any], Tally]:
    """An answer for each task, in order, and the tally.

    An answer is a prediction or, for a task without text, one of more than `max_characters` and
    those not reached at the time `until` (of `time.monotonic`), an empty list: Label Studio stores
    nothing for it then and asks again the next time.
    """
    tally = Tally()
    answers: list[Any] = [[] for _ in tasks]
    waiting: list[tuple[int, str]] = []
    for position, task in enumerate(tasks):
        text = task_text(task, target)
        if text is None:
            tally.counts["tasks without text"] += 1
        elif len(text) > max_characters:
            tally.counts["tasks too long"] += 1
        else:
            waiting.append((position, text))
    for chunk in _chunks(waiting):
        if time.monotonic() >= until:
            tally.counts["tasks left for the next call"] += len(chunk)
            continue
        judged = model.judge([text for _, text in chunk])
        for (position, _), (document, score) in zip(chunk, judged, strict=True):
            result = propose(document, target, tally)
            answers[position] = {"result": result, "score": score, "model_version": model.version}
            tally.counts["tasks"] += 1
    return answers, tally


def suggest(
    model: ServedModel,
    task: object,
    context: object,
    target: LabelingConfig,
    *,
    max_characters: int,
) -> tuple[dict[str, Any], Tally]:
    """The answer to an interactive request: what is not marked in the task yet, and the tally.

    Relations are proposed among the new entities: one to a region that the editor holds by another
    id would blank the labelling page.
    """
    tally = Tally()
    text = task_text(task, target)
    if text is None or not isinstance(task, dict) or len(text) > max_characters:
        tally.counts["tasks without text" if text is None else "tasks too long"] += 1
        return {"result": [], "model_version": model.version}, tally
    found = model.predict(text)
    result = propose(found, target, tally, taken=taken_places(task, context))
    return {"result": result, "model_version": model.version}, tally


def _chunks(waiting: Sequence[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """The texts in order, in groups of so many characters."""
    chunks: list[list[tuple[int, str]]] = []
    n_characters = 0
    for position, text in waiting:
        if not chunks or n_characters + len(text) > _CHUNK_CHARACTERS:
            chunks.append([])
            n_characters = 0
        chunks[-1].append((position, text))
        n_characters += len(text)
    return chunks
