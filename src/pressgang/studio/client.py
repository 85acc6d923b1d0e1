"""A connection to a Label Studio server: plain JSON in and out, one clear line for each failure.

The SDK authenticates, with both kinds of token, and carries the requests. Its typed methods are
left aside: they rebuild nested results, and by default repeat a failed POST, which would import
half of the tasks twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from pressgang.studio.secret import is_loopback

_PAGE = 500
_SHOWN = 300


class StudioError(OSError):
    """The server is not there, did not answer in time, or refused; the message says which."""


@dataclass(frozen=True, slots=True)
class Studio:
    """An authenticated connection. `url` has no slash at its end."""

    url: str
    seconds: float
    _transport: Any
    _secret: str

    def __repr__(self) -> str:
        return f"Studio({self.url!r})"

    def get(self, path: str, **parameters: Any) -> Any:
        """What the server holds at a path below `/api/`, as JSON."""
        return self._call("GET", path, parameters=parameters)

    def post(self, path: str, content: Any, **parameters: Any) -> Any:
        """Send something new; the answer as JSON."""
        return self._call("POST", path, content=content, parameters=parameters)

    def patch(self, path: str, content: Any) -> Any:
        """Change something; the answer as JSON."""
        return self._call("PATCH", path, content=content)

    def delete(self, path: str) -> None:
        """Remove something."""
        self._call("DELETE", path)

    def pages(self, path: str, key: str, **parameters: Any) -> Iterator[Any]:
        """The entries of a list that comes in pages, under `key` and with their number."""
        first = self.get(path, page=1, page_size=_PAGE, **parameters)
        entries = first[key]
        total = first["total" if "total" in first else "count"]
        yield from entries
        # The server may allow fewer entries than were asked for.
        for page in range(2, math.ceil(total / max(len(entries), 1)) + 1):
            yield from self.get(path, page=page, page_size=_PAGE, **parameters)[key]

    def _call(
        self,
        method: str,
        path: str,
        *,
        content: Any = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Any:
        asked = f"{method} /api/{path}"
        try:
            answer: httpx.Response = self._transport.request(
                f"api/{path}", method=method, json=content, params=dict(parameters or {})
            )
        except httpx.TimeoutException:
            raise StudioError(
                f"{self.url}: no answer within {self.seconds:g} s to {asked}; what was sent before "
                "is kept, and the same command goes on from there"
            ) from None
        except httpx.ConnectError as error:
            raise StudioError(
                f"{self.url}: nothing answers there ({self._clean(str(error))}); "
                "is Label Studio running?"
            ) from None
        except httpx.HTTPError as error:
            raise StudioError(
                f"{self.url}: the connection broke off during {asked} "
                f"({self._clean(str(error)) or type(error).__name__}); "
                "the same command goes on from there"
            ) from None
        except ApiError as error:  # the personal access token could not be exchanged
            raise StudioError(self._refusal(error.status_code or 0, error.body, asked)) from None
        except ValueError:  # nor was the answer to that JSON
            raise StudioError(self._no_json("api/token/refresh")) from None
        try:
            body = answer.json() if answer.content else None
        except ValueError:
            kind = answer.headers.get("content-type", "no content type")
            raise StudioError(self._no_json(f"{asked} with {answer.status_code}, {kind}")) from None
        if not answer.is_success:
            raise StudioError(self._refusal(answer.status_code, body, asked))
        return body

    def _no_json(self, asked: str) -> str:
        return (
            f"{self.url}: answered {asked}, expected JSON: is this the address of a Label Studio?"
        )

    def _refusal(self, status: int, body: object, asked: str) -> str:
        said = self._clean(_said(body))
        if status in (401, 403):
            return f"{self.url}: the server refused the token ({status}: {said})"
        if status == 404:
            return f"{self.url}: not found, or not for this token: {asked} ({said})"
        return f"{self.url}: the server refused {asked} ({status}: {said})"

    def _clean(self, text: str) -> str:
        """What the server says, short and without the token."""
        text = " ".join(text.replace(self._secret, "***").split())
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def connect(url: str, token: str, *, seconds: float = 60.0) -> Studio:
    """A connection that the server has let in; each request may take so many seconds.

    Raises ValueError if address or token cannot be any, StudioError if the server is not there or
    refuses the token.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address; expected something like http://127.0.0.1:8080")
    if parts.username or parts.password:
        raise ValueError("an address with a user or password in it is not taken; give the token")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("this is no token: it is empty, or holds characters that no token has")
    url = url.rstrip("/")
    try:
        sdk = LabelStudio(
            base_url=f"{url}/",
            api_key=token,
            max_retries=0,
            httpx_client=httpx.Client(
                timeout=seconds,
                follow_redirects=False,
                trust_env=not is_loopback(parts.hostname),  # no proxy sees a token for this machine
            ),
        )
    except ApiError as error:  # a personal access token that has run out
        raise StudioError(f"{url}: this token cannot be used ({_said(error.body)})") from None
    studio = Studio(url, seconds, sdk._client_wrapper.httpx_client, token)
    studio.get("current-user/whoami")
    return studio


def _said(body: object) -> str:
    """What an error answer says, as one text."""
    if isinstance(body, Mapping):
        found = body.get("validation_errors") or body.get("detail") or body
        return found if isinstance(found, str) else str(found)
    return str(body) if body else "without a reason"
