from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from pressgang.config import (
    AugmentationConfig,
    ModelConfig,
    PretrainingConfig,
    RunConfig,
    TrainingConfig,
    WindowConfig,
)
from pressgang.document import Document
from pressgang.label_studio.tasks import to_task
from pressgang.learning.stages import StageRun
from pressgang.learning.training import Trained, pretrain, train
from pressgang.model.extractor import Extractor
from pressgang.schema import Schema
from tests.conftest import mark
from tests.encoders import FAMILIES, build_encoder

pytestmark = pytest.mark.slow


def config_for(encoder: Path, **training: object) -> RunConfig:
    recipe = {
        "epochs": 3,
        "batch_windows": 2,
        "device": "cpu",
        "precision": "fp32",
        "checkpoint_epochs": 1,
        "encoder_learning_rate": 2e-3,
        "head_learning_rate": 5e-3,
    } | training
    return RunConfig(
        encoder=str(encoder),
        windows=WindowConfig(tokens=96, core_tokens=40, right_tokens=8),
        model=ModelConfig(pair_width=16, label_width=4),
        training=TrainingConfig(**recipe),  # type: ignore[arg-type]
    )


def run(
    config: RunConfig, documents: list[Document], folder: Path, *, resume: bool = False
) -> Trained:
    return train(
        config,
        documents,
        Schema.from_documents(documents),
        checkpoint=folder / "checkpoint",
        resume=resume,
        console=Console(quiet=True),
    )


def staged(encoder: Path, **settings: object) -> RunConfig:
    """A run with two epochs of pretraining and one draw of what is for training only."""
    config = config_for(encoder, epochs=2, training_only_share=0.5)
    pretraining = PretrainingConfig(
        epochs=2, batch_windows=2, encoder_learning_rate=2e-3, head_learning_rate=5e-3
    )
    return dataclasses.replace(config, pretraining=pretraining, **settings)  # type: ignore[arg-type]


def run_staged(
    config: RunConfig, documents: list[Document], folder: Path, **options: Any
) -> Trained:
    """The last two documents are those that are only for training."""
    return train(
        config,
        documents[:-2],
        Schema.from_documents(documents),
        training_only=documents[-2:],
        checkpoint=folder / "checkpoint",
        console=Console(quiet=True),
        **options,
    )


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return dict(trained.extractor.runtime.model.state_dict())


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_any_encoder_learns_its_training_documents(
    family: str, court_reports: list[Document], tmp_path: Path
) -> None:
    encoder = build_encoder(family, tmp_path / family)
    trained = run(config_for(encoder, epochs=60, average_decay=0.9), court_reports, tmp_path)
    predicted = list(trained.extractor.predict_many([d.text for d in court_reports]))
    assert [d.entities for d in predicted] == [d.entities for d in court_reports]
    assert [d.relations for d in predicted] == [d.relations for d in court_reports]

    trained.extractor.save(tmp_path / "model")
    loaded = Extractor.load(tmp_path / "model", device="cpu")
    again = list(loaded.predict_many([d.text for d in court_reports]))
    assert [d.to_dict() for d in again] == [d.to_dict() for d in predicted]


def test_a_seed_gives_the_same_model_twice(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    config = config_for(bert)
    first = weights(run(config, court_reports, tmp_path / "a"))
    assert_same(first, weights(run(config, court_reports, tmp_path / "b")))
    other = weights(run(dataclasses.replace(config, seed=14), court_reports, tmp_path / "c"))
    assert any(not torch.equal(first[name], other[name]) for name in first)


_KILLED = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)  # as in this process: the number of threads decides the order of sums
sys.path.insert(0, {root!r})
from pressgang.learning import training
from pressgang.corpus import read_documents
from tests.learning.test_training import config_for, run
config = config_for(Path({encoder!r}), epochs=6)
run(config, read_documents(Path({data!r})), Path({folder!r}), resume=True)
"""


def test_a_killed_run_resumes_to_the_same_model(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    from pressgang.corpus import write_documents

    data = tmp_path / "documents.jsonl"
    write_documents(data, court_reports)
    script = _KILLED.format(
        root=str(Path(__file__).parents[2]),
        encoder=str(bert),
        data=str(data),
        folder=str(tmp_path / "killed"),
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    state = tmp_path / "killed" / "checkpoint" / "training.safetensors"
    deadline = time.monotonic() + 120
    while not state.exists():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL

    config = config_for(bert, epochs=6)
    resumed = run(config, court_reports, tmp_path / "killed", resume=True)
    assert_same(weights(run(config, court_reports, tmp_path / "whole")), weights(resumed))


def test_a_checkpoint_of_other_settings_is_refused(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    run(config_for(bert), court_reports, tmp_path)
    with pytest.raises(ValueError, match="other settings or data"):
        run(config_for(bert, head_learning_rate=1e-4), court_reports, tmp_path, resume=True)


def test_a_pretrained_file_gives_what_one_run_gives(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    config, schema = staged(bert), Schema.from_documents(court_reports)
    whole = run_staged(config, court_reports, tmp_path / "whole")
    folder = tmp_path / "pretraining"
    quiet = Console(quiet=True)
    path = pretrain(config, court_reports[-2:], schema, folder=folder, console=quiet)
    assert path is not None
    made = path.stat().st_mtime_ns
    drawn = dataclasses.replace(config.training, training_only_share=0.9)
    for same in (config, dataclasses.replace(config, training=drawn)):
        assert pretrain(same, court_reports[-2:], schema, folder=folder, console=quiet) == path
    assert path.stat().st_mtime_ns == made
    shared = run_staged(config, court_reports, tmp_path / "shared", pretrained=path)
    assert_same(weights(whole), weights(shared))
    assert len(whole.seconds) == 2

    other = dataclasses.replace(config, seed=14)
    with pytest.raises(ValueError, match="other settings or data"):
        run_staged(other, court_reports, tmp_path / "other", pretrained=path)
    assert pretrain(config_for(bert), court_reports, schema, folder=folder) is None


def test_pretraining_does_not_see_the_other_documents(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    config, schema = staged(bert), Schema.from_documents(court_reports)
    files = [
        pretrain(config, court_reports[-2:], known, folder=tmp_path, console=Console(quiet=True))
        for known in (schema, dataclasses.replace(schema, triples=frozenset()))
    ]
    assert files[0] == files[1]


@pytest.mark.parametrize("stage", ["pretraining", "training"])
def test_a_staged_run_goes_on_where_it_was_stopped(
    stage: str,
    bert: Path,
    court_reports: list[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = staged(bert, augmentation=AugmentationConfig(lower_case=0.3, unfinished=0.5))
    whole = weights(run_staged(config, court_reports, tmp_path / "whole"))

    save = StageRun.save

    def save_and_stop(self: StageRun, path: Path, epoch: int) -> None:
        save(self, path, epoch)
        if path.stem == stage:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(StageRun, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            run_staged(config, court_reports, tmp_path / "stopped")
    resumed = run_staged(config, court_reports, tmp_path / "stopped", resume=True)
    assert_same(whole, weights(resumed))


def test_with_no_epochs_the_model_is_the_pretrained_one(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    config = staged(bert)
    none = dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=0))
    alone = weights(run_staged(none, court_reports, tmp_path / "a"))
    assert_same(alone, weights(run_staged(none, [court_reports[0], *court_reports[-2:]], tmp_path)))


_TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")


def test_two_processes_agree_with_one(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    export = tmp_path / "export.json"
    export.write_text(json.dumps([to_task(document) for document in court_reports]))
    extra = tmp_path / "extra.json"
    extra.write_text(json.dumps([to_task(mark("six", "[Osh](PLACE:o) saw [Ana](PERSON).", ""))]))
    settings = config_for(bert, epochs=4)
    config = tmp_path / "run.toml"
    config.write_text(
        f"encoder = {str(bert)!r}\n[data]\nheld_out = ['five']\n"
        f"training_only = [{str(extra)!r}]\n[pretraining]\nepochs = 1\nbatch_windows = 1\n"
        "[windows]\ntokens = 96\ncore_tokens = 40\nright_tokens = 8\n"
        "[model]\npair_width = 16\nlabel_width = 4\ndropout = 0.0\nencoder_dropout = 0.0\n"
        + "[training]\n"
        + "".join(f"{k} = {json.dumps(v)}\n" for k, v in asdict(settings.training).items())
    )
    for name, launcher in (("one", ()), ("two", _TORCHRUN)):
        subprocess.run(
            [sys.executable, *launcher, "-m", "pressgang", "train"]  # noqa: RUF005
            + ["--config", config, "--data", export, "--output", tmp_path / name],
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    n_processes = [
        json.loads((tmp_path / name / "run.json").read_text())["processes"]
        for name in ("one", "two")
    ]
    assert n_processes == [1, 2]
    assert all((tmp_path / name / "report" / "report.json").exists() for name in ("one", "two"))
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=2e-4) for name in one)


def test_nothing_to_learn_from_is_said(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        run(config_for(bert), [Document("empty", "No entity here.")], tmp_path)


def test_what_cannot_be_learnt_is_counted(
    bert: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    from pressgang.document import Entity, Relation

    whole, part = Entity(0, 12, "PERSON"), Entity(6, 12, "PERSON")
    half_word = Entity(17, 20, "PERSON")
    document = Document(
        "odd",
        "Askar Usenov was jailed.",
        (whole, part, half_word),
        (Relation(whole, half_word, "JAILED_IN"),),
    )
    trained = run(config_for(bert, epochs=1), [*court_reports, document], tmp_path)
    assert trained.n_lost_entities == 2
    assert trained.n_lost_relations == 1
