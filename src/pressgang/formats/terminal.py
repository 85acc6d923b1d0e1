"""Documents on a terminal: the text with its entities marked, and who did what beneath."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from rich.color import Color
from rich.console import Group
from rich.style import Style
from rich.text import Text

from pressgang.document import Document, Entity
from pressgang.formats.colors import parse_color
from pressgang.printable import printable
from pressgang.schema import Schema
from pressgang.text.segmentation import sentence_starts


def render_document(document: Document, schema: Schema) -> Group:
    """The sentences that hold entities, each with the relations that end in it.

    An entity stands in the colour of its label, with the label behind it, so that it can be told
    without colours too. Sentences without entities are counted, not shown.
    """
    lines: list[Text] = [Text(_flat(document.id), Style(bold=True))]
    borders = [*sentence_starts(document.text).tolist(), len(document.text)]
    n_bare = 0
    for start, end in itertools.pairwise(borders):
        inside = [e for e in document.entities if start <= e.start < end]
        if not inside:
            n_bare += bool(document.text[start:end].strip())
            continue
        lines.append(_marked(document, inside, start, end, schema))
        lines.extend(_relations(document, start, end))
    if n_bare:
        lines.append(Text(f"({n_bare} more sentences or lines without entities)", Style(dim=True)))
    return Group(*lines)


def _marked(
    document: Document, entities: list[Entity], start: int, end: int, schema: Schema
) -> Text:
    line, at = Text("\n"), start
    for entity in entities:
        if entity.start < at:  # overlapping gold: the first one is shown
            continue
        line.append(_flat(document.text[at : entity.start]))
        color = parse_color(schema.colors.get(entity.label, ""))
        style = Style(bold=True, color=None if color is None else Color.from_rgb(*color))
        line.append(_flat(document.surface(entity)), style)
        line.append(f" {_flat(entity.label)}", Style(dim=True))
        at = entity.end
    line.append(_flat(document.text[at:end]).rstrip())
    return line


def _relations(document: Document, start: int, end: int) -> Iterator[Text]:
    for relation in document.relations:
        later = max(relation.head.start, relation.tail.start)
        if start <= later < end:
            score = "" if relation.score is None else f"  {relation.score:.2f}"
            head, tail = (_flat(document.surface(e)) for e in (relation.head, relation.tail))
            label = f" {_flat(relation.label)} "
            yield Text.assemble("    ", head, (label, "italic"), tail, (score, "dim"))


def _flat(text: str) -> str:
    """The text on one line, safe to print."""
    return printable(" ".join(text.split("\n")).replace("\r", " ").replace("\t", " "))
