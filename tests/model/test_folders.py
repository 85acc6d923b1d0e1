"""Which model is meant: by folder, by name, or by nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pressgang.model import folders
from pressgang.model.folders import find_model


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the shipped model is looked for; it does not exist yet."""
    monkeypatch.delenv("PRESSGANG_MODEL", raising=False)
    monkeypatch.setattr(folders, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "shipped"


def install(name: str, site: Path) -> Path:
    """An installed distribution that declares a model of this name, and the model's folder."""
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[pressgang.models]\n{name} = some_models.{name}\n")
    folder = site / "some_models" / name
    folder.mkdir(parents=True)
    return folder


def test_the_one_named_goes_before_that_of_the_environment_before_the_shipped_one(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shipped", "mine", "other"):
        (tmp_path / name).mkdir()
    assert find_model() == shipped
    monkeypatch.setenv("PRESSGANG_MODEL", "")
    assert find_model() == shipped
    monkeypatch.setenv("PRESSGANG_MODEL", str(tmp_path / "other"))
    assert find_model() == tmp_path / "other"
    assert find_model(tmp_path / "mine") == tmp_path / "mine"


def test_what_lies_about_is_not_taken_for_the_model(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "default").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no model comes with this installation"):
        find_model()


def test_an_installed_model_is_found_by_its_name_however_it_is_written(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install("court_news", tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    for name in ("court_news", "Court-News", "court.news"):
        assert find_model(name) == folder
    monkeypatch.setenv("PRESSGANG_MODEL", "court-news")
    assert find_model() == folder


def test_a_folder_goes_before_an_installed_model(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("court_news", tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "court_news").mkdir()
    assert find_model("court_news").resolve() == tmp_path / "court_news"


def test_a_model_that_is_nowhere_is_said_with_those_that_are(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"nothing: no pressgang model here .* installed: none"):
        find_model("nothing")
    folder = install("court_news", tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(ValueError, match=r"nothing: no pressgang model here .*: court-news"):
        find_model("nothing")
    folder.rmdir()
    with pytest.raises(ValueError, match="court_news: its installation is damaged"):
        find_model("court_news")
