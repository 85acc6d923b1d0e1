"""Parquet: one row a document, columns as the fields of the JSON Lines."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pressgang.document import Document

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Row:
    """One of `n_rows` rows of a file, counted from 1, not read yet: Arrow scalars."""

    number: int
    n_rows: int
    cells: dict[str, Any]

    def read(self, *, name: str) -> Document:
        """The row's text as a Document; `name` is its id where the row has none.

        Raises ValueError if the text is no string, or the id neither a string nor a whole number.
        """
        try:
            fields = {column: cell.as_py() for column, cell in self.cells.items()}
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 ({error.reason} at byte {error.start})") from None
        text, given = fields["text"], fields.get("id")
        if not isinstance(text, str):
            raise ValueError(f"the text is {type(text).__name__}, expected a string")
        if given is not None and type(given) not in (str, int):
            raise ValueError(f"the id is {type(given).__name__}, expected a string")
        return Document(name if given is None else str(given), text)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file with a column `text` and perhaps a column `id`, a few held at a time.

    Raises ValueError if the file is not Parquet, is damaged, or has no column `text`; OSError if
    it cannot be opened.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            names = file.schema_arrow.names
            if "text" not in names:
                raise ValueError(f"no column 'text', only {', '.join(names) or 'none'}")
            columns = [column for column in ("id", "text") if column in names]
            n_rows, number = file.metadata.num_rows, 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
                for index in range(batch.num_rows):
                    number += 1
                    yield Row(number, n_rows, {c: batch.column(c)[index] for c in columns})
    except pyarrow.ArrowException as error:
        raise ValueError(f"not to be read as Parquet: {error}") from None


def write_parquet(path: Path, documents: Iterable[Document]) -> None:
    """Write the documents, a row group for every 256; scores are rounded as in the JSON Lines."""
    from pyarrow import RecordBatch
    from pyarrow.parquet import ParquetWriter

    schema = _schema()
    records = (document.to_dict() for document in documents)
    with ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(itertools.islice(records, _ROWS_AT_ONCE)):
            writer.write_batch(RecordBatch.from_pylist(chunk, schema=schema))


@functools.cache
def _schema() -> Any:
    import pyarrow as pa

    entity = [
        *(("start", pa.int64()), ("end", pa.int64())),
        *(("label", pa.string()), ("text", pa.string()), ("score", pa.float64())),
    ]
    relation = [
        *(("head", pa.int64()), ("tail", pa.int64())),
        *(("label", pa.string()), ("score", pa.float64())),
    ]
    return pa.schema(
        [
            *(("id", pa.string()), ("text", pa.string())),
            *(("entities", pa.list_(pa.struct(entity))),),
            *(("relations", pa.list_(pa.struct(relation))),),
        ]
    )
