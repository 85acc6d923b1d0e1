"""A prediction run into a folder: shards written whole, in order, and gone on with after a kill.

`run.json` says how many sources are done. It is replaced after the files of a shard are in place,
so at every moment it tells the truth: what a killed run left beyond it is removed and made again.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pressgang.document import Document
from pressgang.files import atomic_path, atomic_text, drafts, write_json
from pressgang.progress import Watch
from pressgang.sources import Inputs, Source, reason
from pressgang.writers import Writer

FORMAT = 1
RUN = "run.json"
_ERRORS = "errors-{}.jsonl"

_SHARD_CHARACTERS = 16_000_000
"""A shard of long texts ends here, so that no more than this is held in memory."""

PredictMany = Callable[[Iterable[Document]], Iterable[Document]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What must be alike for a run to be gone on with.

    `inputs` and `model` are digests, `output` says the format and all that bears on it.
    """

    inputs: str
    model: str
    output: str
    shard_documents: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has done so far; `replaced` documents have characters that the files cannot hold.

    Each source is a document or a failure.
    """

    shards: int = 0
    sources: int = 0
    documents: int = 0
    failures: int = 0
    replaced: int = 0
    entities: int = 0
    relations: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Failure:
    source: Source
    reason: str


@dataclass(frozen=True, slots=True)
class _Shard:
    sources: list[Source]
    texts: list[tuple[Source, Document]]
    failures: list[_Failure]


def begin(folder: Path, settings: Settings, *, resume: bool) -> Tally:
    """Where a run into the folder begins: at nothing, or where `run.json` says it was stopped.

    Raises ValueError if the folder holds anything without `resume`, or with it something that is
    not this run: other inputs, another model, another format or size of shards.
    """
    path = folder / RUN
    if not path.exists():
        if folder.exists() and any(not p.name.startswith(f".{RUN}.") for p in folder.iterdir()):
            raise ValueError(f"{folder}: holds files but no {RUN}; expected a new or empty folder")
        _commit(folder, settings, Tally())
        return Tally()
    if not resume:
        raise ValueError(f"{folder}: holds a run already; go on with --resume, or name another")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, expected {FORMAT}")
        before, tally = Settings(**record["settings"]), Tally(**record["done"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not the record of a run ({error})") from None
    names = [f.name for f in dataclasses.fields(Settings)]
    if other := [n for n in names if getattr(before, n) != getattr(settings, n)]:
        what = " and ".join(name.replace("_", " ") for name in other)
        raise ValueError(f"{folder}: the run was begun with other {what}; it cannot go on")
    return tally


def predict_shards(
    predict_many: PredictMany,
    inputs: Inputs,
    folder: Path,
    writer: Writer,
    settings: Settings,
    done: Tally,
    *,
    watch: Watch,
) -> Tally:
    """Predict what is left of the inputs, shard by shard, after what is `done`.

    A document that cannot be read or predicted goes to the shard's error file with its place and
    the reason. `watch` is told the sources and bytes done after each of them.
    """
    names = (*writer.names, _ERRORS)
    for draft in drafts(folder, [RUN, *(name.partition("{")[0] for name in names)]):
        draft.unlink()
    for left in _paths(folder, names, done.shards):
        left.unlink(missing_ok=True)
    rest = itertools.islice(inputs, done.sources, None)
    for shard in _shards(rest, settings.shard_documents):
        n_done = done.sources + len(shard.failures)
        documents, failures = _predicted(
            predict_many, shard, lambda n, end, n_done=n_done: watch(n_done + n, end)
        )
        failures = shard.failures + failures
        paths = _paths(folder, writer.names, done.shards)
        with ExitStack() as stack:
            places = [stack.enter_context(atomic_path(path)) for path in paths]
            writer.write(places, writer.fitted(documents))
        if failures:
            _write_failures(_paths(folder, [_ERRORS], done.shards)[0], failures)
        done = Tally(
            shards=done.shards + 1,
            sources=done.sources + len(shard.sources),
            documents=done.documents + len(documents),
            failures=done.failures + len(failures),
            replaced=done.replaced + sum(not writer.fits(d) for d in documents),
            entities=done.entities + sum(len(d.entities) for d in documents),
            relations=done.relations + sum(len(d.relations) for d in documents),
            bytes=shard.sources[-1].end,
        )
        _commit(folder, settings, done)
    _commit(folder, settings, done, is_complete=True)
    return done


def _shards(sources: Iterable[Source], n_documents: int) -> Iterator[_Shard]:
    """The sources, read, in groups that depend on nothing but where the first of them begins."""
    shard, n_characters = _Shard([], [], []), 0
    for source in sources:
        shard.sources.append(source)
        try:
            document = source.read()
        except (ValueError, OSError) as error:
            shard.failures.append(_Failure(source, reason(error)))
        else:
            shard.texts.append((source, document))
            n_characters += len(document.text)
        if len(shard.sources) >= n_documents or n_characters >= _SHARD_CHARACTERS:
            yield shard
            shard, n_characters = _Shard([], [], []), 0
    if shard.sources:
        yield shard


def _predicted(
    predict_many: PredictMany, shard: _Shard, watch: Watch
) -> tuple[list[Document], list[_Failure]]:
    """The documents of a shard, predicted, and those of which prediction failed.

    Where it fails for all together, each is tried alone. Raises the error if it fails for each of
    several documents: then the fault is not theirs.
    """
    found: list[Document] = []
    try:
        for document in predict_many([document for _, document in shard.texts]):
            found.append(document)
            watch(len(found), shard.texts[len(found) - 1][0].end)
    except Exception:
        return _predicted_alone(predict_many, shard)
    return found, []


def _predicted_alone(
    predict_many: PredictMany, shard: _Shard
) -> tuple[list[Document], list[_Failure]]:
    found: list[Document] = []
    failures: list[_Failure] = []
    for source, document in shard.texts:
        try:
            found += predict_many([document])
        except Exception as error:
            failures.append(_Failure(source, f"{type(error).__name__}: {reason(error)}"))
            if len(failures) == len(shard.texts) > 1:
                raise
    return found, failures


def _write_failures(path: Path, failures: Sequence[_Failure]) -> None:
    with atomic_text(path) as file:
        for failure in failures:
            record: dict[str, Any] = failure.source.place.to_dict() | {"reason": failure.reason}
            file.write(json.dumps(record) + "\n")


def _paths(folder: Path, names: Sequence[str], shard: int) -> list[Path]:
    return [folder / name.format(f"{shard:06d}") for name in names]


def _commit(folder: Path, settings: Settings, done: Tally, *, is_complete: bool = False) -> None:
    record = {
        "format": FORMAT,
        "complete": is_complete,
        "settings": dataclasses.asdict(settings),
        "done": dataclasses.asdict(done),
    }
    write_json(folder / RUN, record)
