"""Small real objects that many tests share."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import that would reach for the hub

import pytest
import torch
from hypothesis import HealthCheck, settings

from pressgang.document import Document, Entity, Relation
from pressgang.model.calibration import Calibration
from pressgang.model.extractor import Extractor
from tests.encoders import build_encoder

# Tiny models on two threads spend their time waiting for each other.
torch.set_num_threads(1)

# How long drawing an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

TINY = 16
"""The narrowest matrix that an export rounds here; those of the tiny model are all narrow."""


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer BERT."""
    return build_encoder("bert", tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture(scope="session")
def court_reports() -> list[Document]:
    """Five short documents with two entity labels and a relation, one of them across sentences."""
    return [
        mark("one", "[Askar Usenov](PERSON:a) was jailed in [Osh](PLACE:o).", "a JAILED_IN o"),
        mark("two", "[Nurlan](PERSON) met [Timur Aliev](PERSON:t) in [Batken](PLACE).", ""),
        mark(
            "three",
            "A court jailed [Timur Aliev](PERSON:t) in [Bishkek](PLACE:b).",
            "t JAILED_IN b",
        ),
        mark(
            "four",
            "[Nurlan](PERSON:n) was caught. He was jailed in [Osh](PLACE:o).",
            "n JAILED_IN o",
        ),
        mark("five", "Nothing happened on Monday, the court said.", ""),
    ]


@pytest.fixture(scope="session")
def reporter(
    bert: Path, court_reports: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Extractor:
    """A tiny model that knows the five documents by heart."""
    from tests.learning.test_training import config_for, run

    config = config_for(bert, epochs=60, average_decay=0.9)
    return run(config, court_reports, tmp_path_factory.mktemp("reporter")).extractor


@pytest.fixture(scope="session")
def trained(reporter: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model, calibrated, and a record of its run."""
    folder = tmp_path_factory.mktemp("trained")
    calibration = Calibration(entity=(0.5, 0.25), relation=(0.5, 0.25, 0.25, 0.0))
    dataclasses.replace(reporter, calibration=calibration).save(folder)
    (folder / "run.json").write_text('{"seed": 13}')
    return folder


@pytest.fixture(scope="session")
def exported(
    trained: Path, court_reports: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the export of the tiny model."""
    from pressgang.shipping import export

    folder = tmp_path_factory.mktemp("exported") / "model"
    with pytest.MonkeyPatch.context() as patched:
        # A model that takes no time is not the faster for being exported.
        patched.setattr(export, "shortcomings", lambda _: [])
        export.export(trained, folder, court_reports, least_width=TINY)
    return folder


def mark(name: str, markup: str, relations: str) -> Document:
    """A Document from text with `[surface](LABEL:id)` and lines `id RELATION id`."""
    text, entities, by_id = "", [], {}
    for piece in markup.split("["):
        if "](" not in piece:
            text += piece
            continue
        surface, _, rest = piece.partition("](")
        tag, _, after = rest.partition(")")
        label, _, key = tag.partition(":")
        entities.append(Entity(len(text), len(text) + len(surface), label))
        by_id[key] = entities[-1]
        text += surface + after
    lines = [line.split() for line in relations.splitlines()]
    return Document(
        name,
        text,
        tuple(entities),
        tuple(Relation(by_id[head], by_id[tail], label) for head, label, tail in lines),
    )
