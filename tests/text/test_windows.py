from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.config import WindowConfig
from pressgang.text.encoding import EncodedText
from pressgang.text.windows import Window, cut

N_SPECIAL = 2


def encoded_of(sentences: list[list[int]]) -> EncodedText:
    """A text of sentences of words of so many tokens; a word of 0 lies in the token before it."""
    sizes = [size for sentence in sentences for size in sentence]
    numbers = [number for number, sentence in enumerate(sentences) for _ in sentence]
    last = np.array(list(accumulate(sizes)), dtype=np.int64) - 1
    first = np.where(np.array(sizes, dtype=np.int64) == 0, last, last - sizes + 1)
    n_tokens = sum(sizes)
    starts = np.arange(len(sizes)) * 2
    return EncodedText(
        np.stack([starts, starts + 1], axis=1).reshape(-1, 2),
        np.array(numbers, dtype=np.int64),
        np.arange(n_tokens) + 100,
        np.ones(n_tokens, dtype=np.int64),
        first.astype(np.int64),
        last,
    )


@st.composite
def encoded_texts(draw: st.DrawFn, *, smallest_word: int = 0) -> EncodedText:
    word = st.sampled_from([1, 1, 1, 1, 2, 3, 9, smallest_word])
    sentences = draw(st.lists(st.lists(word, min_size=1, max_size=12), max_size=12))
    if sentences and sentences[0][0] == 0:
        sentences[0][0] = 1
    return encoded_of(sentences)


@st.composite
def configs(draw: st.DrawFn) -> WindowConfig:
    core, right = draw(st.integers(1, 14)), draw(st.integers(0, 8))
    return WindowConfig(core + right + N_SPECIAL + draw(st.integers(0, 20)), core, right)


def n_tokens(encoded: EncodedText, start_word: int, end_word: int) -> int:
    return int(encoded.last[end_word - 1] - encoded.first[start_word] + 1)


def is_border(encoded: EncodedText, word: int, limit: int) -> bool:
    """Whether a sentence begins (or the text ends) at a word, or its sentence exceeds the limit."""
    sentences = encoded.sentences
    if word in (0, len(sentences)) or sentences[word] != sentences[word - 1]:
        return True
    inside = np.flatnonzero(sentences == sentences[word])
    return n_tokens(encoded, int(inside[0]), int(inside[-1]) + 1) > limit


first_cores = st.none() | st.integers(1, 14)
"""None, or a first core that `shorter` holds to the size of the others."""


def shorter(first_core: int | None, config: WindowConfig) -> int | None:
    return None if first_core is None else min(first_core, config.core_tokens)


@given(encoded_texts(), configs(), first_cores)
@settings(max_examples=60, deadline=None)
def test_every_word_is_owned_once_and_in_order(
    encoded: EncodedText, config: WindowConfig, first_core: int | None
) -> None:
    owned: list[int] = []
    for window in cut(encoded, config, first_core=shorter(first_core, config)):
        assert window.start_word <= window.core_start < window.core_end <= window.end_word
        owned += range(window.core_start, window.core_end)
    assert owned == list(range(len(encoded.words)))


@given(encoded_texts(), configs(), first_cores)
@settings(max_examples=60, deadline=None)
def test_a_window_fits_unless_one_word_does_not(
    encoded: EncodedText, config: WindowConfig, first_core: int | None
) -> None:
    first_core = shorter(first_core, config)
    for window in cut(encoded, config, n_special=N_SPECIAL, first_core=first_core):
        fits = n_tokens(encoded, window.start_word, window.end_word) + N_SPECIAL <= config.tokens
        assert fits or window.end_word - window.start_word == 1


@given(encoded_texts(), configs(), first_cores)
@settings(max_examples=60, deadline=None)
def test_cores_and_windows_end_at_sentences_unless_one_exceeds_a_core(
    encoded: EncodedText, config: WindowConfig, first_core: int | None
) -> None:
    for window in cut(encoded, config, first_core=shorter(first_core, config)):
        for word in (window.start_word, window.core_start, window.core_end, window.end_word):
            assert is_border(encoded, word, config.core_tokens)


@given(encoded_texts(smallest_word=1), configs())
@settings(max_examples=60, deadline=None)
def test_a_core_takes_every_sentence_that_fits(encoded: EncodedText, config: WindowConfig) -> None:
    windows = cut(encoded, config)
    for window, following in pairwise(windows):
        sentence = encoded.sentences[following.core_start]
        end = int(np.searchsorted(encoded.sentences, sentence, side="right"))
        assert n_tokens(encoded, window.core_start, end) > config.core_tokens


@given(encoded_texts(smallest_word=1), configs(), first_cores)
@settings(max_examples=60, deadline=None)
def test_a_word_up_to_the_context_reach_before_a_core_is_in_its_window(
    encoded: EncodedText, config: WindowConfig, first_core: int | None
) -> None:
    reach = config.tokens - config.core_tokens - config.right_tokens - N_SPECIAL
    first_core = shorter(first_core, config)
    for window in cut(encoded, config, n_special=N_SPECIAL, first_core=first_core):
        if n_tokens(encoded, window.core_start, window.core_end) > config.core_tokens:
            continue
        for word in range(window.core_start):
            sentence = int(np.searchsorted(encoded.sentences, encoded.sentences[word]))
            if n_tokens(encoded, sentence, window.core_start) <= reach:
                assert window.start_word <= word


def test_context_is_whole_sentences_on_both_sides() -> None:
    encoded = encoded_of([[1] * 4] * 6)
    config = WindowConfig(tokens=20, core_tokens=8, right_tokens=4)
    assert cut(encoded, config) == [
        Window(0, 16, 0, 8),
        Window(4, 20, 8, 16),
        Window(12, 24, 16, 24),
    ]


def test_a_sentence_longer_than_a_core_is_cut_between_words() -> None:
    encoded = encoded_of([[3, 3, 3], [1]])
    config = WindowConfig(tokens=7, core_tokens=4, right_tokens=0)
    cores = [(w.core_start, w.core_end) for w in cut(encoded, config)]
    assert cores == [(0, 1), (1, 2), (2, 4)]


def test_a_shorter_first_core_moves_every_border() -> None:
    encoded = encoded_of([[1] * 4] * 6)
    config = WindowConfig(tokens=20, core_tokens=8, right_tokens=4)
    cores = [(w.core_start, w.core_end) for w in cut(encoded, config, first_core=4)]
    assert cores == [(0, 4), (4, 12), (12, 20), (20, 24)]


def test_a_text_without_words_has_no_windows() -> None:
    assert cut(encoded_of([]), WindowConfig()) == []


@pytest.mark.parametrize("n_sentences", [1, 5000])
def test_a_text_of_any_length_has_windows(n_sentences: int) -> None:
    encoded = encoded_of([[1] * 20] * n_sentences)
    windows = cut(encoded, WindowConfig())
    assert windows[-1].core_end == 20 * n_sentences
