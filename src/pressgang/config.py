"""What a run is: one frozen tree of settings, read from TOML, unknown keys refused."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Which exports are read, and what is kept out of training.

    Each is an export or a folder of exports (its `*.json`). `training_only` exports are part of
    every training and never of a test: cross-validation leaves out documents of `exports` alone.
    `held_out` names documents (by id) of `exports` that `train`
    keeps out of training and scores at the end.
    """

    exports: tuple[str, ...] = ()
    training_only: tuple[str, ...] = ()
    labeling_config: str | None = None
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """How a document is cut, in tokens of the encoder, special tokens included.

    A window is a core of whole sentences of up to `core_tokens` (at least one sentence) with
    neighbouring sentences around it, up to `tokens` in all; `right_tokens` of that are kept for the
    sentences after the core, the rest goes to those before it. Two mentions more than
    `sentences_apart` sentences from each other are not asked about a relation; without it all in a
    window are.
    """

    tokens: int = 256
    core_tokens: int = 128
    right_tokens: int = 48
    sentences_apart: int | None = None

    def __post_init__(self) -> None:
        if not self.core_tokens > 0 or not self.right_tokens >= 0:
            raise ValueError("[windows] core_tokens must be positive, right_tokens not negative")
        if self.core_tokens + self.right_tokens + 2 > self.tokens:
            raise ValueError("[windows] core_tokens and right_tokens do not fit into tokens")
        if self.sentences_apart is not None and self.sentences_apart < 0:
            raise ValueError("[windows] sentences_apart must not be negative")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of the heads on top of the encoder, and the dropout before them."""

    pair_width: int = 192
    label_width: int = 32
    dropout: float = 0.1
    encoder_dropout: float | None = 0.1

    def __post_init__(self) -> None:
        if self.pair_width < 1 or self.label_width < 1:
            raise ValueError("[model] pair_width and label_width must be at least 1")
        if not 0 <= self.dropout < 1 or not 0 <= (self.encoder_dropout or 0.0) < 1:
            raise ValueError("[model] dropout and encoder_dropout must lie in [0, 1)")


@dataclass(frozen=True, slots=True)
class PretrainingConfig:
    """A first training on the `training_only` documents alone; none with 0 `epochs`.

    What is not said here is as in `[training]`.
    """

    epochs: int = 0
    batch_windows: int = 8
    encoder_learning_rate: float = 2e-4
    head_learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_windows < 1:
            raise ValueError("[pretraining] epochs must be at least 0, batch_windows at least 1")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """The recipe. Learning rates are peaks; `warm_up` is a share of the run.

    `training_only_share` of the `training_only` documents are drawn anew for each epoch. With 0
    `epochs` the model is what pretraining made of it.
    """

    epochs: int = 25
    training_only_share: float = 1.0
    batch_windows: int = 4
    encoder_learning_rate: float = 2e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: float = 0.1
    clip_norm: float = 1.0
    average_decay: float = 0.99
    freeze_word_embeddings: bool = True
    predicted_spans: int = 8
    relation_weight: float = 1.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    checkpoint_epochs: int = 5

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_windows", 1), ("checkpoint_epochs", 1)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"[training] {name} is {getattr(self, name)}; expected {least} or more"
                )
        if not 0 <= self.training_only_share <= 1:
            raise ValueError("[training] training_only_share must lie in [0, 1]")
        if not 0 < self.warm_up < 1 or not 0 <= self.average_decay < 1:
            raise ValueError("[training] warm_up must lie in (0, 1), average_decay in [0, 1)")


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """How training documents are changed, anew in each epoch; every share 0 changes nothing.

    `replaced` is the share of surfaces that give way to a name from `lists`, a folder with a text
    file `<LABEL>.txt` for each label; arguments of the relations `kept_by` (an abbreviation and
    what it stands for) stay. The others are shares of documents: all in lower case, in headline
    case, without final marks (`unfinished`), with quotation marks of another style, with page
    furniture before and after (from `training_only` documents without any mention).
    """

    lists: str | None = None
    replaced: float = 0.0
    kept_by: tuple[str, ...] = ()
    lower_case: float = 0.0
    headline_case: float = 0.0
    unfinished: float = 0.0
    quotes: float = 0.0
    furniture: float = 0.0

    @property
    def shares(self) -> tuple[float, ...]:
        """All the shares."""
        return (
            self.replaced,
            self.lower_case,
            self.headline_case,
            self.unfinished,
            self.quotes,
            self.furniture,
        )

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in self.shares):
            raise ValueError("[augmentation] every share must lie in [0, 1]")
        if self.lower_case + self.headline_case > 1:
            raise ValueError("[augmentation] lower_case and headline_case exceed 1 together")


@dataclass(frozen=True, slots=True)
class DecodingConfig:
    """When a relation is predicted: the model's own score is at least `relation_threshold`.

    `calibration` is the file, written by `cross-validate`, with which `train` turns scores into
    probabilities; without it the scores stay the model's own.
    """

    relation_threshold: float = 0.5
    calibration: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.relation_threshold <= 1:
            raise ValueError("[decoding] relation_threshold must lie in [0, 1]")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything that decides what a run produces.

    `encoder` is the name or the folder of a Hugging Face encoder, or the folder of a model that was
    trained here: the run then goes on from it, heads included as far as labels are the same.
    """

    name: str = "default"
    seed: int = 13
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2"
    data: DataConfig = field(default_factory=DataConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)

    def __post_init__(self) -> None:
        if not self.training.epochs and not self.pretraining.epochs:
            raise ValueError("[training] epochs is 0, and there is no [pretraining]")

    @classmethod
    def from_toml(cls, path: Path) -> RunConfig:
        """The settings in a TOML file.

        Raises ValueError naming the file and the key if the file is no TOML, a key is unknown, or
        a value has the wrong type.
        """
        try:
            record = tomllib.loads(path.read_text(encoding="utf-8"))
            return from_mapping(cls, record)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None


def from_mapping(kind: type[Settings], record: Mapping[str, Any], *, at: str = "") -> Settings:
    """A settings dataclass from nested mappings; keys that it does not have are an error."""
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in record:
        if key not in names:
            raise ValueError(f"unknown key {at}{key}; known here: {', '.join(names)}")
    values = {key: _value(hints[key], value, f"{at}{key}") for key, value in record.items()}
    return kind(**values)


def _value(hint: Any, value: Any, at: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ValueError(f"{at} must be a table, not {value!r}")
        return from_mapping(typing.cast("type[Any]", hint), value, at=f"{at}.")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{at} must be a list, not {value!r}")
        return tuple(_value(arguments[0], item, at) for item in value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(
                f"{at} is {value!r}; expected one of {', '.join(map(repr, arguments))}"
            )
        return value
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, at)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{at} is too large a number") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{at} is {value!r}; expected {hint.__name__}")
    return value
