import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from pressgang.config import WindowConfig
from pressgang.text.batches import SpanBatch, View, span_batch, window_batch
from pressgang.text.encoding import EncodedText, TextEncoder
from pressgang.text.tagging import Spans
from pressgang.text.windows import cut

LEGAL = np.array([[False, True], [True, True]])
CONFIG = WindowConfig(tokens=40, core_tokens=16, right_tokens=8)


def letters() -> TextEncoder:
    """An uncased encoder whose every letter is a token, so that tokens can be read as text."""
    signs = "abcdefghijklmnopqrstuvwxyz.,"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *signs, *(f"##{sign}" for sign in signs)]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return TextEncoder(tokenizer)


LETTERS = letters()

sentences = st.lists(st.text("abxyz", min_size=1, max_size=5), min_size=1, max_size=6).map(
    lambda words: f"{' '.join(words).capitalize()}. "
)
texts = st.lists(sentences, min_size=1, max_size=10).map("".join)


def views_of(text: str) -> list[View]:
    encoded = LETTERS.encode(text)
    return [View(encoded, window) for window in cut(encoded, CONFIG)]


def read(ids: np.ndarray) -> str:
    """Tokens of letters as the text they were, without its blanks."""
    return "".join(LETTERS.tokenizer.id_to_token(int(i)).removeprefix("##") for i in ids)


def surface(text: str, encoded: EncodedText, start: int, end: int) -> str:
    """The words `start` to `end` (inclusive) in lower case, without blanks."""
    characters = text[encoded.words[start, 0] : encoded.words[end, 1]]
    return characters.lower().replace(" ", "")


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, Spans]:
    """A text and spans of up to three words within its sentences, without overlap, in order."""
    text = draw(texts)
    encoded = LETTERS.encode(text)
    found, at = [], 0
    while at < len(encoded.words):
        end = min(at + draw(st.integers(0, 2)), len(encoded.words) - 1)
        if encoded.sentences[at] == encoded.sentences[end] and draw(st.booleans()):
            found.append((at, end, draw(st.integers(0, 1))))
        at = end + 1
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    return text, Spans(table[:, 0], table[:, 1], table[:, 2], np.ones(len(table)))


def within(spans: Spans, view: View) -> np.ndarray:
    """Positions of the spans that lie within a window."""
    window = view.window
    return np.flatnonzero((spans.start >= window.start_word) & (spans.end < window.end_word))


@given(st.lists(texts, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_first_token_of_each_word_is_its_beginning(found: list[str]) -> None:
    named = [(text, view) for text in found for view in views_of(text)]
    batch = window_batch([view for _, view in named], LETTERS)
    for row, (text, view) in enumerate(named):
        words = range(view.window.start_word, view.window.end_word)
        for column, word in enumerate(words):
            token = batch.tokens[row, batch.first[row, column]]
            assert read(token[None]) == surface(text, view.encoded, word, word)[0]


@given(st.lists(texts, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_each_row_is_a_framed_window_and_then_padding(found: list[str]) -> None:
    named = [(text, view) for text in found for view in views_of(text)]
    batch = window_batch([view for _, view in named], LETTERS)
    assert batch.tokens.shape == batch.shapes.shape == batch.mask.shape
    assert batch.tokens.shape[1] == max(view.n_tokens for _, view in named) + 2
    for row, (text, view) in enumerate(named):
        n_tokens = view.n_tokens + 2
        assert n_tokens <= CONFIG.tokens
        assert batch.mask[row].tolist() == [1] * n_tokens + [0] * (len(batch.mask[row]) - n_tokens)
        inside = surface(text, view.encoded, view.window.start_word, view.window.end_word - 1)
        assert read(batch.tokens[row, :n_tokens]) == f"[CLS]{inside}[SEP]"
        assert not batch.tokens[row, n_tokens:].any()
        assert not batch.shapes[row, [0, *range(n_tokens - 1, batch.shapes.shape[1])]].any()
        assert batch.shapes[row, 1 : n_tokens - 1].all()


def test_a_window_is_the_same_alone_and_in_company() -> None:
    short, long = views_of("A b.")[0], views_of("Abc xyz abc. Xyz ab.")[0]
    alone, together = window_batch([short], LETTERS), window_batch([long, short], LETTERS)
    width = short.n_tokens + 2
    for name in ("tokens", "shapes", "mask"):
        mine, shared = getattr(alone, name), getattr(together, name)
        assert mine[0].tolist() == shared[1, :width].tolist()
    assert alone.first[0].tolist() == together.first[1, : alone.first.shape[1]].tolist()


def batch_of(text: str, spans: Spans, *, owned_only: bool) -> tuple[SpanBatch, np.ndarray]:
    """All windows of a text in one batch, and which of the text's spans each of its spans is."""
    views = views_of(text)
    positions = [within(spans, view) for view in views]
    batch = span_batch(
        views, [spans.take(p) for p in positions], LEGAL, LETTERS, owned_only=owned_only
    )
    return batch, np.concatenate(positions)


@given(marked_texts())
@settings(max_examples=40, deadline=None)
def test_the_tokens_of_each_span_are_its_words(marked: tuple[str, Spans]) -> None:
    text, spans = marked
    views = views_of(text)
    tokens = window_batch(views, LETTERS).tokens
    batch, place = batch_of(text, spans, owned_only=False)
    for index, span in enumerate(place):
        inside = slice(batch.first[index], batch.last[index] + 1)
        assert read(tokens[batch.window[index], inside]) == surface(
            text, views[0].encoded, int(spans.start[span]), int(spans.end[span])
        )
        assert batch.label[index] == spans.label[span]


@given(marked_texts())
@settings(max_examples=60, deadline=None)
def test_each_pair_within_reach_is_owned_by_the_window_of_its_later_span(
    marked: tuple[str, Spans],
) -> None:
    text, spans = marked
    expected = []
    for row, view in enumerate(views_of(text)):
        core = range(view.window.core_start, view.window.core_end)
        visible = within(spans, view).tolist()
        expected += [
            (row, head, tail)
            for head in visible
            for tail in visible
            if head != tail
            and LEGAL[spans.label[head], spans.label[tail]]
            and max(spans.start[head], spans.start[tail]) in core
        ]
    batch, place = batch_of(text, spans, owned_only=True)
    owned = list(
        zip(
            batch.window[batch.head].tolist(),
            place[batch.head].tolist(),
            place[batch.tail].tolist(),
            strict=True,
        )
    )
    assert owned == expected
    pairs = [pair for _, *pair in owned]
    assert len(pairs) == len({tuple(pair) for pair in pairs}), "a pair has two owners"


@given(marked_texts())
@settings(max_examples=40, deadline=None)
def test_no_pair_of_one_sentence_is_without_an_owner(marked: tuple[str, Spans]) -> None:
    text, spans = marked
    encoded = LETTERS.encode(text)
    sizes = np.bincount(encoded.sentences, weights=encoded.last - encoded.first + 1)
    sentence = encoded.sentences[spans.start]
    expected = {
        (head, tail)
        for head in range(len(spans))
        for tail in range(len(spans))
        if head != tail
        and sentence[head] == sentence[tail]
        and sizes[sentence[head]] <= CONFIG.core_tokens
        and LEGAL[spans.label[head], spans.label[tail]]
    }
    batch, place = batch_of(text, spans, owned_only=True)
    assert expected <= set(zip(place[batch.head].tolist(), place[batch.tail].tolist(), strict=True))


@given(marked_texts())
@settings(max_examples=40, deadline=None)
def test_distance_is_counted_in_sentences_of_the_document(marked: tuple[str, Spans]) -> None:
    text, spans = marked
    sentence = LETTERS.encode(text).sentences[spans.start]
    batch, place = batch_of(text, spans, owned_only=False)
    for head, tail, distance in zip(batch.head, batch.tail, batch.distance, strict=True):
        apart = abs(sentence[place[head]] - sentence[place[tail]])
        assert distance == min(apart, 4)


@pytest.mark.parametrize("owned_only", [True, False])
def test_windows_without_spans_have_no_pairs(owned_only: bool) -> None:
    views = views_of("Abc xyz. Abc.")
    batch = span_batch(views, [Spans.none()] * len(views), LEGAL, LETTERS, owned_only=owned_only)
    assert all(len(getattr(batch, name)) == 0 for name in ("window", "first", "head", "distance"))
