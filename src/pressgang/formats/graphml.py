"""GraphML: mentions as nodes, relations as directed edges, for Gephi, Cytoscape and networkx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from pressgang.document import Document

_NODE_KEYS = (
    *(("document", "string"), ("start", "int"), ("end", "int")),
    *(("label", "string"), ("text", "string"), ("score", "double")),
)
_EDGE_KEYS = (("label", "string"), ("score", "double"))


def graphml(documents: Iterable[Document]) -> Iterator[str]:
    """One graph of all documents, in pieces. A document without entities has no node in it.

    A node is named `DOCUMENT:POSITION`, position among the document's entities, so that the graphs
    of several files can be joined; where an id comes again in one file, it gets a number.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for kind, keys in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
        for name, form in keys:
            yield (
                f'<key id="{kind}-{name}" for="{kind}" attr.name="{name}" attr.type="{form}"/>\n'
            )
    yield '<graph edgedefault="directed">\n'
    taken: set[str] = set()
    for document in documents:
        yield from _elements(document, _told_apart(document.id, taken))
    yield "</graph>\n</graphml>\n"


def _elements(document: Document, name: str) -> Iterator[str]:
    nodes = {e: quoteattr(f"{name}:{index}") for index, e in enumerate(document.entities)}
    for entity, node in nodes.items():
        values = (
            *(document.id, entity.start, entity.end),
            *(entity.label, document.surface(entity), entity.score),
        )
        yield f"<node id={node}>{_values('node', _NODE_KEYS, values)}</node>\n"
    for relation in document.relations:
        ends = f"source={nodes[relation.head]} target={nodes[relation.tail]}"
        label_and_score = (relation.label, relation.score)
        yield f"<edge {ends}>{_values('edge', _EDGE_KEYS, label_and_score)}</edge>\n"


def _values(kind: str, keys: Iterable[tuple[str, str]], values: Iterable[object]) -> str:
    return "".join(
        f'<data key="{kind}-{name}">{_text(value)}</data>'
        for (name, _), value in zip(keys, values, strict=True)
        if value is not None
    )


def _text(value: object) -> str:
    if isinstance(value, float):
        return str(round(value, 4))
    return escape(str(value), {"\r": "&#13;"})  # a bare CR is read as a line feed


def _told_apart(name: str, taken: set[str]) -> str:
    """The name, or where it is taken the first of `name~2`, `name~3`… that is not."""
    free, n_copies = name, 1
    while free in taken:
        n_copies += 1
        free = f"{name}~{n_copies}"
    taken.add(free)
    return free
