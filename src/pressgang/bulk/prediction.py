"""`pressgang predict`: texts in, documents out, to the screen, a file, or a folder of shards."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

from rich.console import Console

from pressgang.bulk.least_scores import NO_LEAST, LeastScores
from pressgang.bulk.progress import Watch, watched
from pressgang.bulk.shards import Engine, Settings, Tally, begin, predict_here, predict_shards
from pressgang.bulk.sources import STANDARD_INPUT, Inputs, Source, find_inputs, read_or_stop
from pressgang.bulk.writers import Form, Writer, writer_for
from pressgang.document import Document
from pressgang.extras import require
from pressgang.files import atomic_path, folder_sha256, sha256
from pressgang.formats.terminal import render_document
from pressgang.label_studio.labeling_config import read_labeling_config
from pressgang.model.extractor import Extractor
from pressgang.model.folders import find_model

SHARD_DOCUMENTS = 1000
FAILED = 1
"""The exit status when some documents failed and the others are written."""

_MODEL_FILES = (".json", ".onnx", ".safetensors")


class EngineName(StrEnum):
    """Where it is computed: in this process, or by Ray's workers."""

    LOCAL = "local"
    RAY = "ray"


@dataclass(frozen=True, slots=True)
class Request:
    """What to make of the documents, and where.

    `workers` is how many Ray is to start; None for one on each of its CPUs or GPUs. Raises
    ValueError if one thing is asked for that needs another.
    """

    model: Path | None = None
    output: Path | None = None
    form: Form = Form.JSONL
    labeling_config: Path | None = None
    device: str = "auto"
    least: LeastScores = NO_LEAST
    resume: bool = False
    shard_documents: int = SHARD_DOCUMENTS
    engine: EngineName = EngineName.LOCAL
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.labeling_config is not None and self.form is not Form.LABEL_STUDIO:
            raise ValueError(
                f"--labeling-config is for --format {Form.LABEL_STUDIO}, not {self.form}"
            )
        if self.folder is None and self.resume:
            raise ValueError("--resume needs --output with a folder: only shards can be resumed")
        if self.engine is EngineName.RAY:
            require("ray", extra="ray")
            if self.folder is None:
                raise ValueError("--engine ray needs --output with a folder")
        elif self.workers is not None:
            raise ValueError("--workers is for --engine ray")

    @property
    def folder(self) -> Path | None:
        """Where shards go: to an output that is a folder already, or has no ending."""
        if self.output is None or (self.output.suffix and not self.output.is_dir()):
            return None
        return self.output


def predict_inputs(paths: Sequence[Path], request: Request, *, console: Console) -> int:
    """Predict all documents of the inputs; the exit status: 0, or 1 if a document failed.

    To a folder documents that fail are told apart. To a file or the screen the first that fails
    stops the run, and the file is not written. Raises ValueError for wrong input.
    """
    inputs = find_inputs(paths)
    if STANDARD_INPUT in map(str, paths) and (request.resume or request.engine is EngineName.RAY):
        option = "--resume" if request.resume else "--engine ray"
        raise ValueError(f"{option} cannot read standard input; expected files or folders")
    model = find_model(request.model)
    on_ray = request.engine is EngineName.RAY  # whose workers have a GPU; this process may not
    extractor = Extractor.load(model, device="cpu" if on_ray else request.device)
    version = folder_sha256(model, _MODEL_FILES)
    if request.form is Form.TEXT and request.output is None:
        screen = Console(highlight=False)
        found = _Stream(extractor, inputs, request.least, console)
        for document in found:
            screen.print(render_document(document, extractor.schema))
        _tell(found.done, None, console)
        return 0
    labels = request.labeling_config
    writer = writer_for(
        request.form,
        extractor.schema,
        model_version=f"pressgang-{version[:8]}",
        labeling_config=read_labeling_config(labels) if labels else None,
    )
    if request.folder is None:
        found = _Stream(extractor, inputs, request.least, console, writer)
        _write_one(writer, request.output, found)
        _tell(found.done, request.output, console)
        return 0
    _stop_if_within(request.folder, paths)
    least = f"{request.least.entity} {request.least.relation}"
    output = f"{request.form} {least} {sha256(labels) if labels else ''}"
    settings = Settings(inputs.digest(), version, output, request.shard_documents)
    done = begin(request.folder, settings, resume=request.resume)
    with watched(console, n_bytes=inputs.n_bytes, done=(done.sources, done.bytes)) as watch:
        done = predict_shards(
            *(_engine(request, model, extractor, watch), inputs, request.folder),
            *(writer, settings, done),
            watch=watch,
            least=request.least,
        )
    _tell(done, request.folder, console)
    return FAILED if done.failures else 0


def _engine(request: Request, model: Path, extractor: Extractor, watch: Watch) -> Engine:
    if request.engine is EngineName.LOCAL:
        return partial(predict_here, extractor.predict_many, watch)
    from pressgang.bulk.cluster import predict_on_ray

    return partial(predict_on_ray, model, request.device, request.workers)


@dataclass(slots=True)
class _Stream:
    """The documents as they come; the bar shows those that are read and predicted."""

    extractor: Extractor
    inputs: Inputs
    least: LeastScores
    console: Console
    writer: Writer | None = None
    done: Tally = field(default_factory=Tally)

    def __iter__(self) -> Iterator[Document]:
        read: collections.deque[Source] = collections.deque()  # in order, not yet predicted

        def texts() -> Iterator[Document]:
            for source in self.inputs:
                read.append(source)
                yield read_or_stop(source)

        with watched(self.console, n_bytes=self.inputs.n_bytes) as watch:
            for document in self.extractor.predict_many(texts()):
                kept = self.least.apply(document)
                n_replaced = int(self.writer is not None and not self.writer.fits(kept))
                end = read.popleft().end
                self.done = self.done.plus([document], [kept], n_replaced=n_replaced, end=end)
                watch(self.done.documents, end)
                yield kept


def _write_one(writer: Writer, output: Path | None, documents: Iterable[Document]) -> None:
    if output is None:
        if writer.pieces is None:
            raise ValueError("this format is not for the screen; expected --output")
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        sys.stdout.writelines(writer.pieces(writer.fitted(documents)))
        return
    if len(writer.names) > 1:
        names = " and ".join(name.format("…") for name in writer.names)
        raise ValueError(f"{output}: this format is several files ({names}); expected a folder")
    with atomic_path(output) as path:
        writer.write([path], writer.fitted(documents))


def _stop_if_within(output: Path, paths: Sequence[Path]) -> None:
    """What is written must not be read: a folder's own shards would be its input."""
    for path in paths:
        if path.is_dir() and output.resolve().is_relative_to(path.resolve()):
            raise ValueError(f"{output}: lies within the input {path}; expected another folder")


def _tell(done: Tally, output: Path | None, console: Console) -> None:
    """Close with what was written, and with what was not."""
    if output is not None:
        found = f"{done.entities:,} entities, {done.relations:,} relations"
        console.print(f"{done.documents:,} documents, {found} in {output}")
    if done.entities_left_out or done.relations_left_out:
        left_out = f"{done.entities_left_out:,} entities, {done.relations_left_out:,} relations"
        console.print(f"{left_out} left out: they score less than was asked for")
    if done.replaced:
        console.print(f"{done.replaced:,} documents hold characters that became U+FFFD")
    if done.failures:
        console.print(f"{done.failures:,} documents failed: {output}/errors-*.jsonl says why")
