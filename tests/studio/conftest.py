"""A real Label Studio server for the tests beside this file, and a project for each test."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pressgang import cli
from pressgang.model.extractor import Extractor
from pressgang.studio import local
from pressgang.studio.client import Studio, connect
from pressgang.studio.project import Project, init_project
from pressgang.studio.secret import TOKEN

Run = Callable[..., tuple[int, str, str]]

PATIENCE = float(os.environ.get("PRESSGANG_TEST_PATIENCE", "600"))
"""Seconds that a page or a training may take on a busy machine."""

ACCOUNT = local.Account("annotator@example.com", "a password for tests", "0123456789" * 4)
CONFIG = """<View>
  <Relations><Relation value="JAILED_IN"/><Relation value="KNOWS"/></Relations>
  <Labels name="label" toName="text">
    <Label value="PERSON" background="#f85443" hotkey="1"/><Label value="PLACE" hotkey="2"/>
  </Labels>
  <Text name="text" value="$text" granularity="symbol"/>
</View>"""


@dataclass(frozen=True)
class Server:
    """A running server: its address, a token, and the folder with its data."""

    url: str
    token: str
    data: Path


def template() -> Path:
    """A data folder with the migrations done, made once for a server and its settings.

    The server is installed first where it is missing; tests fail where it cannot be.
    """
    local.install()
    settings = local.VERSION + inspect.getsource(local._environment) + repr(ACCOUNT.email)
    key = hashlib.sha256(settings.encode()).hexdigest()[:12]
    folder = local.executable().parent.parent.parent / f"label-studio-template-{key}"
    with folder.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # the test processes take turns
        if not folder.exists():
            local.prepare(folder, ACCOUNT, patience=PATIENCE)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The pinned server, on a copy of the template."""
    data = tmp_path_factory.mktemp("label-studio") / "data"
    shutil.copytree(template(), data)
    with local.running(data, ACCOUNT, patience=PATIENCE) as url:
        yield Server(url, ACCOUNT.token, data)


@pytest.fixture(scope="session")
def studio(server: Server) -> Studio:
    return connect(server.url, server.token)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "labeling_config.xml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def project(studio: Studio, config_file: Path) -> Iterator[Project]:
    """An empty project, taken away afterwards."""
    made, _ = init_project(studio, f"test {uuid.uuid4().hex[:12]}", config_file, None)
    yield made
    studio.delete(f"projects/{made.id}/")


@pytest.fixture(scope="session")
def model(reporter: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model."""
    folder = tmp_path_factory.mktemp("studio") / "tiny"
    reporter.save(folder)
    return folder


@pytest.fixture
def run(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with the server's address and token: status, output, messages."""
    monkeypatch.setenv("LABEL_STUDIO_URL", server.url)
    monkeypatch.setenv(TOKEN, server.token)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pressgang", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        assert server.token not in out + err
        return int(stop.value.code or 0), out, err

    return call
