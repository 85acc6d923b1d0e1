import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from pressgang.text.encoding import MAX_SENTENCE_WORDS, N_SHAPES, EncodedText, TextEncoder
from pressgang.text.segmentation import sentence_starts, words
from tests.test_document import any_text

SENTENCES = (
    "Askar Usenov, a Kyrgyz welder from Osh, was jailed for six years by a court in Bishkek.",
    "Ukraine’s officials said that at least 66 Uzbeks had died fighting for the U.S.-led army.",
    "He was recruited in July 2022 and sent to Bakhmut for $3,100 a month, the BBC wrote.",
)


def word_piece() -> Tokenizer:
    """As BERT: lower case, accents and control characters stripped."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=marks, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return framed(tokenizer, "[CLS]", "[SEP]")


def byte_level(*, add_prefix_space: bool) -> Tokenizer:
    """As ModernBERT (blanks inside tokens' offsets), or as RoBERTa with them trimmed off."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if not add_prefix_space:
        return framed(tokenizer, "<s>", "</s>")
    sep, cls = (("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")))
    tokenizer.post_processor = processors.RobertaProcessing(sep, cls, add_prefix_space=True)
    return tokenizer


def sentence_piece() -> Tokenizer:
    """As XLM-R: NFKC, runs of blanks squeezed, a mark in front of each word."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return framed(tokenizer, "<s>", "</s>")


def framed(tokenizer: Tokenizer, first: str, last: str) -> Tokenizer:
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(mark, tokenizer.token_to_id(mark)) for mark in (first, last)],
    )
    return tokenizer


ENCODERS = {
    "word-piece": TextEncoder(word_piece()),
    "byte-level": TextEncoder(byte_level(add_prefix_space=False)),
    "byte-level, trimmed": TextEncoder(byte_level(add_prefix_space=True)),
    "sentence-piece": TextEncoder(sentence_piece()),
}
of_each_kind = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS.keys())

fragments = st.sampled_from(
    [
        *("Osh", "’s", "U.S.", "-led", "Größe", "ﷺ", "ﬁ", "½", "İ", "ß", "...", "?!", "$3,100"),
        *("👩‍🚀", "🇰🇬", "שלום", "مرحبا", "中国", "한국", "▁", "Ġ", "##a"),
        *("e\u0301", "\u0301", "\u093c", "x" * 70, "\U0001d49c", "\ufffd", "\ud800", "\udfff"),
        *("\u200f", "\u202e", "\u200b", "\u00ad", "\ufeff", "\x00", "\x07", "\x85"),
        *(" ", "  ", "\n", "\r\n", "\t", "\u2028", "\u00a0", "\u3000"),
    ]
)
texts = any_text | st.lists(fragments, max_size=20).map("".join)


def by_overlap(encoder: TextEncoder, text: str) -> tuple[list[list[int]], list[list[int]]]:
    """Words with the tokens that share a character with them, found one by one."""
    replaced = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    offsets = encoder.tokenizer.encode(replaced, add_special_tokens=False).offsets
    found, touching = [], []
    for start, end in words(text).tolist():
        tokens = [i for i, (a, b) in enumerate(offsets) if a < end and start < b]
        if tokens:
            found.append([start, end])
            touching.append(list(range(min(tokens), max(tokens) + 1)))
    return found, touching


@of_each_kind
@given(texts)
@example("")
@example("\x00")
@example("a\x00b \x00")
@settings(max_examples=40, deadline=None)
def test_words_have_the_tokens_that_overlap_them(encoder: TextEncoder, text: str) -> None:
    found, touching = by_overlap(encoder, text)
    kept = sorted({token for tokens in touching for token in tokens})
    encoded = encoder.encode(text)
    assert encoded.words.tolist() == found
    assert encoded.first.tolist() == [kept.index(tokens[0]) for tokens in touching]
    assert encoded.last.tolist() == [kept.index(tokens[-1]) for tokens in touching]
    replaced = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    ids = encoder.tokenizer.encode(replaced, add_special_tokens=False).ids
    assert encoded.tokens.tolist() == [ids[token] for token in kept]


@of_each_kind
@given(texts)
@settings(max_examples=40, deadline=None)
def test_ranges_of_tokens_are_not_empty_ascend_and_leave_none_out(
    encoder: TextEncoder, text: str
) -> None:
    encoded = encoder.encode(text)
    first, last = encoded.first.tolist(), encoded.last.tolist()
    assert all(a <= b for a, b in zip(first, last, strict=True))
    assert all(a <= b for a, b in pairwise(first))
    assert all(a <= b for a, b in pairwise(last))
    owned = {token for a, b in zip(first, last, strict=True) for token in range(a, b + 1)}
    assert owned == set(range(len(encoded.tokens)))


@of_each_kind
@given(texts)
@settings(max_examples=40, deadline=None)
def test_columns_fit_together(encoder: TextEncoder, text: str) -> None:
    encoded = encoder.encode(text)
    assert len(encoded.sentences) == len(encoded.first) == len(encoded.last) == len(encoded.words)
    assert len(encoded.shapes) == len(encoded.tokens)
    assert all(0 < shape < N_SHAPES for shape in encoded.shapes.tolist())
    starts = sentence_starts(text)
    for (start, _), sentence in zip(
        encoded.words.tolist(), encoded.sentences.tolist(), strict=True
    ):
        assert starts[sentence] <= start
        assert sentence + 1 == len(starts) or start < starts[sentence + 1]


@of_each_kind
def test_no_printed_word_is_lost(encoder: TextEncoder) -> None:
    text = "Osh’s U.S.-led\r\n\r\nGröße  «мир» 👩‍🚀 שלום 中国 e\u0301\t$3,100."
    found = [text[start:end] for start, end in encoder.encode(text).words.tolist()]
    lost = [word for start, end in words(text).tolist() if (word := text[start:end]) not in found]
    # Joiners and combining marks may be all that a tokenizer leaves nothing of.
    assert set(lost) <= {"\u200d", "\u0301"}


@of_each_kind
def test_characters_a_tokenizer_drops_or_replaces_shift_nothing(encoder: TextEncoder) -> None:
    text = "\x00\ud800 \x07Osh\udfff \u200f\u200bBatken"
    encoded = encoder.encode(text)
    for surface in ("Osh", "Batken"):
        at = text.index(surface)
        word = encoded.words.tolist().index([at, at + len(surface)])
        last = encoder.tokenizer.id_to_token(int(encoded.tokens[encoded.last[word]]))
        assert last.endswith(surface[-1])


@of_each_kind
def test_marks_before_and_after_are_those_of_the_tokenizer(encoder: TextEncoder) -> None:
    text = "Osh and Batken"
    bare = encoder.tokenizer.encode(text, add_special_tokens=False).ids
    assert [*encoder.prefix, *bare, *encoder.suffix] == encoder.tokenizer.encode(text).ids
    assert len(encoder.prefix) == len(encoder.suffix) == 1


def test_a_tokenizer_without_marks_has_none() -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    encoder = TextEncoder(tokenizer)
    assert (encoder.prefix, encoder.suffix) == ([], [])


def test_only_a_mark_after_the_text_is_a_suffix() -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "?": 1, "<end>": 2}, unk_token="?"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", 2)]
    )
    encoder = TextEncoder(tokenizer)
    assert (encoder.prefix, encoder.suffix) == ([], [2])


@pytest.mark.parametrize("direction", ["left", "right"])
def test_truncation_and_padding_of_the_tokenizer_are_switched_off(direction: str) -> None:
    untruncated = ENCODERS["word-piece"]
    tokenizer = Tokenizer.from_str(untruncated.tokenizer.to_str())
    tokenizer.enable_truncation(4, direction=direction)
    tokenizer.enable_padding(length=64)
    text = " ".join(SENTENCES)
    encoder = TextEncoder(tokenizer)
    assert encoder.encode(text).tokens.tolist() == untruncated.encode(text).tokens.tolist()
    assert (len(encoder.prefix), len(encoder.suffix)) == (1, 1)
    assert tokenizer.truncation is not None, "the caller's tokenizer is left as it was"


@of_each_kind
def test_a_saved_encoder_encodes_the_same(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "tokenizer.json")
    loaded = TextEncoder.load(tmp_path / "tokenizer.json")
    text = " ".join(SENTENCES)
    mine, other = encoder.encode(text), loaded.encode(text)
    assert (loaded.prefix, loaded.suffix) == (encoder.prefix, encoder.suffix)
    assert mine.tokens.tolist() == other.tokens.tolist()


@of_each_kind
@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u2028\t"])
def test_a_blank_text_has_no_words_and_no_tokens(encoder: TextEncoder, text: str) -> None:
    encoded = encoder.encode(text)
    assert encoded.words.shape == (0, 2)
    assert all(
        len(column) == 0
        for column in (encoded.sentences, encoded.tokens, encoded.shapes, encoded.first)
    )


@of_each_kind
def test_two_hundred_thousand_line_breaks_are_no_tokens(encoder: TextEncoder) -> None:
    began = time.process_time()
    encoded = encoder.encode("Osh" + "\n" * 200_000 + "Batken")
    assert time.process_time() - began < 3
    assert encoded.words.tolist() == [[0, 3], [200_003, 200_009]]
    assert len(encoded.tokens) < 20
    assert encoded.sentences.tolist() == [0, 1]


def shapes_of_words(encoded: EncodedText) -> list[int]:
    """The shape of each word's first token."""
    return encoded.shapes[encoded.first].tolist()


def test_shapes_keep_the_case_that_an_uncased_tokenizer_forgets() -> None:
    encoder = ENCODERS["word-piece"]
    lower, upper, title = encoder.encode("osh"), encoder.encode("OSH"), encoder.encode("Osh")
    assert lower.tokens.tolist() == upper.tokens.tolist() == title.tokens.tolist()
    assert len({shapes_of_words(encoded)[0] for encoded in (lower, upper, title)}) == 3


def test_each_class_of_word_has_a_shape_of_its_own() -> None:
    encoded = ENCODERS["word-piece"].encode("- 66 5th osh OSH A Osh iPad")
    assert len(set(shapes_of_words(encoded))) == 8


def test_shapes_tell_glued_words_and_later_tokens() -> None:
    encoded = ENCODERS["word-piece"].encode("x - y-bishkekoshbakhmut")
    apart, glued = (shapes_of_words(encoded)[index] for index in (1, 3))
    assert glued == apart + 8
    long = encoded.shapes[encoded.first[-1] :]
    assert len(long) > 1
    assert np.unique(long[1:]).tolist() == [long[0] + 16]


@pytest.mark.parametrize("kind", ["word-piece", "byte-level", "byte-level, trimmed"])
def test_a_mark_spelled_out_in_a_text_is_text(kind: str) -> None:
    encoder = ENCODERS[kind]
    mark = encoder.tokenizer.id_to_token(encoder.suffix[0])
    assert encoder.suffix[0] not in encoder.encode(f"Osh {mark} Batken").tokens


def test_a_sentence_is_cut_after_so_many_words() -> None:
    text = "Osh fell. And " + "and " * (2 * MAX_SENTENCE_WORDS + 2) + "ran. Osh fell."
    sentences = TextEncoder(word_piece()).encode(text).sentences
    names, lengths = np.unique(sentences, return_counts=True)
    assert names.tolist() == list(range(5))
    # The first sentence ends with its full stop; the long one has "ran" and its full stop too.
    assert lengths.tolist() == [3, MAX_SENTENCE_WORDS, MAX_SENTENCE_WORDS, 5, 3]
