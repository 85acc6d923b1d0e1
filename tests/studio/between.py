"""A server that stands between a client and Label Studio, and fails as networks do."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

KINDS = ("answer lost", "answer late", "half imported")


@contextlib.contextmanager
def failing(target: str, kind: str, *, after: int) -> Iterator[str]:
    """The address of a way to `target` on which POSTs to import fail after so many went well.

    "answer lost": the server does the work and the connection breaks; "answer late": it does the
    work and the answer never comes; "half imported": it gets half of the tasks, and the answer is
    an error.
    """
    n_imports = 0
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            nonlocal n_imports
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fails = False
            if self.command == "POST" and "/import" in self.path:
                n_imports += 1
                fails = n_imports > after
            if fails and kind == "half imported":
                tasks = json.loads(body)
                body = json.dumps(tasks[: len(tasks) // 2]).encode()
            names = ("Authorization", "Content-Type")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            answer = httpx.request(
                self.command, target + self.path, content=body, headers=headers, timeout=300
            )
            status, content = answer.status_code, answer.content
            if fails and kind == "answer lost":
                self.close_connection = True
                return
            if fails and kind == "answer late":
                over.wait(120)
            if fails and kind == "half imported":
                status, content = 500, b'{"detail": "no such luck"}'
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    between = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=between.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{between.server_port}"
    finally:
        over.set()
        between.shutdown()
        between.server_close()
