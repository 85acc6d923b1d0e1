from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.corpus import (
    atomic_text,
    from_dataset,
    read_documents,
    read_jsonl,
    to_dataset,
    to_line,
    write_documents,
)
from pressgang.document import Document, Entity, Relation
from tests.test_document import DOCUMENT, any_text, documents

# A high and a low surrogate side by side are one character in JSON: see the last test.
json_text = any_text.map(
    lambda text: "".join(" " if "\udc00" <= c <= "\udfff" else c for c in text)
)


@given(st.lists(documents(json_text), max_size=4))
@settings(max_examples=40, deadline=None)
def test_read_jsonl_reads_what_to_line_wrote(found: list[Document]) -> None:
    named = [Document(str(i), d.text, d.entities, d.relations) for i, d in enumerate(found)]
    lines = [to_line(document) for document in named]
    assert not any("\n" in line or "\r" in line for line in lines)
    assert list(read_jsonl(lines, source="memory")) == named


def test_a_file_keeps_every_character(tmp_path: Path) -> None:
    text = "Osh\r\n\u2028\u0085\x00\x1c Größe 👩‍🚀 lone \udc80 and \ud800"
    document = Document("a\u2028\ud800", text, (Entity(0, 3, "PLACE"),))
    path = tmp_path / "folder" / "corpus.jsonl"
    assert write_documents(path, [document, DOCUMENT]) == 2
    assert read_documents(path) == [document, DOCUMENT]


def test_text_is_written_readably_where_it_can_be() -> None:
    assert "Größe 👩" in to_line(Document("a", "Größe 👩"))


def test_empty_lines_are_skipped_and_a_missing_id_is_the_line_number() -> None:
    lines = ['{"text": "a"}\n', "\n", '{"text": "b", "id": "own"}\n', "  \n", '{"text": "c"}\n']
    assert [d.id for d in read_jsonl(lines, source="memory")] == ["1", "own", "5"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Expecting"),
        ("[1, 2]", "expected an object with a text, not list"),
        ('"text"', "expected an object with a text, not str"),
        ("{}", "the field 'text' is missing"),
        ('{"text": "a", "id": 7.5}', "id and text must be strings"),
        ('{"text": "a", "entities": [{"start": 3, "end": 1, "label": "X"}]}', "reversed"),
        ('{"text": "a", "entities": [{"start": 0, "end": 9, "label": "X"}]}', "lies outside"),
    ],
)
def test_an_error_names_the_file_and_the_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'{{"text": "fine"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=f"{path}, line 3: .*{message}"):
        read_documents(path)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b'{"text": "\xe9"}\n')
    with pytest.raises(ValueError, match=f"{path}: not UTF-8"):
        read_documents(path)


def test_an_interrupted_file_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Document]:
        yield DOCUMENT
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_documents(tmp_path / "corpus.jsonl", interrupted())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_file_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")

    def write_half() -> None:
        with atomic_text(path) as file:
            file.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_appears_when_it_is_complete_and_as_readable_as_any_other(tmp_path: Path) -> None:
    path, other = tmp_path / "report.txt", tmp_path / "other.txt"
    other.touch()
    with atomic_text(path) as file:
        file.write("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.slow
def test_a_dataset_holds_the_same_documents() -> None:
    osh = Entity(10, 13, "PLACE", 0.25)
    scored = Document(
        "b",
        DOCUMENT.text,
        (DOCUMENT.entities[0], osh),
        (Relation(osh, DOCUMENT.entities[0], "HOME_OF", 0.12345),),
    )
    found = [DOCUMENT, Document("empty", ""), scored, Document("emoji", "👩‍🚀\r\n\x00")]
    dataset = to_dataset(found)
    assert dataset.column_names == ["id", "text", "entities", "relations"]
    read = from_dataset(dataset)
    assert read == found
    assert [e.score for e in read[2].entities] == [None, 0.25]
    assert read[2].relations[0].score == 0.1235


@pytest.mark.slow
def test_no_documents_are_an_empty_dataset() -> None:
    assert from_dataset(to_dataset([])) == []


def test_a_line_nested_too_deeply_is_named() -> None:
    with pytest.raises(ValueError, match="memory, line 1"):
        list(read_jsonl(["[" * 100_000], source="memory"))
