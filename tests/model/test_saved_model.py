"""A model's folder: what is saved is read again, and what is damaged is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pressgang
from pressgang.document import Document
from pressgang.model.extractor import Extractor
from pressgang.model.folders import TRAINED


def test_a_saved_model_predicts_the_same(
    reporter: Extractor, court_reports: list[Document], tmp_path: Path
) -> None:
    reporter.save(tmp_path)
    loaded = pressgang.load(tmp_path, device="cpu")
    texts = [d.text for d in court_reports]
    assert [d.to_dict() for d in loaded.predict_many(texts)] == [
        d.to_dict() for d in reporter.predict_many(texts)
    ]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "no pressgang model here"),
        (lambda folder: _empty(folder), "no pressgang model here"),
        (lambda folder: _rename_weights(folder), "model.safetensors is missing"),
        (lambda folder: (folder / "schema.json").unlink(), "schema.json is missing"),
        (lambda folder: (folder / "schema.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"abc"), "not the weights"),
        (lambda folder: _set_format(folder, 99), "format 99"),
    ],
    ids=[
        *("gone", "empty", "renamed", "missing file"),
        *("broken JSON", "no tokenizer", "broken weights", "other format"),
    ],
)
def test_a_damaged_model_is_refused_in_one_line(
    reporter: Extractor, tmp_path: Path, damage: object, message: str
) -> None:
    folder = tmp_path / "model"
    reporter.save(folder)
    damage(folder)  # type: ignore[operator]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        pressgang.load(folder)
    assert str(folder) in str(error.value)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(TRAINED), share=st.floats(0, 1, exclude_max=True))
def test_a_model_with_a_file_cut_off_anywhere_is_refused(
    trained: Path, name: str, share: float
) -> None:
    with TemporaryDirectory() as parent:
        folder = Path(parent, "copy")
        shutil.copytree(trained, folder)
        content = (folder / name).read_bytes().rstrip()
        (folder / name).write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=re.escape(str(folder))):
            pressgang.load(folder)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _rename_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "weights.safetensors")


def _set_format(folder: Path, number: int) -> None:
    path = folder / "pressgang.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": number}))


def test_cuda_without_a_gpu_is_said(reporter: Extractor, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    reporter.save(tmp_path)
    with pytest.raises(ValueError, match="finds no GPU"):
        pressgang.load(tmp_path, device="cuda")
