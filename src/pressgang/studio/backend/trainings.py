"""When a training begins, in which process, and what is made of its outcome."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pressgang.files import write_json
from pressgang.studio.backend.serving import ModelSlot
from pressgang.studio.backend.state import (
    Order,
    Outcome,
    State,
    StateFolder,
    folder_name,
    read_record,
)

KEPT_MODELS = 2
_ATTEMPTS = 3
_PATIENCE = 10
"""Events that never pause for the debounce time are looked at after so many times of it."""

_log = logging.getLogger("pressgang.studio")


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """When and how training happens.

    A look at the project follows `after` annotation events (0: only when asked) and
    `quiet_seconds` without another; it trains if as many annotations are new or changed.
    `command` is the process, to which the state folder is added; `environment` what it sees.
    """

    after: int
    quiet_seconds: float
    command: tuple[str, ...]
    environment: Mapping[str, str] = dataclasses.field(repr=False)


class Trainings:
    """The trainings of one backend: at most one at a time, the next may wait.

    All that has to outlive this process is in the state folder before a call returns. `plan` is
    None for a backend that does not train.
    """

    def __init__(
        self, folder: StateFolder, state: State, slot: ModelSlot, plan: TrainingPlan | None
    ):
        self._folder, self._state, self._slot, self._plan = folder, state, slot, plan
        self._changed = threading.Condition()
        self._is_stopping = False
        self._began: float | None = None
        self._first_event = self._last_event = time.monotonic()
        self._was_set_up = False
        self._thread = threading.Thread(target=self._work, name="trainings", daemon=True)

    @property
    def is_possible(self) -> bool:
        """Whether this backend trains at all, and still can."""
        return self._plan is not None and (self._thread.ident is None or self._thread.is_alive())

    @property
    def versions(self) -> tuple[str, ...]:
        """All models that answered here, the latest last."""
        return self._state.versions

    def start(self) -> None:
        """Begin to work; a training that a kill interrupted goes on."""
        self._thread.start()

    def stop(self) -> None:
        """End the work and the process of a training, whose state stays for the next start."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=15)

    def request(self) -> None:
        """A training is wanted; several wishes before it begins are one."""
        self._note(is_requested=True)

    def note_event(self) -> None:
        """An annotation may have been made, changed or deleted. This is a hint, not a command."""
        if self._plan is None or not self._plan.after:
            return
        with self._changed:
            self._last_event = time.monotonic()
            if not self._state.n_events:
                self._first_event = self._last_event
            self._note(n_events=self._state.n_events + 1)

    def note_setup(self) -> None:
        """Label Studio is there: events may have been missed while this backend was not."""
        with self._changed:
            if self._was_set_up or self._plan is None or not self._plan.after:
                return
            self._was_set_up = True
            self._first_event = self._last_event = time.monotonic()
            self._note(n_events=max(self._state.n_events, self._plan.after))

    def status(self) -> dict[str, Any]:
        """Where things stand, as JSON types."""
        with self._changed:
            state, began = self._state, self._began
        return {
            "training": None if began is None else {"seconds": round(time.monotonic() - began, 1)},
            "training_is_possible": self.is_possible,
            "requested": state.is_requested,
            "events_since_last_look": state.n_events,
            "trainings": state.n_trainings,
            "last_training": state.last_training or None,
            "last_look": state.last_look or None,
        }

    def _note(self, **changes: Any) -> None:
        with self._changed:
            self._write(**changes)
            self._changed.notify_all()

    def _write(self, **changes: Any) -> None:
        self._state = dataclasses.replace(self._state, **changes)
        self._folder.write(self._state)

    def _work(self) -> None:
        """Wait for a reason to train, train, look at the outcome; until this is stopped."""
        plan = self._plan
        if plan is None:
            return
        while True:
            order = self._next_order(plan)
            if order is None:
                return
            try:
                outcome = self._run(order, plan)
                if outcome is None:
                    return
                self._close(order, outcome)
            except OSError as error:  # a full disk, say: what is there is kept for the next start
                _log.error("no training until a restart: %s", error)
                return

    def _next_order(self, plan: TrainingPlan) -> Order | None:
        """The interrupted training, else the next that is due; None when this is stopped."""
        path = self._folder.work / "order.json"
        if path.exists():
            with contextlib.suppress(ValueError):
                order = read_record(Order, path)
                if not (self._folder.work / "outcome.json").exists():
                    order = dataclasses.replace(order, attempt=order.attempt + 1)
                    write_json(path, dataclasses.asdict(order))
                return order
        with self._changed:
            while not self._is_stopping and (wait := self._seconds_to_wait(plan)) > 0:
                self._changed.wait(timeout=min(wait, 3600))
            if self._is_stopping:
                return None
            at_least = 1 if self._state.is_requested else plan.after
            order = Order(self._state.n_trainings + 1, at_least, _now())
            shutil.rmtree(self._folder.work, ignore_errors=True)
            write_json(path, dataclasses.asdict(order))
            self._write(n_events=0, is_requested=False)
        return order

    def _seconds_to_wait(self, plan: TrainingPlan) -> float:
        """How long until a training is due, as far as is known; 0 if it is."""
        if self._state.is_requested:
            return 0.0
        if not plan.after or self._state.n_events < plan.after:
            return float("inf")
        quiet_at = self._last_event + plan.quiet_seconds
        latest = self._first_event + _PATIENCE * plan.quiet_seconds
        return max(0.0, min(quiet_at, latest) - time.monotonic())

    def _run(self, order: Order, plan: TrainingPlan) -> Outcome | None:
        """Do a training in a process of its own; None if this was stopped before its end."""
        if order.attempt > _ATTEMPTS:
            return Outcome("failed", f"given up: the backend was killed in {_ATTEMPTS} attempts")
        path = self._folder.work / "outcome.json"
        status = 0
        if not path.exists():
            _log.info("training %d begins (attempt %d)", order.number, order.attempt)
            self._began = time.monotonic()
            with self._folder.log.open("w", encoding="utf-8") as log:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [*plan.command, str(self._folder.path)],
                    stdin=subprocess.PIPE,  # closed when this process dies: then it ends too
                    stdout=log,
                    stderr=log,
                    env=dict(plan.environment),
                )
            try:
                waited = self._wait(process)
            finally:
                self._began = None
            if waited is None:  # an end in order is no failed attempt
                again = dataclasses.replace(order, attempt=order.attempt - 1)
                write_json(self._folder.work / "order.json", dataclasses.asdict(again))
                return None
            status = waited
        if not path.exists():
            return Outcome("failed", f"the process ended with {status}; see {self._folder.log}")
        try:
            return read_record(Outcome, path)
        except ValueError as error:
            return Outcome("failed", str(error))

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        """The exit status of the process; None, after ending it, if this is stopped first."""
        with process:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(timeout=0.2)
                if self._is_stopping:
                    process.kill()  # its checkpoint is what a later start goes on from
                    return None

    def _close(self, order: Order, outcome: Outcome) -> None:
        """Take over a better model, remember the outcome, tidy up; each step may be done twice."""
        if outcome.result == "adopted":
            outcome = self._adopt(outcome)
        learned = self._folder.work / "learned.json"
        if outcome.result in {"adopted", "kept"} and learned.exists():
            os.replace(learned, self._folder.learned)  # noqa: PTH105
        record = dataclasses.asdict(dataclasses.replace(outcome, finished=_now()))
        is_look = outcome.result == "nothing new"
        with self._changed:
            changes: dict[str, Any] = {"last_look" if is_look else "last_training": record}
            if not is_look:
                changes["n_trainings"] = order.number
            if self._plan is not None and self._plan.after:
                # What was too little for a training, or missed by a failed one, still counts.
                n_left = min(outcome.n_changed, self._plan.after - 1) if is_look else 0
                n_left = self._plan.after - 1 if outcome.result == "failed" else n_left
                changes["n_events"] = max(self._state.n_events, n_left)
            if self._slot.version not in self._state.versions:
                changes["versions"] = (*self._state.versions, self._slot.version)
            self._write(current=self._slot.version, **changes)
        (self._folder.work / "order.json").unlink(missing_ok=True)
        shutil.rmtree(self._folder.work, ignore_errors=True)
        for name in self._folder.prune(self._state, kept=KEPT_MODELS):
            _log.info("%s deleted: %d later models are kept", name, KEPT_MODELS)
        _log.info("training %d: %s: %s", order.number, outcome.result, outcome.why)

    def _adopt(self, outcome: Outcome) -> Outcome:
        """Put the new model into service."""
        made, folder = (
            self._folder.made(folder_name(outcome.version)),
            self._folder.model(outcome.version),
        )
        if made.is_dir():
            folder.parent.mkdir(exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
        try:
            self._slot.exchange(folder, outcome.version)
        except (ValueError, OSError) as error:
            return dataclasses.replace(outcome, result="failed", why=f"cannot be loaded: {error}")
        return outcome


def training_command() -> tuple[str, ...]:
    """The process that trains, of the same interpreter and package."""
    return (sys.executable, "-m", "pressgang.studio.backend.training_process")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
