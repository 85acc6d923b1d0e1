"""Tokens and passwords: from the environment, or typed; never an argument, never in a file."""

from __future__ import annotations

import getpass
import ipaddress
import os
import sys

TOKEN = "LABEL_STUDIO_API_KEY"  # noqa: S105 - the name of a variable


def secret(variable: str, prompt: str) -> str:
    """A secret from the environment, or typed unseen where a person is there to type it.

    Raises ValueError, naming the variable, if there is neither.
    """
    value = os.environ.get(variable, "")
    if not value and sys.stdin.isatty():
        value = getpass.getpass(f"{prompt}: ")
    if not value:
        raise ValueError(f"set {variable} ({prompt}); it is never an argument")
    return value.strip()


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on the machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
