"""A server of one's own: started, logged into, stopped."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pressgang.studio import local
from pressgang.studio.client import connect
from pressgang.studio.project import list_tasks, open_project
from tests.studio.conftest import ACCOUNT, Run, Server, template

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder in which a server was started before."""
    shutil.copytree(template(), tmp_path / "data")
    return tmp_path / "data"


def test_up_leads_from_texts_to_a_page_with_tasks_and_stops_on_request(
    data: Path, config_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "one.txt").write_text("Askar was jailed in Osh.")
    command = [sys.executable, "-m", "pressgang", "studio", "up", str(tmp_path / "articles")]
    options = ["--data", data, "--port", 0, "--email", ACCOUNT.email, "--bare"]
    options += ["--labeling-config", config_file, "--title", "from nothing"]
    process = subprocess.Popen(
        [*command, *map(str, options)],
        env=os.environ | {"LABEL_STUDIO_PASSWORD": ACCOUNT.password},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("label at "):
                break
        url = said.rsplit("label at ", 1)[1].split("/projects")[0]
        project = open_project(connect(url, ACCOUNT.token), "from nothing")
        assert [task.fields["id"] for task in list_tasks(project)] == ["one"]
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
        assert process.wait(60) == 0, said
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert "1 new tasks" in said
    assert ACCOUNT.token not in said
    assert ACCOUNT.password not in said
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_the_password_of_the_first_start_is_asked_for_at_every_other(server: Server) -> None:
    assert local.sign_in(server.url, ACCOUNT) == server.token
    wrong = dataclasses.replace(ACCOUNT, password="another password")
    with pytest.raises(ValueError, match="not the password") as refused:
        local.sign_in(server.url, wrong)
    assert wrong.password not in str(refused.value)
    assert ACCOUNT.password not in repr(ACCOUNT)
    assert ACCOUNT.token not in repr(ACCOUNT)


def test_a_taken_port_is_told_and_nothing_is_started(
    run: Run, tmp_path: Path, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_PASSWORD", "secret enough")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, err = run("studio", "up", "--port", port, "--data", tmp_path / "new")
    assert status == 2
    assert err.endswith(f"pressgang: port {port} is in use; choose another with --port\n")
    assert not (tmp_path / "new").exists()


def test_a_first_start_that_is_ended_half_way_leaves_nothing(tmp_path: Path) -> None:
    local.install()
    with pytest.raises(OSError, match="did not answer in time"):
        local.prepare(tmp_path / "data", ACCOUNT, patience=0.1)
    assert not list(tmp_path.iterdir())


def test_a_server_that_cannot_be_installed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESSGANG_LABEL_STUDIO", str(tmp_path / "here"))
    monkeypatch.setattr(local, "VERSION", "0.0.0.nothing")
    monkeypatch.setattr(local.sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="could not be installed"):
        local.install()
