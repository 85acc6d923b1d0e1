"""Tiny random encoders with tokenizers of their own, as folders that `from_pretrained` reads.

Each family writes offsets in its own way: WordPiece lower-cases, byte-level BPE puts the blank
before a word inside its first token, SentencePiece marks it with a token of its own at times.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

FAMILIES = ("bert", "roberta", "deberta-v2", "xlm-roberta", "modernbert")

TEXTS = (
    "Askar Usenov, a Kyrgyz welder from Osh, was jailed for six years by a court in Bishkek.",
    "Ukraine’s officials said that at least 66 Uzbeks had died fighting for the Russian army.",
    "He was recruited by Wagner in July 2022 and sent to Bakhmut, U.S. reporters wrote.",
    "Russia has offered citizenship and $3,100 a month to labor migrants from Central Asia.",
)

_SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
_CLASSES: dict[str, tuple[Any, Any]] = {
    "bert": (BertConfig, BertModel),
    "roberta": (RobertaConfig, RobertaModel),
    "deberta-v2": (DebertaV2Config, DebertaV2Model),
    "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel),
    "modernbert": (ModernBertConfig, ModernBertModel),
}


def build_encoder(family: str, folder: Path) -> Path:
    """A folder with a random two-layer encoder of the family and its fast tokenizer."""
    tokenizer, marks = _tokenizer(family)
    folder.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)
    config_class, model_class = _CLASSES[family]
    config = config_class(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=600,
        pad_token_id=tokenizer.token_to_id(marks["pad_token"]),
        **({"relative_attention": True} if family == "deberta-v2" else {}),
        **_SIZE,
    )
    torch.manual_seed(1)
    model_class(config).save_pretrained(folder)
    return folder


def _tokenizer(family: str) -> tuple[Tokenizer, dict[str, str]]:
    if family == "bert":
        marks = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        # Not trained: the trainer breaks ties by chance, so that no two runs would agree.
        vocabulary = {piece: i for i, piece in enumerate(["[PAD]", *marks.values(), *_pieces()])}
        tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
        tokenizer.add_special_tokens(["[PAD]", *marks.values()])
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = None
        marks["pad_token"] = "[PAD]"
    elif family in {"roberta", "modernbert"}:
        marks = {"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        marks["pad_token"] = "<pad>"
    else:
        marks = {"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=200,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            unk_token="<unk>",
            show_progress=False,
        )
        marks["pad_token"] = "<pad>"
    if trainer is not None:
        tokenizer.train_from_iterator(TEXTS, trainer)
    first, last = marks["cls_token"], marks["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(mark, tokenizer.token_to_id(mark)) for mark in (first, last)],
    )
    return tokenizer, marks


def _pieces() -> list[str]:
    """WordPieces: characters, short words, and the beginnings and ends of longer ones."""
    words = {word.lower() for text in TEXTS for word in re.findall(r"\w+|[^\w\s]", text)}
    characters = {character for word in words for character in word}
    longer = {word for word in words if len(word) > 5}
    pieces = characters | {word for word in words if len(word) <= 5} | {w[:4] for w in longer}
    return sorted(pieces) + sorted(
        {f"##{character}" for character in characters} | {f"##{word[4:]}" for word in longer}
    )
