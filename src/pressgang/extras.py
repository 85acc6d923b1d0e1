"""Packages that only some users need: asked for early, and by name."""

from __future__ import annotations

import importlib.util


def require(package: str, *, extra: str) -> None:
    """Raise ValueError, saying what to install, if a package is missing."""
    if importlib.util.find_spec(package) is None:
        raise ValueError(
            f"{package} is not installed; this needs: pip install 'pressgang[{extra}]'"
        )
