from __future__ import annotations

import io

import pytest
from rich.console import Console

from pressgang.bulk import progress
from pressgang.bulk.progress import watched


def test_a_terminal_shows_share_rate_and_remaining_time() -> None:
    screen = io.StringIO()
    with watched(Console(file=screen, force_terminal=True, width=120), n_bytes=1000) as watch:
        for done in range(1, 6):
            watch(done * 20, done * 100)
    shown = screen.getvalue()
    assert "50%" in shown
    assert "100 documents" in shown
    assert "/s" in shown
    assert "0:00:" in shown


def test_elsewhere_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: clock[0])
    screen = io.StringIO()
    with watched(Console(file=screen), n_bytes=1000, done=(100, 200)) as watch:
        for n_documents, at_byte, at in ((110, 220, 10.0), (400, 400, 100.0), (410, 420, 110.0)):
            clock[0] = at
            watch(n_documents, at_byte)
    assert screen.getvalue() == "400 documents, 3.0/s, 0:05:00 left\n"


def test_where_the_end_is_unknown_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: clock[0])
    screen = io.StringIO()
    with watched(Console(file=screen), n_bytes=0) as watch:
        clock[0] = 100.0
        watch(50, 0)
    assert screen.getvalue() == "50 documents, 0.5/s\n"
