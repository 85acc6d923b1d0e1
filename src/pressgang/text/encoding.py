"""A text as an encoder reads it: tokens, and the words and sentences that they belong to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from pressgang.text.segmentation import ranges, sentence_starts, words
from pressgang.text.word_shapes import word_classes

Ints = npt.NDArray[np.int64]

N_SHAPES = 33
"""Case and shape classes: 8 classes of words, glued to the text before or not, first or later
token of the word; 0 is for special tokens."""

MAX_WORD_TOKENS = 96
"""Later tokens of one word are not read: no window should be filled by a single word."""

MAX_SENTENCE_WORDS = 1024
"""Longer sentences are cut: tags are decoded over whole sentences, and memory is bounded so."""

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text as tokens, and its words as ranges of them.

    `words` [n_words, 2] are character offsets, `sentences` [n_words] the sentence each word lies
    in (one of more than 1,024 words counts as several), `tokens` and `shapes` [n_tokens] the
    encoder's input without special tokens, `first` and `last` [n_words] the first and the last
    token (inclusive) of each word. Words of which the tokenizer leaves nothing (control characters)
    are not among the words, tokens that belong to no word (line breaks) not among the tokens.
    """

    words: Ints
    sentences: Ints
    tokens: Ints
    shapes: Ints
    first: Ints
    last: Ints


class TextEncoder:
    """Turns text into tokens with any Hugging Face fast tokenizer.

    The whole text is tokenized at once and untruncated, so a token never depends on where a window
    begins; windows are cut from the result.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.tokenizer.encode_special_tokens = True  # "[SEP]" written in a text is text
        frame = self.tokenizer.encode("a")
        is_special = frame.special_tokens_mask
        n_before = is_special.index(0) if 0 in is_special else len(is_special)
        n_after = is_special[::-1].index(0) if 0 in is_special else 0
        self.prefix: list[int] = frame.ids[:n_before]
        self.suffix: list[int] = frame.ids[len(frame.ids) - n_after :]

    @property
    def n_special(self) -> int:
        """How many tokens of each window are the encoder's own marks."""
        return len(self.prefix) + len(self.suffix)

    @classmethod
    def load(cls, path: Path) -> TextEncoder:
        """The encoder whose tokenizer was saved at a path."""
        return cls.from_bytes(path.read_bytes())

    @classmethod
    def from_bytes(cls, content: bytes) -> TextEncoder:
        """The encoder whose tokenizer is this file."""
        return cls(Tokenizer.from_buffer(content))

    def save(self, path: Path) -> None:
        """Write the tokenizer as one JSON file."""
        self.tokenizer.save(str(path))

    def encode(self, text: str) -> EncodedText:
        """The tokens, words and sentences of a text of any length, empty ones included."""
        # A lone surrogate has no UTF-8 form; U+FFFD keeps every offset where it was.
        encoding = self.tokenizer.encode(_SURROGATES.sub("\ufffd", text), add_special_tokens=False)
        tokens = np.array(encoding.ids, dtype=np.int64)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        found = words(text)
        first = np.searchsorted(offsets[:, 1], found[:, 0], side="right")
        last = np.searchsorted(offsets[:, 0], found[:, 1], side="left") - 1
        has_tokens = first <= last
        found, first, last = found[has_tokens], first[has_tokens], last[has_tokens]
        last = np.minimum(last, first + MAX_WORD_TOKENS - 1)
        sentences = _bounded(np.searchsorted(sentence_starts(text), found[:, 0], side="right") - 1)
        shapes = _shapes(text, found, first, last, len(tokens))
        # Tokens of no word (line breaks, lone blanks) go: a hundred thousand of them fit no window.
        in_word = shapes > 0
        position = np.cumsum(in_word) - 1
        return EncodedText(
            found, sentences, tokens[in_word], shapes[in_word], position[first], position[last]
        )


def _bounded(sentences: Ints) -> Ints:
    """The sentence `[n_words]` of each word, numbered anew where one is too long."""
    begins = np.flatnonzero(np.diff(sentences, prepend=-1))
    too_long = ranges(np.diff([*begins, len(sentences)])) // MAX_SENTENCE_WORDS
    if not too_long.any():
        return sentences
    return np.cumsum(np.diff(sentences, prepend=0) + (np.diff(too_long, prepend=0) > 0))


def _shapes(text: str, found: Ints, first: Ints, last: Ints, n_tokens: int) -> Ints:
    """Shape ids `[n_tokens]`: what an uncased tokenizer forgets of case and white space."""
    shapes = np.zeros(n_tokens, dtype=np.int64)
    if not len(found):
        return shapes
    glued = np.zeros(len(found), dtype=np.int64)
    glued[1:] = found[1:, 0] == found[:-1, 1]
    of_word = 1 + word_classes(text, found) + 8 * glued
    lengths = last - first + 1
    place = ranges(lengths)
    shapes[np.repeat(first, lengths) + place] = np.repeat(of_word, lengths) + 16 * (place > 0)
    return shapes
