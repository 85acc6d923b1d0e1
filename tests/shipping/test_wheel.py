"""`pressgang package`: a model as a wheel that pip installs and `load` finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pressgang import cli
from pressgang.document import Document
from pressgang.model.extractor import Extractor
from pressgang.shipping.wheel import build_wheel

pytestmark = pytest.mark.slow


def test_the_wheel_installs_and_its_model_is_found_by_name(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--model", str(exported), "--name", "Court.News", "--version", "v1.02"]
    monkeypatch.setattr(sys, "argv", ["pressgang", "package", *options, "--output", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    (wheel,) = tmp_path.iterdir()
    assert wheel.name == "court_news-1.2-py3-none-any.whl"
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*install, "--target", site, wheel], check=True)
    code = (
        "import json, pressgang\n"
        "document = pressgang.load('court-news').predict('Askar Usenov was jailed in Osh.')\n"
        "print(json.dumps(document.to_dict()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = Extractor.load(exported).predict("Askar Usenov was jailed in Osh.")
    found = Document.from_dict(json.loads(run.stdout) | {"id": expected.id})
    assert expected.relations
    assert found == expected


def test_a_wheel_holds_data_alone_and_the_same_model_gives_the_same_wheel(
    exported: Path, tmp_path: Path
) -> None:
    first = build_wheel(exported, tmp_path / "first", name="news", version="1.0")
    again = build_wheel(exported, tmp_path / "again", name="news", version="1.0")
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
        about = archive.read("news-1.0.dist-info/METADATA").decode()
    assert not [name for name in names if name.endswith(".py")]
    assert {n.rpartition("/")[2] for n in names if n.startswith("pressgang_models/news/")} == {
        path.name for path in exported.iterdir()
    }
    assert "Requires-Dist: pressgang>=" in about
    assert "PERSON, PLACE" in about


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("", "1.0", "name '': no name of a package"),
        ("-news", "1.0", "name '-news': no name of a package"),
        ("news!", "1.0", "name 'news!': no name of a package"),
        ("../news", "1.0", "no name of a package"),
        ("news\n", "1.0", "no name of a package"),
        ("\u212anews", "1.0", "no name of a package"),  # KELVIN SIGN, a K to regular expressions
        ("PressGang", "1.0", "name 'PressGang': is this package's own"),
        ("news", "", "version '': no version of a package"),
        ("news", "one", "version 'one': no version of a package"),
        ("news", "1.0/2", "no version of a package"),
    ],
)
def test_what_is_no_name_or_no_version_is_said(
    exported: Path, tmp_path: Path, name: str, version: str, message: str
) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as error:
        build_wheel(exported, tmp_path, name=name, version=version)
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_only_a_sound_export_is_packaged(trained: Path, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no exported model here"):
        build_wheel(trained, tmp_path, name="news", version="1.0")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in exported.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "schema.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match="the manifest says"):
        build_wheel(damaged, tmp_path / "dist", name="news", version="1.0")
    assert not (tmp_path / "dist").exists()
