"""One stage of a training: the loop over its epochs, its checkpoint, its moving average.

The randomness of an epoch depends on the seed, the epoch and the process alone, so a run that was
killed and resumed goes the way of one that was not.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from pressgang.config import RunConfig, TrainingConfig
from pressgang.document import Document
from pressgang.learning.augmentation import Augmenter, list_files
from pressgang.learning.objective import Example, JointLoss, make_example
from pressgang.learning.warm_start import digest
from pressgang.model.pretrained import model_behind
from pressgang.schema import Schema
from pressgang.text.batches import View
from pressgang.text.encoding import TextEncoder
from pressgang.text.windows import cut

_BUCKET_BATCHES = 12


@dataclass(frozen=True)
class Stage:
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
        """Which part of `drawn` an epoch reads."""
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
        if (model := model_behind(config.encoder)) is not None:
            record.append(digest(model))
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Setting:
    """What the stages of a run share: the model in its loss, and where it computes.

    `prepared` is the loss as `accelerate` wraps it, once for all stages.
    """

    accelerator: Accelerator
    loss: JointLoss
    prepared: Any
    precision: str


class StageRun:
    """The state of a stage: model, optimizer, moving average."""

    def __init__(self, config: RunConfig, stage: Stage, setting: Setting) -> None:
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
        bar = Progress(
            TextColumn(self.stage.name),
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


def _groups(named: Mapping[str, Tensor], recipe: TrainingConfig) -> list[dict[str, Any]]:
    """Parameters by learning rate and decay; biases, norms and vectors are not decayed."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in named.items():
        is_encoder = name.startswith("encoder.")
        rate = recipe.encoder_learning_rate if is_encoder else recipe.head_learning_rate
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": r, "weight_decay": d} for (r, d), p in groups.items()]
