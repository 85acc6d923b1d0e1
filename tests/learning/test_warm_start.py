"""warm_start: a run that begins with a trained model has its encoder and what labels share."""

import copy
import dataclasses
from pathlib import Path

import pytest
import torch

import pressgang
from pressgang.config import ModelConfig
from pressgang.document import Document, Entity, Relation
from pressgang.learning.training import train
from pressgang.learning.warm_start import begin_from
from pressgang.model.extractor import Extractor
from pressgang.model.joint_model import JointModel
from pressgang.model.torch_runtime import TorchRuntime
from pressgang.schema import Schema
from tests.learning.test_training import config_for, run


@pytest.fixture(scope="module")
def folder(reporter: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("warm") / "model"
    reporter.save(path)
    return path


@pytest.mark.parametrize("kind", ["trained", "exported"])
def test_hardly_trained_it_still_knows_what_the_model_knew(
    kind: str, request: pytest.FixtureRequest, court_reports: list[Document], tmp_path: Path
) -> None:
    folder: Path = request.getfixturevalue(kind)
    config = config_for(folder, epochs=1, encoder_learning_rate=1e-6, head_learning_rate=1e-6)
    warm = run(config, court_reports, tmp_path / "warm").extractor
    for document in court_reports:
        assert warm.predict(document.text).entities == document.entities
        assert warm.predict(document.text).relations == document.relations


def test_the_shipped_model_is_named_pressgang(tmp_path: Path) -> None:
    shipped = pressgang.load()
    text = "A court in Osh sentenced Askar Ismailov, a citizen of Kyrgyzstan, to five years."
    document = shipped.predict(text)
    assert document.entities
    config = config_for(
        Path("pressgang"), epochs=1, encoder_learning_rate=1e-9, head_learning_rate=1e-9
    )
    config = dataclasses.replace(config, windows=shipped.config.windows, model=shipped.config.model)
    warm = train(config, [document], shipped.schema, checkpoint=tmp_path).extractor
    assert warm.predict(text).entities == document.entities


def test_labels_of_the_same_name_keep_their_rows(folder: Path, reporter: Extractor) -> None:
    old = runtime(reporter).model
    schema = Schema.from_documents([described("SOMETHING", "ABOVE", "PERSON", "JAILED_IN")])
    model = fresh(old, schema)
    before = model.pair_head.biaffine.detach().clone()
    begin_from(model, schema, folder)
    assert torch.equal(model.shape_embedding.weight, old.shape_embedding.weight)
    for place, label in enumerate(schema.entity_labels):
        new = model.tag_head.weight[1 + 2 * place : 3 + 2 * place]
        if label in reporter.schema.entity_labels:
            at = reporter.schema.entity_labels.index(label)
            assert torch.equal(new, old.tag_head.weight[1 + 2 * at : 3 + 2 * at])
        else:
            assert not any(torch.equal(new[0], row) for row in old.tag_head.weight)
    known = schema.relation_labels.index("JAILED_IN")
    at = reporter.schema.relation_labels.index("JAILED_IN")
    assert torch.equal(model.pair_head.biaffine[known], old.pair_head.biaffine[at])
    unknown = schema.relation_labels.index("ABOVE")
    assert torch.equal(model.pair_head.biaffine[unknown], before[unknown])


def test_another_pair_width_keeps_its_own_pair_head(folder: Path, reporter: Extractor) -> None:
    old = runtime(reporter).model
    model = fresh(old, reporter.schema, pair_width=24)
    before = model.pair_head.out.weight.detach().clone()
    begin_from(model, reporter.schema, folder)
    assert torch.equal(model.pair_head.out.weight, before)
    assert torch.equal(model.tag_head.weight, old.tag_head.weight)


def test_a_changed_model_is_another_run(
    folder: Path, court_reports: list[Document], tmp_path: Path
) -> None:
    schema = Schema.from_documents(court_reports)
    config = config_for(folder, epochs=3, checkpoint_epochs=1)
    train(config, court_reports, schema, checkpoint=tmp_path)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    try:
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ValueError, match="other settings or data"):
            train(config, court_reports, schema, checkpoint=tmp_path, resume=True)
    finally:
        weights.write_bytes(whole)


def test_a_model_that_does_not_fit_is_refused_in_one_line(
    folder: Path, reporter: Extractor, tmp_path: Path
) -> None:
    model = fresh(runtime(reporter).model, reporter.schema)
    with pytest.raises(ValueError, match="not a model to begin from"):
        begin_from(model, reporter.schema, tmp_path)
    model.shape_embedding = torch.nn.Embedding(5, 32)
    with pytest.raises(ValueError, match="another size"):
        begin_from(model, reporter.schema, folder)


def runtime(extractor: Extractor) -> TorchRuntime:
    assert isinstance(extractor.runtime, TorchRuntime)
    return extractor.runtime


def fresh(old: JointModel, schema: Schema, *, pair_width: int | None = None) -> JointModel:
    """A random model with the same encoder and the labels of a schema."""
    width = pair_width or old.pair_head.out.in_features
    label_width = old.pair_head.label_embedding.embedding_dim
    return JointModel(
        copy.deepcopy(old.encoder),
        n_labels=len(schema.entity_labels),
        n_relations=len(schema.relation_labels),
        config=ModelConfig(pair_width=width, label_width=label_width),
    )


def described(*labels: str) -> Document:
    """A document with the entity labels and relations that a test asks for."""
    first, over, second, under = labels
    one, two = Entity(0, 1, first), Entity(2, 3, second)
    return Document("d", "a b", (one, two), (Relation(one, two, over), Relation(two, one, under)))
