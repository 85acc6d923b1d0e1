"""What an uncased tokenizer forgets of words: eight classes of case and kind."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_Bits = npt.NDArray[np.uint8]

_SEEN, _ALPHANUMERIC, _ALPHABETIC, _DIGIT, _LOWER, _UPPER, _TITLE = (1 << n for n in range(7))
_CASES = _LOWER | _UPPER | _TITLE

_TRAITS: _Bits = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
"""The traits of each character, 0 until it is met."""


def word_classes(text: str, words: Ints) -> Ints:
    """The class of each word `[n_words]`, the words being character ranges `[n_words, 2]`.

    0 mark, 1 digits, 2 digits and letters, 3 lower, 4 UPPER, 5 A, 6 Capital, 7 oThEr (letters
    without case, too).
    """
    traits = np.append(_traits(text), np.uint8(0))  # a word may end where the text does
    first = traits[words[:, 0]]
    rest = np.bitwise_or.reduceat(traits, (words + np.array([1, 0])).ravel())[::2]
    is_long = words[:, 1] - words[:, 0] > 1
    rest = np.where(is_long, rest, np.uint8(0))
    every = first | rest
    is_upper = every & _CASES == _UPPER
    has_digit = every & _DIGIT > 0
    classes: Ints = np.select(
        [
            every & _ALPHANUMERIC == 0,
            has_digit & (every & _ALPHABETIC > 0),
            has_digit,
            every & _CASES == _LOWER,
            is_upper & is_long,
            is_upper,
            (first & _UPPER > 0) & (rest & _CASES == _LOWER),
        ],
        [0, 2, 1, 3, 4, 5, 6],
        default=7,
    )
    return classes


def _traits(text: str) -> _Bits:
    """The traits of each character of a text; Python is asked once about each that ever occurs."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    found = _TRAITS[codes]
    if not found.all():
        for code in np.unique(codes[found == 0]).tolist():
            _TRAITS[code] = _traits_of(chr(code))
        found = _TRAITS[codes]
    return found


def _traits_of(character: str) -> int:
    is_upper = character.isupper()
    return (
        _SEEN
        | _ALPHANUMERIC * character.isalnum()
        | _ALPHABETIC * character.isalpha()
        | _DIGIT * character.isdigit()
        | _LOWER * character.islower()
        | _UPPER * is_upper
        | _TITLE * (character.istitle() and not is_upper)
    )
