from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from pressgang.bulk.sources import Source, find_inputs, read_or_stop, read_sources, reason
from pressgang.document import Document


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def outcome(source: Source) -> tuple[str, str]:
    """A source's place, and the id of its document or why there is none."""
    try:
        return str(source.place), source.read().id
    except (ValueError, OSError) as error:
        return str(source.place), f"!{reason(error)}"


def test_every_kind_of_file_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "z.txt").write_bytes("Ош\r\n".encode())
    (tmp_path / "a.jsonl").write_bytes(lines({"id": "x", "text": "1"}, {"id": 17, "text": "2"}))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines({"text": "3"}) + b"\n"))
    table = pa.table({"text": ["4", "5"], "other": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "c.parquet")
    (tmp_path / "notes.md").write_text("not read")
    found = list(read_sources([tmp_path]))
    assert [(d.id, d.text) for d in found] == [
        ("x", "1"),
        ("17", "2"),
        ("b:1", "3"),
        ("c:1", "4"),
        ("c:2", "5"),
        ("sub/z", "Ош\r\n"),
    ]


def test_alone_a_file_names_its_documents_by_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "1"}\n\n{"text": "2"}')
    assert [d.id for d in read_sources([path])] == ["1", "3"]


def test_what_cannot_be_read_stands_in_no_way(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(
        b'{"text": "1"}\n{"text": \n["text"]\n{"text": 3}\n{"id": "x"}\n{"text": "\xff"}\n'
        + b'{"id": [], "text": "y"}\n{"text": "8"}\n'
        + b"[" * 200_000
        + b"\n"
    )
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    (tmp_path / "c.txt").write_bytes(b"")
    found = [outcome(source) for source in find_inputs([tmp_path])]
    name = tmp_path / "a.jsonl"
    assert [place for place, _ in found[:9]] == [f"{name}, line {n}" for n in range(1, 10)]
    assert [said for _, said in found if not said.startswith("!")] == ["a:1", "a:8", "c"]
    parts = ["Expecting value", "not list", "must be strings", "'text' is missing", "not UTF-8"]
    for (_, said), part in zip(found[1:6], parts, strict=True):
        assert part in said
    assert "must be strings" in found[6][1]
    assert "nested too deeply" in found[8][1]
    assert found[9][1] == "!not UTF-8 (unexpected end of data at byte 3)"


def test_a_damaged_archive_is_read_up_to_the_damage(tmp_path: Path) -> None:
    whole = gzip.compress(lines(*({"text": str(n) * 50} for n in range(2000))))
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "o.txt").write_bytes(b"Osh")
    found = [outcome(source) for source in find_inputs([tmp_path])]
    broken = [(place, said) for place, said in found if said.startswith("!")]
    assert len(found) > 500
    assert [place for place, _ in broken] == [
        str(tmp_path / "cut.jsonl.gz"),
        str(tmp_path / "none.jsonl.gz"),
    ]
    assert f"cannot be read beyond line {len(found) - 3}" in broken[0][1]
    assert "Not a gzipped file" in broken[1][1]
    assert found[-1] == (str(tmp_path / "o.txt"), "o")


def test_rows_of_the_wrong_type_are_told_apart(tmp_path: Path) -> None:
    table = pa.table({"id": [7, None, 9], "text": ["one", None, "three"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    raw = pa.array([b"fine", b"\xff\xfe"], pa.binary()).cast(pa.string(), safe=False)
    pyarrow.parquet.write_table(pa.table({"text": raw}), tmp_path / "b.parquet")
    pyarrow.parquet.write_table(pa.table({"body": ["x"]}), tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_bytes(b"PAR1 not at all")
    found = [outcome(source)[1] for source in find_inputs([tmp_path])]
    assert found[0:1] + found[2:4] == ["7", "9", "b:1"]
    assert "the text is NoneType" in found[1]
    assert "not UTF-8" in found[4]
    assert "no column 'text', only body" in found[5]
    assert "not to be read as Parquet" in found[6]
    assert len(found) == 7


def test_bytes_are_counted_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(*({"text": str(n)} for n in range(50))))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines({"text": "x"})))
    pyarrow.parquet.write_table(pa.table({"text": ["1", "2"]}), tmp_path / "c.parquet")
    (tmp_path / "d.txt").write_bytes(b"Osh")
    inputs = find_inputs([tmp_path])
    ends = [source.end for source in inputs]
    assert ends == sorted(ends)
    assert ends[-1] == inputs.n_bytes == sum(p.stat().st_size for p in tmp_path.iterdir())


def test_other_inputs_have_another_digest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Osh")
    before = find_inputs([tmp_path]).digest()
    assert find_inputs([tmp_path]).digest() == before
    (tmp_path / "a.txt").write_text("Batken")
    grown = find_inputs([tmp_path]).digest()
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert len({before, grown, find_inputs([tmp_path]).digest()}) == 3


def test_nothing_is_read_before_it_is_its_turn(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Osh")
    (tmp_path / "b.txt").write_text("Batken")
    inputs = find_inputs([tmp_path])
    first, second = inputs
    (tmp_path / "b.txt").unlink()
    assert first.read() == Document("a", "Osh")
    with pytest.raises(OSError, match="No such file"):
        second.read()
    with pytest.raises(ValueError, match=r"b\.txt: No such file"):
        read_or_stop(second)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no \.txt, \.jsonl, \.jsonl\.gz, \.parquet file"):
        find_inputs([tmp_path])
