"""Documents as one self-contained HTML page on which a reader checks entities and relations."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import pairwise

import numpy as np

from pressgang.document import Document, Entity, Relation
from pressgang.formats.colors import label_style
from pressgang.schema import Schema
from pressgang.text.segmentation import sentence_starts

UNSURE_BELOW = 0.5
"""Entities with a lower score are underlined with dashes."""

NOTICE = "Predictions of a statistical model: reported allegations are not facts; check the source."

# What HTML does not allow or a browser does not show: controls, surrogates, non-characters.
_UNSHOWABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def render_page(documents: Iterable[Document], schema: Schema, *, title: str) -> Iterator[str]:
    """The pieces, in order, of an HTML page that shows the documents and loads nothing.

    The pieces joined are the page; encode it as UTF-8. The documents are held in memory, the page
    is not. The same documents give the same page. Labels that the schema lacks are shown too.
    """
    documents = tuple(documents)
    entity_counts = Counter(e.label for document in documents for e in document.entities)
    relation_counts = Counter(r.label for document in documents for r in document.relations)
    entity_classes = _classes("l", schema.entity_labels, entity_counts)
    relation_classes = _classes("r", schema.relation_labels, relation_counts)
    style = files("pressgang.formats").joinpath("page.css").read_text("utf-8") + label_style(
        {name: schema.colors.get(label, "") for label, name in entity_classes.items()}
    )
    script = files("pressgang.formats").joinpath("page.js").read_text("utf-8")
    yield _opening(documents, title, style, script)
    yield "<aside><details open>\n<summary>Legend</summary>\n"
    yield _legend("Entities", entity_classes, entity_counts)
    yield _legend("Relations", relation_classes, relation_counts)
    yield _controls(documents)
    yield "</details></aside>\n<main>\n"
    if len(documents) > 1:
        yield _overview(documents)
    for number, document in enumerate(documents, 1):
        position = {entity: index for index, entity in enumerate(document.entities)}
        view = _View(document, number, position, entity_classes, relation_classes)
        yield from _article(view)
    yield (
        f'</main>\n<footer>{NOTICE}</footer>\n<svg class="arcs" aria-hidden="true"></svg>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


@dataclass(frozen=True, slots=True)
class _View:
    """A document with what its page needs: entities' positions, labels' CSS classes."""

    document: Document
    number: int
    position: Mapping[Entity, int]
    entity_classes: Mapping[str, str]
    relation_classes: Mapping[str, str]


def _classes(prefix: str, labels: Iterable[str], found: Iterable[str]) -> dict[str, str]:
    """The CSS class of each label: those of the schema in its order, then the others sorted."""
    ordered = list(labels)
    ordered += sorted(set(found) - set(ordered))
    return {label: f"{prefix}{index}" for index, label in enumerate(ordered)}


def _opening(documents: Sequence[Document], title: str, style: str, script: str) -> str:
    """The page up to its heading; its policy runs our one script and nothing a text brings in."""
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_shown(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<header id="top">\n<h1 dir="auto">{_shown(title)}</h1>\n'
        f"<p>{_count(len(documents), 'document', 'documents')} · {_totals(documents)}</p>\n"
        "</header>\n"
    )


def _digest(source: str) -> str:
    """The hash by which a Content-Security-Policy allows one inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _legend(heading: str, classes: Mapping[str, str], counts: Mapping[str, int]) -> str:
    """A list of labels with their counts, each a button that hides the label and shows it again."""
    if not classes:
        return ""
    buttons = []
    for label, name in classes.items():
        count = counts.get(label, 0)
        buttons.append(
            f'<li><button type="button" class="{name}" data-k="{name}" aria-pressed="true" '
            f'title="{_shown(label)}"{"" if count else " disabled"}>'
            f"<span>{_shown(label)}</span><b>{count:,}</b></button></li>\n"
        )
    return f"<h2>{heading}</h2>\n<ul>\n{''.join(buttons)}</ul>\n"


def _controls(documents: Iterable[Document]) -> str:
    """Switches below the legend: label names, and where there are scores the least one shown."""
    controls = '<label><input type="checkbox" id="names" checked> Label names in the text</label>\n'
    hint = "Point at a mention or a relation, or reach it with the Tab key, to see what it joins."
    scored = (part for d in documents for parts in (d.entities, d.relations) for part in parts)
    if any(part.score is not None for part in scored):
        controls += (
            '<label>Hide scores below <output for="least">0.00</output>'
            '<input type="range" id="least" min="0" max="1" step="0.05" value="0"></label>\n'
        )
        hint += f" Dashes mark entities with a score below {UNSURE_BELOW:.2f}."
    return f'{controls}<p class="hint">{hint}</p>\n'


def _overview(documents: Iterable[Document]) -> str:
    """A table of the documents and what is marked in each, with links to them."""
    rows = "".join(
        f'<tr><th scope="row"><a href="#d{number}"><bdi>{_name(document)}</bdi></a></th>'
        f"<td>{len(document.entities):,}</td><td>{len(document.relations):,}</td></tr>\n"
        for number, document in enumerate(documents, 1)
    )
    return (
        '<div class="overview" role="region" aria-label="Overview" tabindex="0">\n<table>\n'
        '<thead><tr><th scope="col">Document</th><th scope="col">Entities</th>'
        f'<th scope="col">Relations</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n'
    )


def _article(view: _View) -> Iterator[str]:
    """One document: a row for each sentence, holding its text and the relations stated in it.

    A relation across sentences stands with the later of its arguments.
    """
    document = view.document
    yield (
        f'<article aria-labelledby="d{view.number}">\n<header>\n'
        f'<h2 id="d{view.number}"><bdi>{_name(document)}</bdi></h2>\n'
        f'<p>{_totals((document,))} <span class="top">· <a href="#top">Top</a></span></p>\n'
        "</header>\n"
    )
    if not document.text:
        yield "<p>This document has no text.</p>\n</article>\n"
        return
    starts = sentence_starts(document.text)
    later = [max(r.head.start, r.tail.start) for r in document.relations]
    sentence_of = np.searchsorted(starts, later, side="right") - 1
    stated: dict[int, list[Relation]] = defaultdict(list)
    for relation, sentence in zip(document.relations, sentence_of.tolist(), strict=True):
        stated[sentence].append(relation)
    borders = [*starts.tolist(), len(document.text)]
    marked = zip(pairwise(borders), _marked_sentences(view, borders), strict=True)
    for sentence, ((start, end), text) in enumerate(marked):
        row = _row_class(document.text, start, end)
        yield f'<div class="{row}"><p dir="auto" lang="">{text}</p>'
        if stated[sentence]:
            yield f'\n<ul aria-label="Relations in sentence {sentence + 1}">\n'
            yield from (_relation(view, relation, start) for relation in stated[sentence])
            yield "</ul>"
        yield "</div>\n"
    yield "</article>\n"


def _row_class(text: str, start: int, end: int) -> str:
    """The CSS classes of a sentence's row: does it begin a line, does a blank line follow it."""
    sentence = text[start:end]
    line = " line" * (start == 0 or text[start - 1] in "\n\r\u2028\u2029")
    n_breaks = len(sentence[len(sentence.rstrip()) :].splitlines())
    return f"row{line}{' blank' * (n_breaks > 1)}"


def _relation(view: _View, relation: Relation, sentence_start: int) -> str:
    """A line of head, label, tail and score; an argument in an earlier sentence is called far."""
    arguments = []
    for entity in (relation.head, relation.tail):
        surface = _shown(view.document.surface(entity))
        far = " far" * (entity.start < sentence_start)
        arguments.append(
            f'<bdi class="{view.entity_classes[entity.label]}{far}" title="{surface}"'
            f"{_score_attribute(entity.score)}>{surface}</bdi>"
        )
    head, tail = arguments
    return (
        f'<li class="{view.relation_classes[relation.label]}" '
        f'data-h="{view.position[relation.head]}" data-t="{view.position[relation.tail]}"'
        f'{_score_attribute(relation.score)} tabindex="0">{head} '
        f"<span><b>{_shown(relation.label)}</b></span> {tail} "
        f"<small>{_rounded(relation.score)}</small></li>\n"
    )


def _marked_sentences(view: _View, borders: Iterable[int]) -> Iterator[str]:
    """The marked-up text of each sentence; an entity that crosses into the next is cut in two."""
    entities = view.document.entities
    index = 0
    inside: list[Entity] = []
    for start, end in pairwise(borders):
        inside = [entity for entity in inside if entity.end > start]
        while index < len(entities) and entities[index].start < end:
            inside.append(entities[index])
            index += 1
        yield _marked(view, start, end, inside)


def _marked(view: _View, start: int, end: int, entities: Iterable[Entity]) -> str:
    """The text from start to end with its entities as nested elements.

    Of two entities that cross, the later is closed at the earlier one's end and goes on after it:
    [0, 4) and [2, 6) over "abcdef" give `<mark>ab<mark>cd</mark></mark><mark>ef</mark>`. The last
    piece carries the label.
    """
    opening: dict[int, list[Entity]] = defaultdict(list)
    borders = {start, end}
    for entity in entities:
        opening[max(start, entity.start)].append(entity)
        borders |= {max(start, entity.start), min(end, entity.end)}
    pieces: list[str] = []
    stack: list[Entity] = []
    for at, following in pairwise(sorted(borders)):
        depth = next((i for i, entity in enumerate(stack) if entity.end <= at), len(stack))
        pieces += [_end_tag(entity, at) for entity in reversed(stack[depth:])]
        going_on = [entity for entity in stack[depth:] if entity.end > at]
        opened = sorted(going_on + opening[at], key=lambda e: (-e.end, e.start, e.label))
        stack[depth:] = opened
        pieces += [_start_tag(view, entity, at) for entity in opened]
        pieces.append(_shown(view.document.text[at:following]))
    pieces += [_end_tag(entity, end) for entity in reversed(stack)]
    return "".join(pieces)


def _start_tag(view: _View, entity: Entity, at: int) -> str:
    """The beginning of an entity's element; only its first piece is reached by the keyboard."""
    unsure = " weak" * (entity.score is not None and entity.score < UNSURE_BELOW)
    focusable = ' tabindex="0"' * (at == entity.start)
    return (
        f'<mark class="{view.entity_classes[entity.label]}{unsure}" '
        f'data-e="{view.position[entity]}"{_score_attribute(entity.score)}{focusable}>'
    )


def _end_tag(entity: Entity, at: int) -> str:
    """The end of an entity's element, with its label where the entity itself ends."""
    if entity.end > at:
        return "</mark>"
    label = _shown(entity.label)
    score = "" if entity.score is None else f" · score {entity.score:.4f}"
    return f'<i data-l="{label}" data-tip="{label}{score}"></i></mark>'


def _shown(text: str) -> str:
    """The text escaped for HTML, character for character, with what cannot be shown replaced.

    Controls below U+0020 become their control pictures (NUL gives ␀), all else becomes U+FFFD.
    """
    return escape(_UNSHOWABLE.sub(_replacement, text))


def _replacement(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


def _name(document: Document) -> str:
    return _shown(document.id) or "(no id)"


def _score_attribute(score: float | None) -> str:
    return "" if score is None else f' data-s="{score:.4f}"'


def _rounded(score: float | None) -> str:
    """Two decimals that never round up to certainty: 0.998 gives >0.99; gold gives nothing."""
    if score is None:
        return ""
    return "&gt;0.99" if 0.995 <= score < 1 else f"{score:.2f}"


def _count(n: int, singular: str, plural: str) -> str:
    return f"{n:,} {singular if n == 1 else plural}"


def _totals(documents: Iterable[Document]) -> str:
    n_entities = n_relations = 0
    for document in documents:
        n_entities += len(document.entities)
        n_relations += len(document.relations)
    entities = _count(n_entities, "entity", "entities")
    return f"{entities} · {_count(n_relations, 'relation', 'relations')}"
