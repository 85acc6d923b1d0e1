"""The model as transformers knows models: importing this module registers it.

    import pressgang.integrations.transformers_model
    from transformers import AutoModel

    model = AutoModel.from_pretrained("folder or name on the hub")
    document = model.to_extractor().predict("Askar was jailed for ten years.")

`config.json` holds all that is not a weight: the encoder's configuration, schema, tokenizer, run
configuration and calibration. No code travels with a model, and weights are safetensors only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from pressgang.config import RunConfig, from_mapping
from pressgang.model.calibration import Calibration
from pressgang.model.extractor import Extractor
from pressgang.model.joint_model import GAP_EDGES, JointModel, PairHead
from pressgang.model.torch_runtime import TorchRuntime, encoder_record
from pressgang.schema import Schema
from pressgang.text.encoding import TextEncoder


class PressgangConfig(PretrainedConfig):
    """What a model is, but for its weights.

    `encoder` is the encoder's configuration, `schema` a `Schema`, `settings` a `RunConfig` and
    `calibration` a `Calibration`, as JSON types; `tokenizer` is the text of a `tokenizer.json`.
    """

    model_type = "pressgang"

    def __init__(
        self,
        *,
        encoder: Mapping[str, Any] | None = None,
        schema: Mapping[str, Any] | None = None,
        tokenizer: str | None = None,
        settings: Mapping[str, Any] | None = None,
        calibration: Mapping[str, Any] | None = None,
        **common: Any,
    ) -> None:
        # transformers makes one without arguments, to see what is not a default.
        self.encoder = encoder
        self.schema = schema
        self.tokenizer = tokenizer
        self.settings = settings
        self.calibration = calibration
        super().__init__(**common)


@dataclass
class PressgangOutput(ModelOutput):
    """Hidden states `[B, T, D]`, tag logits `[B, W, n_tags]`, and `[P, n_relations]` for pairs."""

    hidden: Tensor | None = None
    tag_logits: Tensor | None = None
    relation_logits: Tensor | None = None


class PressgangModel(PreTrainedModel):
    """A `JointModel` that `save_pretrained`, `from_pretrained` and `push_to_hub` know."""

    config_class = PressgangConfig
    main_input_name = "tokens"

    def __init__(self, config: PressgangConfig) -> None:
        """Raises ValueError if the configuration is none of a pressgang model."""
        super().__init__(config)
        if config.encoder is None or config.schema is None or config.settings is None:
            raise ValueError("not the configuration of a pressgang model (use from_extractor)")
        schema = self._schema()
        self.joint = JointModel(
            AutoModel.from_config(AutoConfig.for_model(**config.encoder)),
            n_labels=len(schema.entity_labels),
            n_relations=len(schema.relation_labels),
            config=self._settings().model,
        )
        self.post_init()

    def forward(
        self,
        tokens: Tensor,
        shapes: Tensor,
        mask: Tensor,
        first: Tensor,
        spans: Mapping[str, Tensor] | None = None,
    ) -> PressgangOutput:
        """Tags of a `WindowBatch`, and with the fields of a `SpanBatch` the relations of its pairs.

        Shapes are those of `JointModel.encode` and `JointModel.relate`.
        """
        hidden, tags = self.joint.encode(tokens, shapes, mask, first)
        relations = None if spans is None else self.joint.relate(hidden, **spans)
        return PressgangOutput(hidden=hidden, tag_logits=tags, relation_logits=relations)

    def to_extractor(self, *, device: str = "auto") -> Extractor:
        """The extractor that shares this model's weights; the model moves to the device."""
        calibration = self.config.calibration
        return Extractor(
            self._schema(),
            TextEncoder(Tokenizer.from_str(self.config.tokenizer)),
            TorchRuntime(self.joint, device=device),
            self._settings(),
            None if calibration is None else Calibration.from_dict(calibration),
        )

    @classmethod
    def from_extractor(cls, extractor: Extractor) -> PressgangModel:
        """A model with a copy of an extractor's weights.

        Raises ValueError if the extractor is an export, which has none that torch reads.
        """
        if not isinstance(extractor.runtime, TorchRuntime):
            raise ValueError("an export has no weights for torch; take the model it was made from")
        joint, calibration = extractor.runtime.model, extractor.calibration
        config = PressgangConfig(
            encoder=encoder_record(joint),
            schema=extractor.schema.to_dict(),
            tokenizer=extractor.text_encoder.tokenizer.to_str(),
            settings=json.loads(json.dumps(dataclasses.asdict(extractor.config))),
            calibration=None if calibration is None else calibration.to_dict(),
        )
        model = cls(config)
        model.joint.load_state_dict(joint.state_dict())
        model.eval()
        return model

    @classmethod
    def from_pretrained(cls, *arguments: Any, **options: Any) -> Any:
        """As for every transformers model, but from safetensors only."""
        return super().from_pretrained(*arguments, **(options | {"use_safetensors": True}))

    def _schema(self) -> Schema:
        return Schema.from_dict(self.config.schema)

    def _settings(self) -> RunConfig:
        return from_mapping(RunConfig, self.config.settings)

    def _init_weights(self, module: Any) -> None:
        super()._init_weights(module)
        if isinstance(module, PairHead):  # loading leaves buffers that are in no file undefined
            module.gap_edges.copy_(torch.tensor(GAP_EDGES))


AutoConfig.register(PressgangConfig.model_type, PressgangConfig)
AutoModel.register(PressgangConfig, PressgangModel)
