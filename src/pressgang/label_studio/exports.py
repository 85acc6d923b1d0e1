"""Export files: the list of tasks in one, or one line on what the file is instead."""

from __future__ import annotations

import json
import re
from pathlib import Path


class ExportError(ValueError):
    """The file is no full JSON export; the message says what it looks like and what to export."""


def load_records(path: Path) -> list[object]:
    """The entries of a full JSON export, unchecked.

    Raises ExportError if the file cannot be read or is anything but a list in which some entry has
    the `data` of a task.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ExportError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise _wrong(path, f"is not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise _wrong(path, "is empty")
    try:
        content: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(path, _look_of_text(text, error)) from None
    if isinstance(content, list) and any(_is_task(record) for record in content):
        return content
    raise _wrong(path, _look_of_json(content))


def _wrong(path: Path, look: str) -> ExportError:
    return ExportError(
        f"{path}: {look}; expected a Label Studio export as JSON "
        "(the full one: JSON-MIN, CSV and CoNLL lose relations)"
    )


def _is_task(record: object) -> bool:
    return isinstance(record, dict) and isinstance(record.get("data"), dict)


def _look_of_json(content: object) -> str:
    if _is_task(content):
        return "holds a single task, not a list of tasks"
    if isinstance(content, dict):
        return f"holds a JSON object with {_fields(content)}, not a list of tasks"
    if not isinstance(content, list):
        return f"holds a JSON {type(content).__name__}, not a list of tasks"
    if not content:
        return "holds an empty list: no task was exported"
    first = content[0]
    if not isinstance(first, dict):
        return "holds a list without a single task"
    if "annotation_id" in first or ("id" in first and "annotations" not in first):
        return f"looks like a JSON-MIN export: entries have {_fields(first)} but no data"
    return f"holds a list of objects with {_fields(first)} but no data"


def _fields(record: dict[str, object]) -> str:
    names = ", ".join(list(record)[:6])
    return f"the fields {names}" if names else "no fields"


_CONLL = re.compile(r"-DOCSTART-|\S+(?:[ \t]\S+){1,3}[ \t](?:O|[BI]-\S+)[ \t]*(?:[\r\n]|$)")


def _look_of_text(text: str, error: Exception) -> str:
    """What a text that is no JSON looks like."""
    lines = text.strip().splitlines()
    if len(lines) > 1 and all(_is_json_object(line) for line in lines[:3] if line.strip()):
        return "looks like JSON Lines, one object a line, not a JSON list"
    if text.lstrip()[0] in "[{":
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nesting"
        return f"is broken or cut JSON ({place}: {getattr(error, 'msg', 'too deep or too large')})"
    if text.lstrip().startswith("<"):
        return "looks like XML or HTML"
    if _CONLL.match(text.lstrip()):
        return "looks like a CoNLL export"
    if "," in lines[0] or "\t" in lines[0]:
        return f"looks like a {'TSV' if chr(9) in lines[0] else 'CSV'} table"
    return "is not JSON"


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
