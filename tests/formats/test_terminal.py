from __future__ import annotations

import io

from rich.console import Console

from pressgang.document import Document
from pressgang.formats.terminal import render_document
from pressgang.schema import Schema
from tests.conftest import mark


def shown(document: Document) -> str:
    screen = Console(file=io.StringIO(), width=200, force_terminal=False)
    schema = Schema.from_documents([document], colors={"PERSON": "#ff8800"})
    screen.print(render_document(document, schema))
    return screen.file.getvalue()  # type: ignore[attr-defined]


def test_entities_labels_and_relations_are_shown_by_sentence(court_reports: list[Document]) -> None:
    lines = [line.strip() for line in shown(court_reports[3]).splitlines() if line.strip()]
    assert lines == [
        "four",
        "Nurlan PERSON was caught.",
        "He was jailed in Osh PLACE.",
        "Nurlan JAILED_IN Osh",
    ]


def test_lines_without_entities_are_counted() -> None:
    document = mark("menu", "Home\nSubscribe\n[Osh](PLACE) is a city.", "")
    assert "(2 more sentences or lines without entities)" in shown(document)


def test_markup_and_control_characters_stay_text() -> None:
    document = mark("odd", "\x1b]0;title\x07 in [Osh](PLACE) (bold)", "")
    odd = Document(document.id, document.text.replace("(bold)", "[bold]"), document.entities)
    assert "\x1b" not in shown(odd)
    assert "[bold]" in shown(odd)
