"""`pressgang studio serve`: what it needs is looked at first, then the backend runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import socket
import sys
from pathlib import Path

import uvicorn

from pressgang.config import RunConfig
from pressgang.studio.backend.app import Limits, create_app
from pressgang.studio.backend.http import Access
from pressgang.studio.backend.serving import ModelSlot
from pressgang.studio.backend.state import StateFolder, only_one
from pressgang.studio.backend.training_process import SETTINGS, TrainingSettings
from pressgang.studio.backend.trainings import TrainingPlan, Trainings, training_command
from pressgang.studio.secret import TOKEN, is_loopback, secret

PASSWORD = "PRESSGANG_BACKEND_PASSWORD"  # noqa: S105 - the name of a variable

_CONCURRENT_REQUESTS = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """When the model is trained: after so many events and so many seconds without another."""

    after: int
    quiet_seconds: float


def run(
    *,
    model: Path,
    state: Path,
    host: str,
    port: int,
    user: str,
    limits: Limits,
    device: str,
    training: TrainingSettings | None,
    schedule: Schedule,
) -> None:
    """Serve until the process is told to stop.

    Raises ValueError if the model, the state, the password or the training's settings are not as
    they must be, OSError if the address cannot be listened on.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    log = logging.getLogger("pressgang.studio")
    log.setLevel(logging.INFO)
    access = Access(user, secret(PASSWORD, "Password for Label Studio to give"))
    plan = None if training is None else _plan(training, schedule)
    folder = StateFolder(state.resolve())
    with only_one(folder.path):
        begun = folder.open(model)
        place = model if begun.current == begun.base else folder.model(begun.current)
        slot = ModelSlot(place, begun.current, device=device)
        trainings = Trainings(folder, begun, slot, plan)
        project = None if training is None else training.project
        app = create_app(slot, trainings, access, limits, project=project)
        listening = _listen(host, port)
        if not is_loopback(host):
            log.warning("%s is no loopback address: the password travels unencrypted", host)
        log.info("%s answers at http://%s:%d as user %s", begun.current, host, port, user)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                access_log=False,
                log_level="warning",
                server_header=False,
                limit_concurrency=_CONCURRENT_REQUESTS,
                timeout_graceful_shutdown=10,
            )
        )
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C, after the server has ended in order
            server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port} ({error.strerror})") from None


def _plan(training: TrainingSettings, schedule: Schedule) -> TrainingPlan:
    """The training process; what it would fail on at once is found out here."""
    RunConfig.from_toml(Path(training.config))
    record = Path(training.model) / "run.json"
    if not record.is_file():
        raise ValueError(f"{record}: is missing, and with it what the model was trained on")
    token = secret(TOKEN, "Label Studio token")
    environment = {key: value for key, value in os.environ.items() if key != PASSWORD}
    environment |= {TOKEN: token, SETTINGS: json.dumps(dataclasses.asdict(training))}
    return TrainingPlan(schedule.after, schedule.quiet_seconds, training_command(), environment)
