"""`pressgang predict`: texts in, documents out, to the screen, a file, or a folder of shards."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from pressgang.model_folders import find_model
from pressgang.document import Document
from pressgang.extractor import Extractor
from pressgang.files import atomic_path, folder_sha256, sha256
from pressgang.label_studio.labeling_config import read_labeling_config
from pressgang.progress import watched
from pressgang.shards import RUN, Settings, Tally, begin, predict_shards
from pressgang.sources import STANDARD_INPUT, Inputs, Source, find_inputs, read_or_stop
from pressgang.terminal import render_document
from pressgang.writers import Form, Writer, writer_for

SHARD_DOCUMENTS = 1000
FAILED = 1
"""The exit status when some documents failed and the others are written."""

_MODEL_FILES = (".json", ".onnx", ".safetensors")


def predict_inputs(
    paths: Sequence[Path],
    *,
    console: Console,
    model: Path | None = None,
    output: Path | None = None,
    form: Form = Form.JSONL,
    labeling_config: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    shard_documents: int = SHARD_DOCUMENTS,
) -> int:
    """Predict all documents of the inputs; the exit status: 0, or 1 if a document failed.

    To a folder (an `output` that is one, or has no ending) documents that fail are told apart. To
    a file or the screen the first that fails stops the run, and the file is not written.
    Raises ValueError for wrong input.
    """
    inputs = find_inputs(paths)
    to_folder = output is not None and (output.is_dir() or not output.suffix)
    if labeling_config is not None and form is not Form.LABEL_STUDIO:
        raise ValueError(f"--labeling-config is for --format {Form.LABEL_STUDIO}, not {form}")
    if resume and not to_folder:
        raise ValueError("--resume needs --output with a folder: only shards can be gone on with")
    if resume and STANDARD_INPUT in map(str, paths):
        raise ValueError("--resume cannot read standard input again; expected files or folders")
    folder = find_model(model)
    version = folder_sha256(folder, _MODEL_FILES) if folder.is_dir() else ""
    extractor = Extractor.load(folder, device=device)
    if form is Form.TEXT and output is None:
        screen = Console(highlight=False)
        for document in _predicted(extractor, inputs, console):
            screen.print(render_document(document, extractor.schema))
        return 0
    writer = writer_for(
        form,
        extractor.schema,
        model_version=f"pressgang-{version[:8]}",
        labeling_config=read_labeling_config(labeling_config) if labeling_config else None,
    )
    if output is None or not to_folder:
        _write_one(writer, output, _predicted(extractor, inputs, console))
        return 0
    _stop_if_within(output, paths)
    marks = f" {sha256(labeling_config)}" if labeling_config else ""
    settings = Settings(inputs.digest(), version, f"{form}{marks}", shard_documents)
    done = begin(output, settings, resume=resume)
    with watched(console, n_bytes=inputs.n_bytes, done=(done.sources, done.bytes)) as watch:
        done = predict_shards(
            extractor.predict_many, inputs, output, writer, settings, done, watch=watch
        )
    _tell(done, output, console)
    return FAILED if done.failures else 0


def _predicted(extractor: Extractor, inputs: Inputs, console: Console) -> Iterator[Document]:
    """The documents as they come; the bar shows those that are read and predicted."""
    read: collections.deque[Source] = (
        collections.deque()
    )  # not yet predicted: documents come in the order of their sources

    def texts() -> Iterator[Document]:
        for source in inputs:
            read.append(source)
            yield read_or_stop(source)

    with watched(console, n_bytes=inputs.n_bytes) as watch:
        for n_documents, document in enumerate(extractor.predict_many(texts()), start=1):
            watch(n_documents, read.popleft().end)
            yield document


def _write_one(writer: Writer, output: Path | None, documents: Iterator[Document]) -> None:
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


def _tell(done: Tally, output: Path, console: Console) -> None:
    found = f"{done.entities:,} entities, {done.relations:,} relations"
    console.print(f"{done.documents:,} documents, {found} in {output} ({RUN} counts them)")
    if done.replaced:
        console.print(f"{done.replaced:,} documents hold characters that became U+FFFD")
    if done.failures:
        console.print(f"{done.failures:,} documents failed: {output}/errors-*.jsonl says why")
