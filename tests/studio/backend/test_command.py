from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pressgang import cli
from pressgang.studio.backend.state import only_one
from pressgang.studio.secret import TOKEN
from tests.studio.backend.conftest import PASSWORD

VARIABLE = "PRESSGANG_BACKEND_PASSWORD"

Serve = Callable[..., str]


@pytest.fixture
def refused(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Serve:
    """Why `serve` does not begin: one line on standard error, and status 2."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    monkeypatch.setenv(TOKEN, "0123456789")

    def call(*options: object) -> str:
        arguments = ["--model", model, "--state", tmp_path / "state", *options]
        monkeypatch.setattr(sys, "argv", ["pressgang", "studio", "serve", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("pressgang: ")
        assert PASSWORD not in err
        return err

    return call


def test_no_password_no_backend(refused: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    assert VARIABLE in refused()


def test_training_needs_a_configuration_a_project_a_token_and_a_record(
    refused: Serve, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "run.toml"
    config.write_text("")
    assert "--project" in refused("--config", config)
    assert "--config" in refused("--project", 1)
    assert "nothing.toml" in refused("--config", tmp_path / "nothing.toml", "--project", 1)
    bare = tmp_path / "bare"
    shutil.copytree(model, bare)
    (bare / "run.json").unlink()
    assert "run.json" in refused("--config", config, "--project", 1, "--model", bare)
    monkeypatch.delenv(TOKEN)
    assert TOKEN in refused("--config", config, "--project", 1)


def test_a_folder_without_a_model_is_named(refused: Serve, tmp_path: Path) -> None:
    assert str(tmp_path) in refused("--model", tmp_path)


def test_a_port_that_is_taken_is_named(refused: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused("--port", port)


def test_a_state_in_use_is_named(refused: Serve, tmp_path: Path) -> None:
    with only_one(tmp_path / "state"):
        assert "another backend" in refused()
