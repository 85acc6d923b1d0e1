"""Training on `accelerate`: CPU, GPU or several processes, with resume.

A run has up to two stages: pretraining on the documents that are for training only, then training
on the others with a few of the former. Each stage has its own optimizer and its own checkpoint.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import set_seed
from rich.console import Console

from pressgang.config import RunConfig, TrainingConfig
from pressgang.document import Document
from pressgang.learning.objective import Example, JointLoss, make_example
from pressgang.learning.stages import Setting, Stage, StageRun
from pressgang.learning.warm_start import begin_from
from pressgang.model.extractor import Extractor
from pressgang.model.joint_model import JointModel
from pressgang.model.pretrained import load_encoder, model_behind
from pressgang.model.torch_runtime import TorchRuntime, pick_device
from pressgang.schema import Schema
from pressgang.text.encoding import TextEncoder
from pressgang.text.windows import cut

_PRETRAINING, _TRAINING = "pretraining", "training"


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gives back: the model, and what it could not learn from.

    `n_processes` is how many processes trained it, `device` and `precision` ("fp32" or "bf16") what
    they computed on and in; `n_far_relations` are gold relations that no window may ask about.
    """

    extractor: Extractor
    n_processes: int
    n_parameters: int
    n_encoder_parameters: int
    device: str
    precision: str
    seconds: tuple[float, ...]
    n_lost_entities: int
    n_lost_relations: int
    n_far_relations: int


def train(
    config: RunConfig,
    documents: Sequence[Document],
    schema: Schema,
    *,
    checkpoint: Path,
    training_only: Sequence[Document] = (),
    pretrained: Path | None = None,
    resume: bool = False,
    console: Console | None = None,
) -> Trained:
    """A model trained on the documents, by the recipe in `config`.

    `schema` must know all labels of documents and `training_only`. `pretrained` is a file that
    `pretrain` made from the same; without it pretraining, if there is any, is part of this run.

    The state is written to the folder `checkpoint` every few epochs; with `resume` the run goes on
    from there. The weights kept are the moving average at the end of the last epoch.

    Raises ValueError if there is nothing to learn from, or the checkpoint belongs to another run.
    """
    if not schema.entity_labels:
        raise ValueError("nothing to train on: no document has an entity")
    setting = _prepare(config, schema)
    seconds = []
    for stage in _stages(config, documents, training_only, schema):
        run = StageRun(config, stage, setting)
        is_pretraining = stage.name == _PRETRAINING
        if is_pretraining and pretrained is not None:
            first = run.restore(pretrained)
        else:
            first = run.restore(run.path(checkpoint)) if resume else 0
        run.fit(first, run.path(checkpoint), console)
        if is_pretraining and first < stage.recipe.epochs:
            run.save(run.path(checkpoint), stage.recipe.epochs)
        run.use_average()
        seconds.append(round(run.seconds, 1))
    accelerator, model = setting.accelerator, setting.loss.model
    text_encoder = setting.loss.text_encoder
    examples = [make_example(d, text_encoder, schema) for d in (*training_only, *documents)]
    extractor = Extractor(
        schema, text_encoder, TorchRuntime(model, device=str(accelerator.device)), config
    )
    return Trained(
        extractor,
        accelerator.num_processes,
        sum(p.numel() for p in model.parameters()),
        sum(p.numel() for p in model.encoder.parameters()),
        str(accelerator.device),
        setting.precision,
        tuple(seconds),
        sum(e.n_lost_entities for e in examples),
        sum(e.n_lost_relations for e in examples),
        sum(_n_far(e, config, text_encoder) for e in examples),
    )


def pretrain(
    config: RunConfig,
    training_only: Sequence[Document],
    schema: Schema,
    *,
    folder: Path,
    console: Console | None = None,
) -> Path | None:
    """The file with the weights after pretraining, for several runs that differ in what follows.

    None if the configuration has no pretraining. A run that was stopped goes on, and what is
    already in the folder is not made again.
    """
    stages = _stages(config, (), training_only, schema)
    if stages[0].name != _PRETRAINING:
        return None
    path = folder / f"{stages[0].fingerprint[:16]}.safetensors"
    run = StageRun(config, stages[0], _prepare(config, schema))
    first = run.restore(path)
    if first < stages[0].recipe.epochs:
        run.fit(first, path, console)
        run.save(path, stages[0].recipe.epochs)
    return path


def _prepare(config: RunConfig, schema: Schema) -> Setting:
    """A fresh model on the device, or one that begins with what another has learnt."""
    device = pick_device(config.training.device)
    precision = _precision(config.training, device)
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    set_seed(config.seed)
    encoder, tokenizer = load_encoder(config.encoder, dropout=config.model.encoder_dropout)
    limit = getattr(encoder.config, "max_position_embeddings", None)
    if limit and config.windows.tokens > limit:
        raise ValueError(
            f"[windows] tokens is {config.windows.tokens}; {config.encoder} reads at most {limit}"
        )
    model = JointModel(
        encoder,
        n_labels=len(schema.entity_labels),
        n_relations=len(schema.relation_labels),
        config=config.model,
    )
    if (folder := model_behind(config.encoder)) is not None:
        begin_from(model, schema, folder)
    if config.training.freeze_word_embeddings:
        model.encoder.get_input_embeddings().requires_grad_(False)
    loss = JointLoss(
        model,
        schema,
        TextEncoder(tokenizer),
        predicted_spans=config.training.predicted_spans,
        sentences_apart=config.windows.sentences_apart,
        bf16=precision == "bf16",
    )
    return Setting(accelerator, loss, accelerator.prepare(loss), precision)


def _stages(
    config: RunConfig,
    documents: Sequence[Document],
    training_only: Sequence[Document],
    schema: Schema,
) -> list[Stage]:
    """What a run does, in order."""
    stages = []
    if config.pretraining.epochs:
        # Nothing is drawn here, so the share of what is drawn makes no other pretraining.
        recipe = dataclasses.replace(
            config.training, **asdict(config.pretraining), training_only_share=1.0
        )
        # Its triples are those of its own documents: the same in every fold of a cross-validation.
        known = dataclasses.replace(schema, triples=Schema.from_documents(training_only).triples)
        seed = config.seed + 1_000
        stages.append(Stage(_PRETRAINING, config, seed, recipe, known, training_only))
    if config.training.epochs:
        stages.append(
            Stage(_TRAINING, config, config.seed, config.training, schema, documents, training_only)
        )
    return stages


def _precision(recipe: TrainingConfig, device: torch.device) -> str:
    if recipe.precision != "auto":
        return recipe.precision
    return "bf16" if _has_bf16(device) else "fp32"


def _has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 itself, so that it is faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def _n_far(example: Example, config: RunConfig, text_encoder: TextEncoder) -> int:
    """Relations that no window may ask about.

    The owner of the later argument lacks the earlier, or they are too many sentences apart.
    """
    reach = config.windows.sentences_apart
    sentences = example.encoded.sentences
    windows = cut(example.encoded, config.windows, n_special=text_encoder.n_special)
    start, end = example.spans.start, example.spans.end
    n_far = 0
    for head, tail, _ in example.relations.tolist():
        later = max(start[head], start[tail])
        first, last = min(start[head], start[tail]), max(end[head], end[tail])
        apart = abs(int(sentences[start[head]]) - int(sentences[start[tail]]))
        n_far += (reach is not None and apart > reach) or not any(
            w.core_start <= later < w.core_end and w.start_word <= first and last < w.end_word
            for w in windows
        )
    return n_far


def fingerprint(
    config: RunConfig,
    documents: Sequence[Document],
    training_only: Sequence[Document],
    schema: Schema,
) -> str:
    """What is the same for two runs of the same stages on the same documents."""
    stages = _stages(config, documents, training_only, schema)
    marks = "".join(stage.fingerprint for stage in stages)
    return hashlib.sha256(marks.encode()).hexdigest()


def is_main_process() -> bool:
    """Whether this process is the one that writes."""
    return bool(PartialState().is_main_process)


def remove(checkpoint: Path) -> None:
    """Delete a checkpoint that is no longer needed."""
    shutil.rmtree(checkpoint, ignore_errors=True)
