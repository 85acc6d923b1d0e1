"""A prediction run into a folder: shards written whole, in order, and gone on with after a kill.

An engine makes of the shards that are left, which it reads, those that are found, in their order.

`run.json` says how many sources are done. It is replaced after the files of a shard are in place,
so at every moment it tells the truth: what a killed run left beyond it is removed and made again.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pressgang.bulk.least_scores import NO_LEAST, LeastScores
from pressgang.bulk.progress import Watch
from pressgang.bulk.sources import Inputs, Place, reason
from pressgang.bulk.writers import Writer
from pressgang.document import Document
from pressgang.files import atomic_path, atomic_text, drafts, write_json

FORMAT = 1
RUN = "run.json"
_ERRORS = "errors-{}.jsonl"

_SHARD_CHARACTERS = 16_000_000
"""A shard of long texts ends here, so that no more than this is held in memory."""

PredictMany = Callable[[Iterable[Document]], Iterable[Document]]
Engine = Callable[["Shards"], Iterable["FoundShard"]]


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

    Each source is a document or a failure. What scores too little is left out, and not among the
    entities and relations.
    """

    shards: int = 0
    sources: int = 0
    documents: int = 0
    failures: int = 0
    replaced: int = 0
    entities: int = 0
    relations: int = 0
    entities_left_out: int = 0
    relations_left_out: int = 0
    bytes: int = 0

    def plus(
        self,
        found: Sequence[Document],
        kept: Sequence[Document],
        *,
        n_failures: int = 0,
        n_replaced: int = 0,
        end: int,
    ) -> Tally:
        """The tally after one more shard: its documents as they were found, and what is kept."""
        n_entities, n_relations = _n_marks(kept)
        n_found_entities, n_found_relations = _n_marks(found)
        return Tally(
            shards=self.shards + 1,
            sources=self.sources + len(kept) + n_failures,
            documents=self.documents + len(kept),
            failures=self.failures + n_failures,
            replaced=self.replaced + n_replaced,
            entities=self.entities + n_entities,
            relations=self.relations + n_relations,
            entities_left_out=self.entities_left_out + n_found_entities - n_entities,
            relations_left_out=self.relations_left_out + n_found_relations - n_relations,
            bytes=end,
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be read or predicted."""

    place: Place
    reason: str


@dataclass(frozen=True, slots=True)
class Text:
    """A document that was read; `end` is how many bytes of all inputs are done with it."""

    place: Place
    end: int
    document: Document


@dataclass(slots=True)
class Shard:
    """What was read of some sources that follow one another, after `n_before` others."""

    n_before: int
    texts: list[Text] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    end: int = 0

    @property
    def n_sources(self) -> int:
        """How many sources were read."""
        return len(self.texts) + len(self.failures)


@dataclass(frozen=True, slots=True)
class FoundShard:
    """A shard after prediction."""

    documents: list[Document]
    failures: list[Failure]
    end: int


@dataclass(frozen=True, slots=True)
class Shards:
    """The sources from one on, read when they are iterated: plain data, for any process.

    The groups depend on nothing but where the first of them begins.
    """

    inputs: Inputs
    n_before: int
    n_documents: int

    def __iter__(self) -> Iterator[Shard]:
        shard, n_characters = Shard(self.n_before), 0
        for source in itertools.islice(self.inputs, self.n_before, None):
            shard.end = source.end
            try:
                document = source.read()
            except (ValueError, OSError) as error:
                shard.failures.append(Failure(source.place, reason(error)))
            else:
                shard.texts.append(Text(source.place, source.end, document))
                n_characters += len(document.text)
            if shard.n_sources >= self.n_documents or n_characters >= _SHARD_CHARACTERS:
                yield shard
                shard, n_characters = Shard(shard.n_before + shard.n_sources), 0
        if shard.n_sources:
            yield shard


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
    engine: Engine,
    inputs: Inputs,
    folder: Path,
    writer: Writer,
    settings: Settings,
    done: Tally,
    *,
    watch: Watch = lambda *_: None,
    least: LeastScores = NO_LEAST,
) -> Tally:
    """Predict what is left of the inputs, shard by shard, after what is `done`.

    A document that cannot be read or predicted goes to the shard's error file with its place and
    the reason. `watch` is told the sources and bytes done after each shard.
    """
    names = (*writer.names, _ERRORS)
    for draft in drafts(folder, [RUN, *(name.partition("{")[0] for name in names)]):
        draft.unlink()
    for left in _paths(folder, names, done.shards):
        left.unlink(missing_ok=True)
    for found in engine(Shards(inputs, done.sources, settings.shard_documents)):
        kept = [least.apply(document) for document in found.documents]
        with ExitStack() as stack:
            paths = _paths(folder, writer.names, done.shards)
            places = [stack.enter_context(atomic_path(path)) for path in paths]
            writer.write(places, writer.fitted(kept))
        if found.failures:
            _write_failures(_paths(folder, [_ERRORS], done.shards)[0], found.failures)
        done = done.plus(
            found.documents,
            kept,
            n_failures=len(found.failures),
            n_replaced=sum(not writer.fits(d) for d in kept),
            end=found.end,
        )
        _commit(folder, settings, done)
        watch(done.sources, done.bytes)
    _commit(folder, settings, done, is_complete=True)
    return done


def predict_here(predict_many: PredictMany, watch: Watch, shards: Shards) -> Iterator[FoundShard]:
    """The engine of one process; `watch` is told the sources and bytes done after each of them."""
    for shard in shards:
        yield predict_shard(predict_many, shard, watch)


def predict_shard(
    predict_many: PredictMany, shard: Shard, watch: Watch = lambda *_: None
) -> FoundShard:
    """The documents of a shard, predicted, and those that cannot be read or predicted.

    Where prediction fails for all together, each is tried alone. Raises the error if it fails for
    each of several documents: then the fault is not theirs.
    """
    n_before = shard.n_before + len(shard.failures)
    documents: list[Document] = []
    failures: list[Failure] = []
    try:
        for document in predict_many([text.document for text in shard.texts]):
            documents.append(document)
            watch(n_before + len(documents), shard.texts[len(documents) - 1].end)
    except Exception:
        documents, failures = _predicted_alone(predict_many, shard.texts)
    return FoundShard(documents, shard.failures + failures, shard.end)


def _predicted_alone(
    predict_many: PredictMany, texts: Sequence[Text]
) -> tuple[list[Document], list[Failure]]:
    found: list[Document] = []
    failures: list[Failure] = []
    for text in texts:
        try:
            found += predict_many([text.document])
        except Exception as error:
            failures.append(Failure(text.place, f"{type(error).__name__}: {reason(error)}"))
            if len(failures) == len(texts) > 1:
                raise
    return found, failures


def _n_marks(documents: Sequence[Document]) -> tuple[int, int]:
    return sum(len(d.entities) for d in documents), sum(len(d.relations) for d in documents)


def _write_failures(path: Path, failures: Sequence[Failure]) -> None:
    with atomic_text(path) as file:
        for failure in failures:
            record: dict[str, Any] = failure.place.to_dict() | {"reason": failure.reason}
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
