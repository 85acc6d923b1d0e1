"""A small trained model with its record, and a running backend."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pressgang.document import Document
from pressgang.evaluation.splits import Fold
from pressgang.studio.client import Studio, connect
from tests.studio.conftest import PATIENCE, Server

LABELS = """<View>
  <Relations><Relation value="JAILED_IN"/><Relation value="FLED"/></Relations>
  <Labels name="label" toName="text"><Label value="PERSON"/><Label value="PLACE"/></Labels>
  <Text name="text" value="$text" granularity="symbol"/>
</View>"""
USER, PASSWORD = "pressgang", "a password for tests"


@pytest.fixture(scope="session")
def model(  # one with a record, unlike that of the tests above
    bert: Path, court_reports: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a tiny model that knows the first four court reports by heart."""
    from pressgang.learning import experiments
    from tests.learning.test_training import config_for

    config = config_for(bert, epochs=60, average_decay=0.9, checkpoint_epochs=60)
    folder = tmp_path_factory.mktemp("models") / "reporter"
    fold = Fold(tuple(court_reports[:4]), ())
    experiments.train(config, fold, {}, folder, run={"data": []}, console=Console(quiet=True))
    return folder


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def call(self, path: str, content: Any = None) -> Any:
        """The JSON answer to a GET, or to a POST of some content, with the password."""
        return call(f"{self.url}{path}", content, authorization())

    def kill(self) -> None:
        """End it as the system does when memory runs out."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


Serve = Callable[..., contextlib.AbstractContextManager[Backend]]


@pytest.fixture
def serve(model: Path, tmp_path: Path) -> Serve:
    """Starts `pressgang studio serve` with the tiny model, and waits until it answers."""

    @contextlib.contextmanager
    def start(*options: object, port: int = 0, **environment: str) -> Iterator[Backend]:
        port = port or free_port()
        arguments = ["studio", "serve", "--model", model, "--state", tmp_path / "state"]
        with (tmp_path / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pressgang", *map(str, arguments), "--port", str(port)]
                + [str(option) for option in options],
                env=os.environ | {"PRESSGANG_BACKEND_PASSWORD": PASSWORD} | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        backend = Backend(f"http://127.0.0.1:{port}", process, tmp_path / "serve.log")
        try:
            until(lambda: answers(backend), PATIENCE)
            yield backend
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)

    return start


@pytest.fixture(scope="session")
def patient(server: Server) -> Studio:
    """A connection that waits for a slow answer."""
    return connect(server.url, server.token, seconds=300)


def authorization(user: str = USER, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def call(url: str, content: Any, authorization_: str) -> Any:
    body = None if content is None else json.dumps(content).encode()
    headers = {"Authorization": authorization_, "Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=300) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def answers(backend: Backend) -> bool:
    """Whether it is there; an early end is told with the last of its log."""
    if backend.process.poll() is not None:
        raise AssertionError(f"the backend ended:\n{backend.log.read_text()[-3000:]}")
    try:
        return bool(backend.call("/status")["model_is_loaded"])
    except (urllib.error.URLError, ConnectionError):
        return False


def until(holds: Callable[[], Any], seconds: float) -> Any:
    """What `holds` gives, as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.1)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
