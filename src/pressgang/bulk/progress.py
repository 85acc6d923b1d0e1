"""How far long work is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_LINE_SECONDS = 60.0

Watch = Callable[[int, int], None]


@contextlib.contextmanager
def watched(console: Console, *, n_bytes: int, done: tuple[int, int] = (0, 0)) -> Iterator[Watch]:
    """A function to be told how many documents and bytes are done, of `n_bytes` in all.

    Documents are counted and give the rate, bytes the remaining time, because a stream's documents
    are not known before it is read. With 0 `n_bytes` nothing is known of what remains. `done` is
    what was done before: it takes no part in the rate.
    """
    columns = (
        *(SpinnerColumn(), BarColumn(), TaskProgressColumn()),
        *(TextColumn("{task.fields[done]}"), TimeElapsedColumn(), TimeRemainingColumn()),
    )
    pace = _Pace(done[0], done[1], n_bytes, monotonic())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with progress:
        task = progress.add_task("", total=n_bytes or None, completed=done[1], done="")
        spoken = pace.begun

        def watch(n_documents: int, at_byte: int) -> None:
            nonlocal spoken
            now = monotonic()
            if console.is_terminal:
                progress.update(task, completed=at_byte, done=pace.words(n_documents, now))
            elif now - spoken >= _LINE_SECONDS:
                spoken = now
                left = pace.remaining(at_byte, now)
                console.print(f"{pace.words(n_documents, now)}{left}")

        yield watch


class _Pace:
    """How fast it goes since a moment."""

    def __init__(self, n_documents: int, at_byte: int, n_bytes: int, begun: float) -> None:
        self.n_documents, self.at_byte, self.n_bytes, self.begun = (
            *(n_documents, at_byte),
            *(n_bytes, begun),
        )

    def words(self, n_documents: int, now: float) -> str:
        """`1,200 documents, 40.0/s`."""
        rate = (n_documents - self.n_documents) / max(now - self.begun, 1e-9)
        return f"{n_documents:,} documents, {rate:.1f}/s"

    def remaining(self, at_byte: int, now: float) -> str:
        """`, 0:12:30 left`, or nothing where it is not known."""
        if at_byte <= self.at_byte or not self.n_bytes:
            return ""
        per_byte = (now - self.begun) / (at_byte - self.at_byte)
        left = datetime.timedelta(seconds=round(per_byte * (self.n_bytes - at_byte)))
        return f", {left} left"
