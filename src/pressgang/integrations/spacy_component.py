"""A spaCy component: `nlp.add_pipe("pressgang", config={"model": "models/default"})`.

    doc = nlp("Askar was jailed for ten years in Osh.")
    doc.ents; doc.ents[0]._.score
    doc._.relations       # SpanRelation: head and tail (Span), label, score
    doc._.unaligned       # what the tokens of this Doc cannot hold, with character offsets
    doc._.document        # everything, as a pressgang Document

Installed beside spaCy it is found by that name. Every `Language` imports this module, so it loads
no model and claims no attribute before the component is made.
"""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import minibatch

import pressgang
from pressgang.document import Document, Entity, Relation
from pressgang.formats.docbin import USER_DATA_KEY, user_data

if TYPE_CHECKING:
    from pressgang.model.extractor import Extractor

# No `from __future__ import annotations` here: spaCy checks the factory's settings by its types.

_UNALIGNED = (
    "an entity begins or ends inside a spaCy token: it is not in doc.ents but in doc._.unaligned, "
    "with its relations; the component counts such entities in n_unaligned"
)


@dataclass(frozen=True, slots=True)
class SpanRelation:
    """A labelled, directed pair of spans of one Doc; `score` is a probability."""

    head: Span
    tail: Span
    label: str
    score: float | None


class SpacyComponent:
    """Writes what an extractor finds in a Doc's text to the Doc, in place of earlier `doc.ents`.

    `n_unaligned` counts the entities, over all Docs, that begin or end inside a token.
    """

    def __init__(self, extractor: "Extractor") -> None:
        self.extractor = extractor
        self.n_unaligned = 0

    def __call__(self, doc: Doc) -> Doc:
        """The Doc with what was found in it."""
        return next(self.pipe([doc]))

    def pipe(self, docs: Iterable[Doc], *, batch_size: int = 1000) -> Iterator[Doc]:
        """The Docs with what was found in them, in order, `batch_size` of them read at a time."""
        for batch in minibatch(docs, batch_size):
            found = self.extractor.predict_many(Document("", doc.text) for doc in batch)
            for doc, document in zip(batch, found, strict=True):
                yield self._write(doc, document)

    def _write(self, doc: Doc, found: Document) -> Doc:
        doc.user_data[USER_DATA_KEY] = user_data(found)
        document = _document(doc)
        spans = _spans(doc, document)
        doc.ents = tuple(spans.values())
        for entity, span in spans.items():
            span._.score = entity.score
        if n_unaligned := len(document.entities) - len(spans):
            self.n_unaligned += n_unaligned
            warnings.warn(_UNALIGNED, stacklevel=2)
        return doc


@Language.factory(
    "pressgang",
    default_config={"model": None, "device": "auto"},
    assigns=["doc.ents", "doc._.relations", "doc._.unaligned", "doc._.document", "span._.score"],
)
def create_component(
    nlp: Language,  # noqa: ARG001 - spaCy passes it, and the name
    name: str,  # noqa: ARG001
    model: str | None,
    device: str,
) -> SpacyComponent:
    """The component with the model in a folder, or the one that `pressgang.load` takes by itself.

    A pipeline that is saved names the model in its config and does not hold it.

    Raises ValueError if there is no model, it is damaged, or another package has claimed one of the
    attributes.
    """
    _claim_attributes()
    return SpacyComponent(pressgang.load(model, device=device))


def _claim_attributes() -> None:
    for name, getter in _GETTERS.items():
        if not Doc.has_extension(name) or Doc.get_extension(name)[2] is not getter:
            Doc.set_extension(name, getter=getter)
    if not Span.has_extension("score"):
        Span.set_extension("score", default=None)


def _document(doc: Doc) -> Document:
    """What the component found in a Doc, or `write_docbin` wrote with it; else nothing."""
    found = doc.user_data.get(USER_DATA_KEY, {"id": ""})
    # A DocBin gives tuples back for lists.
    marked = {name: list(found.get(name, ())) for name in ("entities", "relations")}
    return Document.from_dict({"id": found["id"], "text": doc.text} | marked)


def _relations(doc: Doc) -> tuple[SpanRelation, ...]:
    """The relations between entities that are spans of the Doc."""
    document = _document(doc)
    spans = _spans(doc, document)
    return tuple(
        SpanRelation(spans[r.head], spans[r.tail], r.label, r.score)
        for r in document.relations
        if r.head in spans and r.tail in spans
    )


def _unaligned(doc: Doc) -> tuple[Entity | Relation, ...]:
    """The entities that are no spans of the Doc, and the relations that have one."""
    document = _document(doc)
    spans = _spans(doc, document)
    return (
        *(e for e in document.entities if e not in spans),
        *(r for r in document.relations if not {r.head, r.tail} <= set(spans)),
    )


_GETTERS: dict[str, Any] = {
    "document": _document,
    "relations": _relations,
    "unaligned": _unaligned,
}


def _spans(doc: Doc, document: Document) -> dict[Entity, Span]:
    """The entities that begin and end where a token does."""
    spans = {e: doc.char_span(e.start, e.end, label=e.label) for e in document.entities}
    return {entity: span for entity, span in spans.items() if span is not None}
