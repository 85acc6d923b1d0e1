"""One plain training loop on `accelerate`: CPU, GPU or several processes, with resume.

A run has up to two stages: pretraining on the documents that are for training only, then training
on the others with a few of the former. Each stage has its own optimizer and its own checkpoint.

The randomness of an epoch depends on the seed, the epoch and the process alone, so a run that was
killed and resumed goes the way of one that was not.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import set_seed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from pressgang.augmentation import Augmenter, list_files
from pressgang.batches import View
from pressgang.config import RunConfig, TrainingConfig
from pressgang.document import Document
from pressgang.encoding import TextEncoder
from pressgang.extractor import Extractor
from pressgang.model import JointModel
from pressgang.objective import Example, JointLoss, make_example
from pressgang.pretrained import load_encoder
from pressgang.runtime import TorchRuntime, pick_device
from pressgang.schema import Schema
from pressgang.windows import cut

_BUCKET_BATCHES = 12
_PRETRAINING = "pretraining"


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


@dataclass(frozen=True)
class _Stage:
    """A part of a run: its recipe, and what each epoch reads.

    Each epoch reads all `documents` and `share` of those `drawn` anew.
    """

    name: str
    config: RunConfig
    seed: int
    recipe: TrainingConfig
    schema: Schema
    documents: Sequence[Document]
    drawn: Sequence[Document] = ()

    @property
    def share(self) -> float:
        return self.recipe.training_only_share

    @functools.cached_property
    def fingerprint(self) -> str:
        """What must be the same for a checkpoint to be gone on from."""
        config = self.config
        settings = (config.windows, config.model, self.recipe, config.augmentation)
        record = [
            self.seed,
            config.encoder,
            [asdict(part) for part in settings],
            [path.read_text(encoding="utf-8") for path in list_files(config.augmentation)],
            self.schema.to_dict() | {"colors": {}},
            [document.to_dict() for document in self.documents],
            [document.to_dict() for document in self.drawn],
        ]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


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
        run = _StageRun(config, stage, setting)
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
    run = _StageRun(config, stages[0], _prepare(config, schema))
    first = run.restore(path)
    if first < stages[0].recipe.epochs:
        run.fit(first, path, console)
        run.save(path, stages[0].recipe.epochs)
    return path


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the stages of a run share: the model in its loss, and where it computes.

    `prepared` is the loss as `accelerate` wraps it, once for all stages.
    """

    accelerator: Accelerator
    loss: JointLoss
    prepared: Any
    precision: str


def _prepare(config: RunConfig, schema: Schema) -> _Setting:
    """A fresh model on the device."""
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
    return _Setting(accelerator, loss, accelerator.prepare(loss), precision)


def _stages(
    config: RunConfig,
    documents: Sequence[Document],
    training_only: Sequence[Document],
    schema: Schema,
) -> list[_Stage]:
    """What a run does, in order."""
    stages = []
    if config.pretraining.epochs:
        recipe = dataclasses.replace(config.training, **asdict(config.pretraining))
        # Its triples are those of its own documents: the same in every fold of a cross-validation.
        known = dataclasses.replace(schema, triples=Schema.from_documents(training_only).triples)
        seed = config.seed + 1_000
        stages.append(_Stage(_PRETRAINING, config, seed, recipe, known, training_only))
    if config.training.epochs:
        stages.append(
            _Stage("state", config, config.seed, config.training, schema, documents, training_only)
        )
    return stages


class _StageRun:
    """The state of a stage: model, optimizer, moving average."""

    def __init__(self, config: RunConfig, stage: _Stage, setting: _Setting) -> None:
        self.config, self.stage = config, stage
        self.accelerator, self.loss = setting.accelerator, setting.prepared
        self.text_encoder = setting.loss.text_encoder
        self.device = self.accelerator.device
        furniture = [d.text for d in (*stage.documents, *stage.drawn) if not d.entities]
        self.augmenter = Augmenter(config.augmentation, furniture)
        self.examples: dict[int, Example] = {}
        setting.loss.restrict(stage.schema)
        model = setting.loss.model
        self.named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        optimizer = torch.optim.AdamW(_groups(self.named, stage.recipe), fused=True)
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.optimizer = self.accelerator.prepare(optimizer)
        self.average = {n: p.detach().clone() for n, p in self.named.items()}
        self.n_steps, self.seconds = 0, 0.0

    def fit(self, first: int, path: Path, console: Console | None) -> None:
        """Train the epochs from `first` on."""
        recipe = self.stage.recipe
        is_pretraining = self.stage.name == _PRETRAINING
        bar = Progress(
            TextColumn("pretraining" if is_pretraining else "training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs  loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            disable=not self.accelerator.is_main_process,
        )
        with bar:
            task = bar.add_task("", total=recipe.epochs, completed=first, loss=math.nan)
            for epoch in range(first, recipe.epochs):
                started = time.perf_counter()
                loss = self.epoch(epoch)
                self.seconds += time.perf_counter() - started
                bar.update(task, completed=epoch + 1, loss=loss)
                if (epoch + 1) % recipe.checkpoint_epochs == 0 and epoch + 1 < recipe.epochs:
                    self.save(path, epoch + 1)

    def epoch(self, epoch: int) -> float:
        """Train one epoch; its mean loss."""
        n, rank = self.accelerator.num_processes, self.accelerator.process_index
        seed = self.stage.seed * 1_000_003 + epoch
        torch.manual_seed(seed * 97 + rank)
        self.loss.train()
        random = np.random.default_rng(seed)
        examples = self._examples(random)
        batches = plan(
            examples, self.config, self.stage.recipe.batch_windows, self.text_encoder, random
        )
        total = 0.0
        for step, batch in enumerate(batches):
            self._set_rates((epoch + step / len(batches)) / self.stage.recipe.epochs)
            # A process without a share of the last batch goes through the motions with weight 0.
            share = batch[rank::n]
            members = [(examples[index], view) for index, view in share or batch[:1]]
            total += self._step(members, bool(share), seed * 1_009 + step)
        return total / max(1, len(batches))

    def _examples(self, random: np.random.Generator) -> list[Example]:
        """What an epoch reads."""
        documents = list(self.stage.documents)
        drawn, share = self.stage.drawn, self.stage.share
        if share < 1:
            n_drawn = round(share * len(drawn))
            drawn = [drawn[i] for i in random.permutation(len(drawn))[:n_drawn]]
        return [self._example(document, random) for document in (*drawn, *documents)]

    def _example(self, document: Document, random: np.random.Generator) -> Example:
        if not any(self.config.augmentation.shares):
            return self._unchanged(document)
        changed = self.augmenter(document, random)
        if changed != document:
            return make_example(changed, self.text_encoder, self.stage.schema)
        return self._unchanged(document)

    def _unchanged(self, document: Document) -> Example:
        if id(document) not in self.examples:
            self.examples[id(document)] = make_example(
                document, self.text_encoder, self.stage.schema
            )
        return self.examples[id(document)]

    def _step(self, batch: list[tuple[Example, View]], counts: bool, seed: int) -> float:
        recipe = self.stage.recipe
        tags, pairs, n_words, n_pairs = self.loss(
            [example for example, _ in batch], [view for _, view in batch], seed=seed
        )
        weight = float(counts)
        # Sums are divided by what all processes saw, so that their number makes no difference.
        seen: Tensor = self.accelerator.reduce(weight * torch.stack([n_words, n_pairs]))
        seen = seen.clamp(min=1.0)
        loss = weight * (tags / seen[0] + recipe.relation_weight * pairs / seen[1])
        self.accelerator.backward(loss * self.accelerator.num_processes)
        self.accelerator.clip_grad_norm_(list(self.named.values()), recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.n_steps += 1
        decay = min(recipe.average_decay, (1 + self.n_steps) / (10 + self.n_steps))
        for name, parameter in self.named.items():
            self.average[name].lerp_(parameter.detach(), 1.0 - decay)
        return float(loss.detach())

    def _set_rates(self, progress: float) -> None:
        """Linear warm-up to the peak, then linear decay to zero at the end of the run."""
        warm_up = self.stage.recipe.warm_up
        factor = (
            (progress + 1e-3) / warm_up if progress < warm_up else (1 - progress) / (1 - warm_up)
        )
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * min(1.0, factor)

    def use_average(self) -> None:
        """Put the moving average into the model."""
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(self.average[name])

    def path(self, folder: Path) -> Path:
        """Where a checkpoint folder holds the state of this stage."""
        return folder / f"{self.stage.name}.safetensors"

    def save(self, path: Path, epoch: int) -> None:
        """Write the state after `epoch` epochs, all of it or nothing."""
        if self.accelerator.is_main_process:
            tensors: dict[str, Tensor] = {}
            for name, parameter in self.named.items():
                tensors[f"parameter/{name}"] = parameter.detach()
                tensors[f"average/{name}"] = self.average[name]
                for key, value in self.optimizer.state[parameter].items():
                    tensors[f"optimizer/{key}/{name}"] = value
            path.parent.mkdir(parents=True, exist_ok=True)
            metadata = {
                "epoch": str(epoch),
                "n_steps": str(self.n_steps),
                "seconds": str(self.seconds),
                "fingerprint": self.stage.fingerprint,
            }
            partial = path.with_suffix(".partial")
            save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
            partial.replace(path)
        self.accelerator.wait_for_everyone()

    def restore(self, path: Path) -> int:
        """Read the state that `save` wrote; how many epochs it had seen, 0 if there is none."""
        if not path.exists():
            return 0
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        if metadata["fingerprint"] != self.stage.fingerprint:
            raise ValueError(
                f"{path}: the checkpoint is of a run with other settings or data; "
                "delete it, or train without --resume"
            )
        tensors = load_file(path, device=str(self.device))
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(tensors[f"parameter/{name}"])
                self.average[name].copy_(tensors[f"average/{name}"])
                self.optimizer.state[parameter] = {
                    key: tensors[f"optimizer/{key}/{name}"]
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        self.n_steps, self.seconds = int(metadata["n_steps"]), float(metadata["seconds"])
        return int(metadata["epoch"])


def plan(
    examples: Sequence[Example],
    config: RunConfig,
    size: int,
    text_encoder: TextEncoder,
    random: np.random.Generator,
) -> list[list[tuple[int, View]]]:
    """The batches of an epoch, `size` windows of similar length each, in random order.

    Each document's first core has a random length, so that borders and context differ by epoch.
    """
    windows = []
    for index, example in enumerate(examples):
        first_core = int(random.integers(1, config.windows.core_tokens + 1))
        cuts = cut(
            example.encoded,
            config.windows,
            n_special=text_encoder.n_special,
            first_core=first_core,
        )
        windows += [(index, View(example.encoded, window)) for window in cuts]
    shuffled = [windows[i] for i in random.permutation(len(windows))]
    batches = []
    for at in range(0, len(shuffled), size * _BUCKET_BATCHES):
        bucket = sorted(
            shuffled[at : at + size * _BUCKET_BATCHES], key=lambda member: member[1].n_tokens
        )
        batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    return [batches[i] for i in random.permutation(len(batches))]


def _precision(recipe: TrainingConfig, device: torch.device) -> str:
    if recipe.precision != "auto":
        return recipe.precision
    return "bf16" if _has_bf16(device) else "fp32"


def _has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 itself, so that it is faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def _groups(named: Mapping[str, Tensor], recipe: TrainingConfig) -> list[dict[str, Any]]:
    """Parameters by learning rate and decay; biases, norms and vectors are not decayed."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in named.items():
        is_encoder = name.startswith("encoder.")
        rate = recipe.encoder_learning_rate if is_encoder else recipe.head_learning_rate
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": r, "weight_decay": d} for (r, d), p in groups.items()]


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
