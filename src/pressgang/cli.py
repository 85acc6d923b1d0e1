"""The `pressgang` command: results on standard output, messages and progress on standard error."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pressgang import load
from pressgang.config import RunConfig
from pressgang.corpus import read_documents, read_jsonl, to_line
from pressgang.document import Document
from pressgang.files import atomic_text, sha256
from pressgang.html import render_page
from pressgang.label_studio.labeling_config import LabelingConfig, read_labeling_config
from pressgang.label_studio.summary import render as render_reading
from pressgang.label_studio.tasks import Reading, read_exports
from pressgang.terminal import render_document

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train, evaluate and use entity and relation models from Label Studio projects.",
)
_messages = Console(stderr=True, markup=False, highlight=False)

Config = Annotated[Path, typer.Option(help="Run configuration, TOML.")]
Data = Annotated[list[Path] | None, typer.Option(help="Label Studio export; several may be given.")]
Output = Annotated[Path, typer.Option(help="Folder to write to.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Labels = Annotated[Path | None, typer.Option(help="Labeling config, XML: known labels, colours.")]


class Format(StrEnum):
    """What `predict` writes."""

    JSONL = "jsonl"
    HTML = "html"
    TEXT = "text"


def main() -> None:
    """Run the command; wrong input is one line on standard error and exit status 2."""
    try:
        app()
    except (ValueError, OSError) as error:
        _fail(" ".join(str(error).split()))
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed; this command needs: pip install 'pressgang[train]'")


def _fail(message: str) -> None:
    print(f"pressgang: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(2)


@app.command()
def check(
    exports: Annotated[list[Path], typer.Argument(help="Label Studio exports, full JSON.")],
    labeling_config: Labels = None,
    *,
    strict: Annotated[bool, typer.Option(help="Exit with 2 if there is any problem.")] = False,
) -> None:
    """Say what exports hold, and what in them cannot be read."""
    reading = read_exports(exports, config=_labels(labeling_config))
    render_reading(reading, Console())
    _stop_if_unusable(reading, strict=strict)


@app.command()
def train(
    config: Config,
    output: Output,
    data: Data = None,
    *,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    strict: Annotated[bool, typer.Option(help="Stop if the exports have any problem.")] = False,
) -> None:
    """Train a model, and score it on the documents that the configuration holds out."""
    from pressgang import experiments
    from pressgang.reports import render_summary, write_report
    from pressgang.splits import hold_out

    settings = RunConfig.from_toml(config)
    reading, training_only, labels, run = _read(settings, data, strict=strict)
    fold = hold_out([*training_only, *reading.documents], settings.data.held_out)
    colors = dict(labels.colors) if labels else {}
    extractor = experiments.train(
        settings, fold.train, colors, output, run=run, resume=resume, console=_messages
    )
    _messages.print(f"model written to {output}")
    if fold.test:
        _, baseline = experiments.read_model(output)
        report = experiments.test(extractor, baseline, fold.test, settings.seed)
        record = json.loads((output / "run.json").read_text(encoding="utf-8"))
        held_out = ", ".join(d.id for d in fold.test)
        record["protocol"] = f"trained on {len(fold.train)} documents, tested on {held_out}"
        write_report(report, record, output / "report")
        render_summary(report, Console())
        _messages.print(f"{record['protocol']}; report in {output / 'report'}")


@app.command()
def cross_validate(
    config: Config,
    output: Output,
    data: Data = None,
    *,
    folds: Annotated[int, typer.Option(help="Number of folds; 0 leaves one article out.")] = 0,
    jobs: Annotated[int, typer.Option(help="Folds trained side by side.")] = 1,
    strict: Annotated[bool, typer.Option(help="Stop if the exports have any problem.")] = False,
) -> None:
    """Score the recipe: each article is predicted by a model that was trained on the others.

    Finished folds are kept under OUTPUT/folds; the same command goes on where it was stopped.
    """
    from pressgang import experiments
    from pressgang.reports import render_summary, write_report

    settings = RunConfig.from_toml(config)
    reading, training_only, _, run = _read(settings, data, strict=strict)
    report, record = experiments.cross_validate(
        settings,
        reading.documents,
        output,
        training_only=training_only,
        n_folds=folds,
        n_jobs=jobs,
        run=run,
        console=_messages,
    )
    write_report(report, record, output)
    render_summary(report, Console())


@app.command()
def evaluate(
    data: Annotated[list[Path], typer.Option(help="Label Studio export with the gold.")],
    model: Annotated[Path | None, typer.Option(help="Folder of a model.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Predicted documents, JSONL.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    device: Device = "auto",
) -> None:
    """Score a model, or predictions made elsewhere, on gold documents."""
    from pressgang import evaluation, experiments
    from pressgang.reports import render_summary, write_report

    if (model is None) == (predictions is None):
        raise ValueError("give either --model or --predictions")
    reading = read_exports(data)
    _stop_if_unusable(reading, strict=False)
    gold = reading.documents
    run: dict[str, Any] = {"command": _command()}
    if model is not None:
        extractor, baseline = experiments.read_model(model, device=device)
        report = experiments.test(extractor, baseline, gold, extractor.config.seed)
        run = json.loads((model / "run.json").read_text(encoding="utf-8")) | run
        run["data"] = [*run["data"], *_files(data)]
        run["protocol"] = f"trained once, tested on {', '.join(p.name for p in data)}"
    else:
        report = evaluation.evaluate(gold, read_documents(predictions or Path()))
        run["data"] = _files(data)
    render_summary(report, Console())
    if output is not None:
        write_report(report, run, output)
        _messages.print(f"report written to {output}")


@app.command()
def predict(
    inputs: Annotated[
        list[Path] | None, typer.Argument(help=".txt, folder, .jsonl, or - for standard input.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of a model.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write; else standard output.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="JSON Lines, one HTML page, or text.")
    ] = Format.JSONL,
    device: Device = "auto",
) -> None:
    """Find entities and relations in texts; JSON Lines out, one document a line."""
    sources = _sources(inputs or [Path("-")])
    extractor = load(model, device=device)
    predicted = _with_progress(extractor.predict_many(sources))
    pieces: Iterable[str]
    if form is Format.TEXT:
        if output is not None:
            raise ValueError("--format text is for the terminal; --output needs jsonl or html")
        screen = Console(highlight=False)
        for document in predicted:
            screen.print(render_document(document, extractor.schema))
        return
    if form is Format.HTML:
        pieces = render_page(predicted, extractor.schema, title="pressgang: predictions")
    else:
        pieces = (to_line(document) + "\n" for document in predicted)
    if output is None:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        sys.stdout.writelines(pieces)
    else:
        with atomic_text(output) as file:
            file.writelines(pieces)


@app.command()
def card(
    report: Annotated[Path, typer.Option(help="report.json of an evaluation.")],
    corpus: Annotated[Path, typer.Option(help="What the corpus is, Markdown.")],
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("model_card.md"),
) -> None:
    """Write the model card from a report and the record of its run."""
    from pressgang.model_card import render_card
    from pressgang.reports import read_report

    scores, run = read_report(report)
    corpus_text = corpus.read_text(encoding="utf-8")
    with atomic_text(output) as file:
        file.write(render_card(scores, run, corpus_text=corpus_text))
    _messages.print(f"model card written to {output}")


def _labels(path: Path | None) -> LabelingConfig | None:
    return None if path is None else read_labeling_config(path)


def _read(
    settings: RunConfig, data: Sequence[Path] | None, *, strict: bool
) -> tuple[Reading, tuple[Document, ...], LabelingConfig | None, dict[str, Any]]:
    """The exports of a run, what is for training only, labels, and the beginning of its record.

    Exports on the command line take the place of the configuration's `exports`.
    """
    paths = list(data or [Path(p) for p in settings.data.exports])
    if not paths:
        raise ValueError("no data: give --data EXPORT, or exports in the configuration")
    extra_paths = [Path(p) for p in settings.data.training_only]
    configured = settings.data.labeling_config
    labels = _labels(Path(configured)) if configured else None
    reading, extra = read_exports(paths, config=labels), read_exports(extra_paths, config=labels)
    problems = reading.problem_counts() + extra.problem_counts()
    if problems:
        counts = ", ".join(f"{n} × {kind}" for kind, n in problems.most_common())
        _messages.print(f"problems in the exports: {counts} (`pressgang check` names them)")
    _stop_if_unusable(reading, strict=strict)
    run = {
        "command": _command(),
        "data": _files(paths) + _files(extra_paths),
        "problems": {str(kind): n for kind, n in problems.items()},
    }
    return reading, extra.documents, labels, run


def _stop_if_unusable(reading: Reading, *, strict: bool) -> None:
    if not reading.documents:
        raise ValueError("nothing is left to work on: no annotated task can be read")
    if strict and reading.problems:
        raise ValueError(f"{len(reading.problems)} problems in the exports (--strict)")


def _files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, hash and content of data files, for the record."""
    files = []
    for path in paths:
        documents = read_exports([path]).documents
        files.append(
            {
                "path": str(path),
                "sha256": sha256(path),
                "documents": len(documents),
                "entities": sum(len(d.entities) for d in documents),
                "relations": sum(len(d.relations) for d in documents),
            }
        )
    return files


def _command() -> str:
    return shlex.join(["pressgang", *sys.argv[1:]])


def _sources(inputs: Sequence[Path]) -> Iterator[Document]:
    """The texts to read, as Documents; a file's name without its ending is its id.

    A path that is not there is found out before anything is predicted.
    """
    for path in inputs:
        if str(path) != "-" and not path.exists():
            raise ValueError(f"{path}: no such file or folder")
        if path.is_file() and path.suffix not in {".txt", ".jsonl"}:
            raise ValueError(f"{path}: expected a .txt or .jsonl file, a folder, or -")
    return itertools.chain.from_iterable(map(_source, inputs))


def _source(path: Path) -> Iterator[Document]:
    if str(path) == "-":
        yield Document("-", sys.stdin.read())
    elif path.is_dir():
        files = sorted(path.rglob("*.txt")) + sorted(path.rglob("*.jsonl"))
        if not files:
            raise ValueError(f"{path}: holds no .txt and no .jsonl file")
        for file in files:
            yield from _source(file)
    elif path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            yield from read_jsonl(lines, source=str(path))
    else:
        try:
            # newline="" keeps CRLF, so that offsets are those of the file.
            with path.open(encoding="utf-8", newline="") as text:
                yield Document(path.stem, text.read())
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None


def _with_progress(documents: Iterator[Document]) -> Iterator[Document]:
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} documents"), TimeElapsedColumn())
    is_watched = _messages.is_terminal
    with Progress(*columns, console=_messages, transient=True, disable=not is_watched) as progress:
        task = progress.add_task("", total=None)
        for document in documents:
            progress.advance(task)
            yield document


if __name__ == "__main__":
    main()
