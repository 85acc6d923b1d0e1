from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from transformers import AutoConfig, AutoModel

from pressgang.config import DecodingConfig, ModelConfig, RunConfig, WindowConfig
from pressgang.document import Entity
from pressgang.integrations.transformers_model import PressgangConfig, PressgangModel
from pressgang.model.calibration import Calibration
from pressgang.model.extractor import Extractor
from pressgang.model.joint_model import JointModel, as_tensors
from pressgang.model.pretrained import load_encoder
from pressgang.model.torch_runtime import TorchRuntime
from pressgang.schema import Schema
from pressgang.text.batches import View, span_batch, window_batch
from pressgang.text.encoding import TextEncoder
from pressgang.text.pairing import allowed, has_relation
from pressgang.text.tagging import spans_of
from pressgang.text.windows import cut
from tests.encoders import FAMILIES, TEXTS, build_encoder

SCHEMA = Schema(
    ("PERSON", "PLACE"),
    ("JAILED_IN", "MET"),
    frozenset({("PERSON", "JAILED_IN", "PLACE"), ("PERSON", "MET", "PERSON")}),
    {"PERSON": "#123456"},
)


def random_extractor(family: str, folder: Path) -> Extractor:
    """A model with random weights, which finds something in every text."""
    encoder, tokenizer = load_encoder(str(build_encoder(family, folder)))
    config = RunConfig(
        encoder=family,
        windows=WindowConfig(tokens=64, core_tokens=24, right_tokens=8),
        model=ModelConfig(pair_width=16, label_width=4),
        decoding=DecodingConfig(relation_threshold=0.3),
    )
    torch.manual_seed(2)
    model = JointModel(encoder, n_labels=2, n_relations=2, config=config.model)
    torch.nn.init.normal_(model.shape_embedding.weight)
    calibration = Calibration((0.5, 0.1), (0.6, 0.2, 0.2, 0.1))
    runtime = TorchRuntime(model, device="cpu")
    return Extractor(SCHEMA, TextEncoder(tokenizer), runtime, config, calibration)


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    return random_extractor("bert", tmp_path_factory.mktemp("random"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_saved_and_loaded_by_the_auto_classes_predicts_the_same(
    family: str, tmp_path: Path
) -> None:
    extractor = random_extractor(family, tmp_path / "encoder")
    PressgangModel.from_extractor(extractor).save_pretrained(tmp_path / "saved")
    assert isinstance(AutoConfig.from_pretrained(tmp_path / "saved"), PressgangConfig)
    loaded = AutoModel.from_pretrained(tmp_path / "saved").to_extractor(device="cpu")
    texts = [*TEXTS, " ".join(TEXTS) * 3, ""]
    expected = [document.to_dict() for document in extractor.predict_many(texts)]
    assert any(record["relations"] for record in expected)
    assert [document.to_dict() for document in loaded.predict_many(texts)] == expected
    assert loaded.schema == extractor.schema
    assert loaded.schema.colors == extractor.schema.colors
    assert loaded.config == extractor.config
    assert loaded.calibration == extractor.calibration


def test_a_folder_holds_weights_and_configuration_and_no_code(
    extractor: Extractor, tmp_path: Path
) -> None:
    PressgangModel.from_extractor(extractor).save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "pressgang"
    assert "auto_map" not in config
    assert config["schema"] == SCHEMA.to_dict()


def test_weights_in_another_format_are_refused(extractor: Extractor, tmp_path: Path) -> None:
    model = PressgangModel.from_extractor(extractor)
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        AutoModel.from_pretrained(tmp_path)


def test_forward_gives_tags_and_relations_as_the_runtime_does(extractor: Extractor) -> None:
    people = (Entity(0, 5, "PERSON"), Entity(6, 12, "PERSON"))
    encoded = extractor.text_encoder.encode(TEXTS[0])
    views = [View(encoded, window) for window in cut(encoded, extractor.config.windows)]
    windows = window_batch(views[:1], extractor.text_encoder)
    spans = span_batch(
        views[:1],
        [spans_of(people, encoded, SCHEMA)[0]],
        has_relation(allowed(SCHEMA)),
        extractor.text_encoder,
        owned_only=True,
    )
    hidden, tags = extractor.runtime.encode(windows)
    relations = extractor.runtime.relate(hidden, spans)
    assert relations.shape == (2, 2)
    model, cpu = PressgangModel.from_extractor(extractor), torch.device("cpu")
    with torch.inference_mode():
        output = model(**as_tensors(windows, cpu), spans=as_tensors(spans, cpu))
        assert model(**as_tensors(windows, cpu)).relation_logits is None
    assert output.tag_logits.numpy() == pytest.approx(tags, abs=1e-5)
    assert output.relation_logits.sigmoid().numpy() == pytest.approx(relations, abs=1e-5)


def test_a_model_keeps_its_weights_when_the_extractor_goes_on_learning(
    tmp_path: Path,
) -> None:
    extractor = random_extractor("bert", tmp_path)
    model = PressgangModel.from_extractor(extractor)
    before = model.joint.tag_head.weight.clone()
    torch.nn.init.zeros_(extractor.runtime.model.tag_head.weight)
    assert torch.equal(model.joint.tag_head.weight, before)


def test_what_is_pushed_to_the_hub_is_what_is_saved(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: dict[str, bytes] = {}

    def create_commit(_: object, *, operations: list[object], **__: object) -> str:
        for operation in operations:
            assert isinstance(operation, huggingface_hub.CommitOperationAdd)
            with operation.as_file() as file:
                pushed[operation.path_in_repo] = file.read()
        return "done"

    made = huggingface_hub.RepoUrl("https://huggingface.co/someone/model")
    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", lambda *_, **__: made)
    monkeypatch.setattr(huggingface_hub.HfApi, "create_commit", create_commit)
    PressgangModel.from_extractor(extractor).push_to_hub("someone/model")
    assert set(pushed) == {"README.md", "config.json", "model.safetensors"}
    assert json.loads(pushed["config.json"])["model_type"] == "pressgang"


def test_an_export_has_no_weights_for_it(extractor: Extractor) -> None:
    export = dataclasses.replace(extractor, runtime=object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="export"):
        PressgangModel.from_extractor(export)


def test_a_configuration_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="not the configuration of a pressgang model"):
        PressgangModel(PressgangConfig())
