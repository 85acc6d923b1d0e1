"""What the backend must know after it was killed: a folder with one JSON file, written whole.

state.json       the current model, all versions, what waits to be done
models/VERSION   the models that training made
learned.json     which annotations the last training saw
work/            a training that is under way: its order, its data, then its outcome
training.log     what the last training printed
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pressgang.files import write_json
from pressgang.studio.outgoing import N_HASHED, version_of

FORMAT = 1

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Order:
    """A training to be done, as the process that does it reads it.

    Fewer than `at_least` annotations that are new or changed since the last training are no reason
    to train. `attempt` counts from 1; it grows where the backend was killed while training.
    """

    number: int
    at_least: int
    started: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a training: `result` is adopted, kept, nothing new or failed.

    `version` names the new model, `why` says it in one line; scores are strict micro F1 of the new
    and the old model on the held-out documents, empty where nothing was compared.
    """

    result: str
    why: str
    version: str = ""
    number: int = 0
    n_documents: int = 0
    n_held_out: int = 0
    n_changed: int = 0
    problems: dict[str, Any] = dataclasses.field(default_factory=dict)
    new_scores: dict[str, Any] = dataclasses.field(default_factory=dict)
    old_scores: dict[str, Any] = dataclasses.field(default_factory=dict)
    finished: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Where the backend stands.

    `base` is the version of the model that it was started with first, `current` the one that
    answers. `n_events` counts annotation events since the last look at the project, `is_requested`
    says whether a training was asked for that has not begun. `last_training` and `last_look` (which
    found nothing new) are the records of an `Outcome`.
    """

    base: str
    current: str
    versions: tuple[str, ...]
    n_trainings: int = 0
    n_events: int = 0
    is_requested: bool = False
    last_training: dict[str, Any] = dataclasses.field(default_factory=dict)
    last_look: dict[str, Any] = dataclasses.field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder that a backend keeps its state in."""

    path: Path

    @property
    def work(self) -> Path:
        """Where a training under way has its files."""
        return self.path / "work"

    @property
    def learned(self) -> Path:
        """The annotations that the last training saw."""
        return self.path / "learned.json"

    @property
    def log(self) -> Path:
        """What the last training printed."""
        return self.path / "training.log"

    def made(self, name: str) -> Path:
        """Where a training puts its model, whose folder keeps that name."""
        return self.work / "made" / name

    def model(self, version: str) -> Path:
        """The folder of a model that training made."""
        return self.path / "models" / folder_name(version)

    def open(self, base: Path) -> State:
        """The state in the folder; where there is none, that of a backend started with `base`.

        Raises ValueError if the state is damaged, of another base model, or its model is missing.
        """
        version = version_of(base)
        path = self.path / "state.json"
        if not path.exists():
            state = State(version, version, (version,))
            self.write(state)
            return state
        state = read_record(State, path)
        if state.base[-N_HASHED:] != version[-N_HASHED:]:
            raise ValueError(
                f"{path}: belongs to the model {state.base}, not to {version} in {base}; "
                "give the state of this model another folder"
            )
        if state.current != state.base and not self.model(state.current).is_dir():
            raise ValueError(f"{self.model(state.current)}: the current model is missing")
        return state

    def write(self, state: State) -> None:
        """Put the state on disk, all of it or nothing."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(self.path / "state.json", dataclasses.asdict(state))

    def prune(self, state: State, *, kept: int) -> list[str]:
        """Delete the models of all but the current and the last `kept` versions; their names."""
        keep = {self.model(version).name for version in (state.current, *state.versions[-kept:])}
        models = self.path / "models"
        folders = sorted(models.iterdir()) if models.is_dir() else []
        gone = [folder for folder in folders if folder.name not in keep]
        for folder in gone:
            shutil.rmtree(folder)
        return [folder.name for folder in gone]


def folder_name(version: str) -> str:
    """The name of the folder of a model of this version."""
    return version[: -N_HASHED - 1]


def read_record(kind: type[Record], path: Path) -> Record:
    """A dataclass of this module from its file.

    Raises ValueError naming the file if it is damaged or written by another version of this.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if (found := record.get("format", FORMAT)) != FORMAT:
            raise ValueError(f"format {found!r}, expected {FORMAT}")
        lists = {key: tuple(value) for key, value in record.items() if isinstance(value, list)}
        return kind(**(record | lists))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: damaged ({error})") from None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the state for this process; the system lets go of it if the process dies.

    Raises ValueError if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"{folder}: another backend works with this state") from None
        yield
