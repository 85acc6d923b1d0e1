"""What a request must be before its content is looked at: who asks, and how much comes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from fastapi import HTTPException, Request

_BODY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Access:
    """The name and password that Label Studio must give."""

    user: str
    password: str = field(repr=False)

    def is_granted(self, request: Request) -> bool:
        """Whether the request carries them (HTTP Basic)."""
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        wanted = f"{self.user}:{self.password}".encode()
        return kind.lower() == "basic" and secrets.compare_digest(given, wanted)

    def demand(self, request: Request) -> None:
        """Refuse a request that does not carry them, before its body is read."""
        if not self.is_granted(request):
            raise HTTPException(
                401, "user or password is missing or wrong", {"WWW-Authenticate": "Basic"}
            )


async def read_json(request: Request, *, limit: int) -> dict[str, Any]:
    """The JSON object in the body of a request, of at most `limit` bytes.

    Refused is a body that is larger (413), takes too long to come (408) or holds something else
    (400); what is said of it repeats nothing of it.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > limit:
        raise HTTPException(413, f"the body is larger than {limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > limit:
                    raise HTTPException(413, f"the body is larger than {limit} bytes")
    except TimeoutError:
        raise HTTPException(408, "the body did not come in time") from None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return content
