"""Every document is predicted by a model that has not seen it."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pressgang.corpus import read_documents
from pressgang.document import Document
from pressgang.evaluation.evaluate import Report
from pressgang.evaluation.splits import hold_out
from pressgang.learning.cross_validation import cross_validate
from pressgang.learning.experiments import predict_both, train
from pressgang.learning.training import pretrain
from pressgang.schema import Schema
from tests.learning.test_training import run_staged, staged

pytestmark = pytest.mark.slow


def validate(config: Any, documents: list[Document], folder: Path) -> tuple[Report, Any, str]:
    """Leave one out over all but the last two, which are for training only."""
    said = io.StringIO()
    report, record = cross_validate(
        config,
        documents[:-2],
        folder,
        training_only=documents[-2:],
        n_folds=0,
        n_jobs=2,
        pretraining=folder / "pretraining",
        run={},
        console=Console(file=said, width=200),
    )
    return report, record, said.getvalue()


def test_folds_share_their_pretraining_and_nothing_else(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    config = staged(bert)
    report, record, said = validate(config, court_reports, tmp_path)
    assert "3 folds, 3 to train" in said
    assert len(report.documents) == 3
    assert len(list((tmp_path / "pretraining").glob("*.safetensors"))) == 1
    assert "2 documents for training only and the other documents" in record["protocol"]

    # The second fold by hand: trained on all but the second document.
    second = court_reports[1]
    others = [d for d in court_reports if d is not second]
    from pressgang.evaluation.baseline import Baseline

    trained = run_staged(config, others, tmp_path / "by-hand")
    sides = predict_both(trained.extractor, Baseline.fit(others), [second])
    for side, documents in sides.items():
        fold = read_documents(tmp_path / "folds" / "01" / f"{side}.jsonl")
        assert [d.to_dict() for d in fold] == [d.to_dict() for d in documents]

    assert "3 folds, 0 to train" in validate(config, court_reports, tmp_path)[2]
    with pytest.raises(ValueError, match="other settings or data"):
        validate(dataclasses.replace(config, seed=2), court_reports, tmp_path)


def test_a_model_to_ship_begins_with_the_pretraining_of_the_folds(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    config, shared = staged(bert), tmp_path / "pretraining"
    pretrain(config, court_reports[-2:], Schema.from_documents(court_reports), folder=shared)
    [made] = shared.iterdir()
    before = made.stat().st_mtime_ns
    fold = hold_out(court_reports[:-2], (), training_only=court_reports[-2:])
    for name, folder in (("shared", shared), ("alone", None)):
        colors = {"PERSON": "#ff0000"}
        train(config, fold, colors, tmp_path / name, run={}, pretraining=folder)
    assert [path.stat().st_mtime_ns for path in shared.iterdir()] == [before]
    alone, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("alone", "shared")
    )
    assert alone == other


def test_pretraining_alone_sees_no_tested_document(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    config = staged(bert)
    alone = dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=0))
    _, record, _ = validate(alone, court_reports, tmp_path)
    assert "trained on 2 documents for training only (" in record["protocol"]
    for fold in sorted((tmp_path / "folds").glob("0*")):
        seen = json.loads((fold / "seen.json").read_text(encoding="utf-8"))
        assert seen == sorted({d.surface(e) for d in court_reports[-2:] for e in d.entities})
