"""Words such that every entity of a document begins and ends with one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pressgang.document import Document
from pressgang.text.segmentation import words


def word_spans(document: Document) -> npt.NDArray[np.int64]:
    """Character offsets `[n_words, 2]` of the words, cut where an entity begins or ends inside one.

    "Osh-based" with the entity [0, 2) gives Os, h, -, based. White space is in no word.
    """
    found = words(document.text)
    borders = np.unique([at for e in document.entities for at in (e.start, e.end)] or [0])
    word = np.searchsorted(found[:, 0], borders, side="right") - 1
    is_inside = word >= 0
    is_inside[is_inside] = found[word[is_inside], 0] < borders[is_inside]
    is_inside[is_inside] = borders[is_inside] < found[word[is_inside], 1]
    cuts = borders[is_inside]
    starts, ends = np.append(found[:, 0], cuts), np.append(found[:, 1], cuts)
    return np.column_stack([np.sort(starts), np.sort(ends)])
