"""Training documents in other names, other cases, other quotation marks and other company.

Each change is made on a Document, so that mentions and relations keep their places by construction
and what the model reads is again a Document. Replacing mentions by others of their kind follows
Dai and Adel (2020); lower-casing copies follows Mayhew et al. (2019).
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pressgang.config import AugmentationConfig
from pressgang.document import Document, Entity
from pressgang.text.segmentation import words

_MIN_SAME_HEAD = 3
_SHORT_WORD = 3
_FINAL_MARKS = re.compile(r"[.!?…]+(?=[\"”’»)]*\s*(?:\n|$))")
_PAIRS = (("“", "”"), ("«", "»"), ('"', '"'), ("„", "“"))
_QUOTED = re.compile(r"[“„«\"]([^“”„«»\"\n]*)[”“»\"]")
_APOSTROPHE = re.compile(r"(?<=\w)[’'](?=\w)")


class NameList:
    """The names that may stand for mentions of one label.

    Each entry is a row of columns of alternatives: one of each column, joined by blanks, is a name.
    """

    def __init__(self, entries: Sequence[tuple[tuple[str, ...], ...]]) -> None:
        """The entries; each weighs as many names as its longest column has."""
        self.entries = tuple(entries)
        whole = [name for columns in entries if len(columns) == 1 for name in columns[0]]
        heads: dict[str, list[str]] = {}
        for name in whole:
            if len(name.split()) > 1:
                heads.setdefault(name.split()[-1], []).append(name)
        self._by_head = {head: n for head, n in heads.items() if len(n) >= _MIN_SAME_HEAD}
        self._groups = {
            is_plural: [columns for columns in entries if _is_plural(columns[-1][0]) == is_plural]
            for is_plural in (False, True)
        }
        self._weights = {
            is_plural: np.cumsum([max(map(len, columns)) for columns in group])
            for is_plural, group in self._groups.items()
        }

    @classmethod
    def read(cls, path: Path) -> NameList:
        """The list in a text file: a name a line, or columns parted by `|`, alternatives by `,`.

        Lines that begin with `#` and empty ones are skipped. Raises ValueError naming file and line
        if a column or an alternative is empty, or if there is no name at all.
        """
        entries = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            columns = tuple(
                tuple(name.strip() for name in column.split(",")) for column in line.split("|")
            )
            if not all(itertools.chain.from_iterable(columns)):
                raise ValueError(f"{path}: line {number}: a name is empty in {line.strip()!r}")
            entries.append(columns)
        if not entries:
            raise ValueError(f"{path}: no name in it; expected one a line")
        return cls(entries)

    def draw(self, surface: str, random: np.random.Generator) -> str:
        """A name to stand for a mention, in capitals or lower case where the mention is.

        With the same last word where the list has several (`Court`), else with the same number as
        far as an `s` at the end tells it (`Uzbek`, `Uzbeks`).
        """
        same_head = self._by_head.get(surface.split()[-1])
        if same_head:
            name = same_head[random.integers(len(same_head))]
        else:
            is_plural = _is_plural(surface)
            is_plural = is_plural if self._groups[is_plural] else not is_plural
            weights = self._weights[is_plural]
            place = np.searchsorted(weights, random.integers(weights[-1]), side="right")
            columns = self._groups[is_plural][place]
            name = " ".join(column[random.integers(len(column))] for column in columns)
        if len(surface) > _SHORT_WORD and surface.isupper():
            return name.upper()
        return name.lower() if surface.islower() else name


class Augmenter:
    """Makes copies of training documents by the shares in an `AugmentationConfig`.

    `furniture` are texts without mentions, to stand before and after others.
    """

    def __init__(self, config: AugmentationConfig, furniture: Sequence[str] = ()) -> None:
        """Read the name lists, `<LABEL>.txt` in the folder `config.lists`.

        Raises ValueError if mentions are to be replaced and there is no list, or one is no list.
        """
        self.config, self.furniture = config, tuple(furniture)
        self.lists: dict[str, NameList] = {}
        if config.replaced:
            self.lists = {path.stem: NameList.read(path) for path in list_files(config)}
            if not self.lists:
                raise ValueError(f"[augmentation] lists is {config.lists!r}: no LABEL.txt there")

    def __call__(self, document: Document, random: np.random.Generator) -> Document:
        """A copy of the document, changed or not: mentions and relations stay what they are."""
        config = self.config
        if config.replaced:
            document = self._replaced(document, random)
        if random.random() < config.quotes:
            document = _requoted(document, random)
        if random.random() < config.unfinished:
            document = edited(document, [(*m.span(), "") for m in _final_marks(document)])
        chance = random.random()
        if chance < config.lower_case:
            document = _recased(document, str.lower)
        elif chance < config.lower_case + config.headline_case:
            document = _headline(document)
        if self.furniture and random.random() < config.furniture:
            before, after = (
                self.furniture[i] for i in random.integers(len(self.furniture), size=2)
            )
            n_before, n_after = random.integers(1, 6, size=2)
            document = _framed(
                document,
                "\n".join(before.splitlines()[:n_before]) + "\n\n",
                "\n" + "\n".join(after.splitlines()[-n_after:]) + "\n",
            )
        return document

    def _replaced(self, document: Document, random: np.random.Generator) -> Document:
        """With some surfaces replaced, each by one other name throughout the document."""
        kept = {
            entity
            for relation in document.relations
            if relation.label in self.config.kept_by
            for entity in (relation.head, relation.tail)
        }
        kept_surfaces = {document.surface(entity) for entity in kept}
        chosen: dict[tuple[str, str], str] = {}
        edits = []
        for entity in _apart(document.entities):
            names = self.lists.get(entity.label)
            surface = document.surface(entity)
            if names is None or surface in kept_surfaces:
                continue
            key = (entity.label, surface)
            if key not in chosen:
                chosen[key] = _part_of_chosen(chosen, key) or (
                    names.draw(surface, random)
                    if random.random() < self.config.replaced
                    else surface
                )
            edits.append((entity.start, entity.end, chosen[key]))
        return edited(document, edits)


def list_files(config: AugmentationConfig) -> list[Path]:
    """The files with the names that may replace mentions, one for each label."""
    return sorted(Path(config.lists).glob("*.txt")) if config.lists else []


def _is_plural(name: str) -> bool:
    return name[-1:] in "sS" and len(name) > 1


def edited(document: Document, edits: Iterable[tuple[int, int, str]]) -> Document:
    """The document with pieces `[start, end)` of its text replaced, mentions moved along.

    A piece is not empty, and is a whole mention, lies within one behind its first character, or
    lies outside of all; pieces do not overlap.
    """
    pieces, at, moved = [], 0, 0
    ends, shifts = [0], [0]
    for start, end, text in sorted(edits):
        pieces += [document.text[at:start], text]
        moved += len(text) - (end - start)
        at = end
        ends.append(end)
        shifts.append(moved)
    pieces.append(document.text[at:])

    def shift(offset: int) -> int:
        return offset + shifts[bisect.bisect_right(ends, offset) - 1]

    return _moved(document, "".join(pieces), shift)


def _framed(document: Document, before: str, after: str) -> Document:
    """The document between two other texts."""
    return _moved(document, before + document.text + after, lambda offset: offset + len(before))


def _moved(document: Document, text: str, shift: Callable[[int], int]) -> Document:
    """The document with another text, in which each offset has another place."""
    new = {e: replace(e, start=shift(e.start), end=shift(e.end)) for e in document.entities}
    relations = (replace(r, head=new[r.head], tail=new[r.tail]) for r in document.relations)
    return Document(document.id, text, tuple(new.values()), tuple(relations))


def _apart(entities: Sequence[Entity]) -> list[Entity]:
    """The mentions that overlap no other."""
    return [
        e for e in entities if not any(e is not other and e.overlaps(other) for other in entities)
    ]


def _part_of_chosen(chosen: Mapping[tuple[str, str], str], key: tuple[str, str]) -> str | None:
    """What answers to a bare first or last word of a name for which another is chosen already."""
    label, surface = key
    for (other_label, old), new in chosen.items():
        parts = old.split()
        if other_label == label and len(parts) > 1 and surface in (parts[0], parts[-1]):
            return new.split()[0 if surface == parts[0] else -1]
    return None


def _requoted(document: Document, random: np.random.Generator) -> Document:
    """With the quotation marks and apostrophes of another style; each is one character."""
    opening, closing = _PAIRS[random.integers(len(_PAIRS))]
    apostrophe = "’'"[random.integers(2)]
    text = list(document.text)
    for match in _QUOTED.finditer(document.text):
        text[match.start()] = opening
        text[match.end() - 1] = closing
    for match in _APOSTROPHE.finditer(document.text):
        text[match.start()] = apostrophe
    return replace(document, text="".join(text))


def _final_marks(document: Document) -> list[re.Match[str]]:
    """The marks at the ends of lines that belong to no mention."""
    return [
        match
        for match in _FINAL_MARKS.finditer(document.text)
        if not any(e.start < match.end() and match.start() < e.end for e in document.entities)
    ]


def _recased(document: Document, case: Callable[[str], str]) -> Document:
    """With each character in another case, where that is one character too."""
    text = "".join(c if len(case(c)) != 1 else case(c) for c in document.text)
    return replace(document, text=text)


def _headline(document: Document) -> Document:
    """With a capital at the beginning of each word but the shortest, as headlines have it."""
    text = list(document.text)
    for start, end in words(document.text).tolist():
        if end - start > _SHORT_WORD and len(text[start].upper()) == 1:
            text[start] = text[start].upper()
    return replace(document, text="".join(text))
