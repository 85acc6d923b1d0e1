"""The `pressgang` command: results on standard output, messages and progress on standard error."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pressgang.bulk.least_scores import LeastScores
from pressgang.bulk.prediction import SHARD_DOCUMENTS, EngineName, Request, predict_inputs
from pressgang.bulk.sources import STANDARD_INPUT
from pressgang.bulk.writers import Form
from pressgang.config import RunConfig
from pressgang.corpus import read_documents
from pressgang.files import atomic_text
from pressgang.label_studio.labeling_config import LabelingConfig, read_labeling_config
from pressgang.label_studio.summary import render as render_reading
from pressgang.label_studio.tasks import read_exports
from pressgang.learning.run_data import (
    describe_files,
    files_in,
    read_gold,
    read_run_data,
    stop_if_unusable,
    tell_problems,
)
from pressgang.printable import printable
from pressgang.shipping.commands import shipping
from pressgang.studio.commands import studio

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train, evaluate and use entity and relation models from Label Studio projects.",
)
app.add_typer(shipping)
app.add_typer(studio, name="studio")
_messages = Console(stderr=True, markup=False, highlight=False)

Config = Annotated[Path, typer.Option(help="Run configuration, TOML.")]
Data = Annotated[list[Path] | None, typer.Option(help="Label Studio export; several may be given.")]
Output = Annotated[Path, typer.Option(help="Folder to write to.")]
Model = Annotated[Path | None, typer.Option(help="Folder of a model, or name of an installed one.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Labels = Annotated[Path | None, typer.Option(help="Labeling config, XML: known labels, colours.")]


def main() -> None:
    """Run the command; wrong input is one line on standard error and exit status 2."""
    try:
        app()
    except (ValueError, OSError) as error:
        _fail(" ".join(str(error).split()))
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed; this command needs: pip install 'pressgang[train]'")


def _fail(message: str) -> None:
    print(f"pressgang: {printable(message)}", file=sys.stderr)  # noqa: T201
    sys.exit(2)


@app.command()
def check(
    exports: Annotated[list[Path], typer.Argument(help="Label Studio exports, full JSON.")],
    labeling_config: Labels = None,
    *,
    strict: Annotated[bool, typer.Option(help="Exit with 2 if there is any problem.")] = False,
) -> None:
    """Say what exports hold, and what in them cannot be read."""
    reading = read_exports(files_in(exports), config=_labels(labeling_config))
    render_reading(reading, Console())
    stop_if_unusable(reading, n_problems=len(reading.problems) if strict else 0)


@app.command()
def train(
    config: Config,
    output: Output,
    data: Data = None,
    *,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    strict: Annotated[bool, typer.Option(help="Stop if the exports have any problem.")] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="Hold nothing out: a model to use, not to score.")
    ] = False,
    pretraining: Annotated[
        Path | None, typer.Option(help="Folder for pretrained weights that several runs share.")
    ] = None,
) -> None:
    """Train a model, and score it on the documents that the configuration holds out."""
    from pressgang.evaluation.reports import render_summary, write_report
    from pressgang.evaluation.splits import hold_out
    from pressgang.learning import experiments

    settings = RunConfig.from_toml(config)
    if everything:
        settings = replace(settings, data=replace(settings.data, held_out=()))
    given = read_run_data(settings, data, strict=strict, console=_messages)
    fold = hold_out(given.documents, settings.data.held_out, training_only=given.training_only)
    record = experiments.train(
        settings,
        fold,
        given.colors,
        output,
        run={"command": _command()} | dict(given.record),
        resume=resume,
        pretraining=pretraining,
        console=_messages,
    )
    if record is None:  # another process of this run writes and scores
        return
    _messages.print(f"model written to {output}")
    lost = {k: n for k, n in record["trained_on"].items() if "_not_" in k or "_wider_" in k}
    if any(lost.values()):
        _messages.print(", ".join(f"{n} {k.replace('_', ' ')}" for k, n in lost.items() if n))
    if fold.test:
        extractor, baseline = experiments.read_model(output, device=settings.training.device)
        report = experiments.test(extractor, baseline, fold.test, settings.seed)
        held_out = ", ".join(d.id for d in fold.test)
        record["protocol"] = f"trained on {len(fold.known)} documents, tested on {held_out}"
        write_report(report, record, output / "report")
        render_summary(report, Console())
        _messages.print(f"{record['protocol']}; report in {output / 'report'}")


@app.command()
def cross_validate(
    config: Config,
    output: Output,
    data: Data = None,
    *,
    folds: Annotated[int, typer.Option(min=0, help="Number of folds; 0 leaves one out.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Folds trained side by side.")] = 1,
    pretraining: Annotated[
        Path | None, typer.Option(help="Folder for pretrained weights; OUTPUT/folds/pretraining.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Stop if the exports have any problem.")] = False,
) -> None:
    """Score the recipe: each article is predicted by a model that was trained on the others.

    Finished folds are kept under OUTPUT/folds; the same command goes on where it was stopped.
    """
    from pressgang.evaluation.reports import render_summary, write_report
    from pressgang.learning import cross_validation

    settings = RunConfig.from_toml(config)
    given = read_run_data(settings, data, strict=strict, console=_messages)
    report, record = cross_validation.cross_validate(
        settings,
        given.documents,
        output,
        training_only=given.training_only,
        n_folds=folds,
        n_jobs=jobs,
        pretraining=pretraining or output / "folds" / "pretraining",
        run={"command": _command()} | dict(given.record),
        console=_messages,
    )
    write_report(report, record, output)
    render_summary(report, Console())


@app.command()
def evaluate(
    data: Annotated[list[Path], typer.Option(help="Label Studio export with the gold.")],
    model: Model = None,
    predictions: Annotated[Path | None, typer.Option(help="Predicted documents, JSONL.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    labeling_config: Labels = None,
    device: Device = "auto",
) -> None:
    """Score a model, or predictions made elsewhere, on gold documents."""
    from pressgang.evaluation.evaluate import evaluate as evaluate_documents
    from pressgang.evaluation.reports import render_summary, write_report
    from pressgang.evaluation.splits import text_key
    from pressgang.learning import experiments

    if (model is None) == (predictions is None):
        raise ValueError("give either --model or --predictions")
    labels = _labels(labeling_config)
    data = files_in(data)
    reading = read_exports(data, config=labels)
    problems = tell_problems([reading], _messages)
    stop_if_unusable(reading)
    gold = reading.documents
    run: dict[str, Any] = {"data": []}
    if model is not None:
        run = experiments.read_run(model)
        extractor, baseline = experiments.read_model(model, device=device)
        report = experiments.test(extractor, baseline, gold, extractor.config.seed)
        run["protocol"] = f"trained once, tested on {', '.join(p.name for p in data)}"
        known = set(run["trained_on"].pop("texts"))  # for this, not for the report
        if n_known := sum(text_key(d.text) in known for d in gold):
            warning = f"{n_known} of {len(gold)} documents were trained on: this is no test of them"
            run["protocol"] += f"; {warning}"
            _messages.print(f"warning: {warning}")
    else:
        report = evaluate_documents(gold, read_documents(predictions or Path()))
    run |= {
        "command": _command(),
        "problems": problems,
        "data": [*run["data"], *describe_files(data, labels)],
    }
    render_summary(report, Console())
    if output is not None:
        write_report(report, run, output)
        _messages.print(f"report written to {output}")


@app.command()
def agreement(
    first: Annotated[Path, typer.Argument(help="Label Studio export of one annotation.")],
    second: Annotated[Path, typer.Argument(help="The same documents, annotated again.")],
    labeling_config: Labels = None,
    *,
    show: Annotated[bool, typer.Option(help="List every difference, tab-separated.")] = False,
) -> None:
    """Say how far two annotations of the same documents agree: strict F1 and kappa, by label."""
    from pressgang.annotation.agreement import print_pair

    labels = _labels(labeling_config)
    one, two = (read_exports(files_in([path]), config=labels) for path in (first, second))
    tell_problems([one, two], _messages)
    print_pair(one.documents, two.documents, ("the first", "the second"), show=show)


@app.command()
def suspects(
    exports: Annotated[list[Path], typer.Argument(help="Label Studio exports, full JSON.")],
    predictions: Annotated[
        list[Path] | None, typer.Option(help="Documents predicted by a model unaware of them.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 300,
    labeling_config: Labels = None,
) -> None:
    """List likely annotation errors, likeliest first: kind, weight, document, offset, what, where.

    Tab-separated. Predictions: those of `cross-validate` (OUTPUT/folds/*/predicted.jsonl).
    """
    from pressgang.annotation.suspects import context, find_suspects

    gold = read_gold(exports, _labels(labeling_config), _messages)
    predicted = {d.id: d for path in predictions or () for d in read_documents(path)}
    found = find_suspects(gold, predicted)
    documents = {document.id: document for document in gold}
    for suspect in found[:limit]:
        where = context(documents[suspect.document], suspect)
        fields = (suspect.kind, f"{suspect.weight:.3f}", suspect.document, str(suspect.start))
        print("\t".join(map(printable, (*fields, suspect.what, where))))  # noqa: T201
    _messages.print(f"{min(limit, len(found))} of {len(found)} suspects")


@app.command()
def predict(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(help=".txt, .jsonl, .jsonl.gz, .parquet, folders, or - for standard input."),
    ] = None,
    model: Model = None,
    output: Annotated[
        Path | None,
        typer.Option(help="File, or (no ending) folder of shards; else standard output."),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="What to write.")] = Form.JSONL,
    labeling_config: Annotated[
        Path | None, typer.Option(help="Labeling config that --format label-studio is to fit.")
    ] = None,
    min_score: Annotated[
        float, typer.Option(help="Leave out entities and relations that are less probable.")
    ] = 0.0,
    min_relation_score: Annotated[
        float | None, typer.Option(help="The same for relations alone.")
    ] = None,
    device: Device = "auto",
    *,
    resume: Annotated[bool, typer.Option(help="Go on with the run in the output folder.")] = False,
    shard_documents: Annotated[
        int, typer.Option(min=1, help="Documents in each file of a folder.")
    ] = SHARD_DOCUMENTS,
    engine: Annotated[
        EngineName, typer.Option(help="Compute here, or on the workers of Ray (docs/cluster.md).")
    ] = EngineName.LOCAL,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Ray's workers; else one for each CPU or GPU.")
    ] = None,
) -> None:
    """Find entities and relations in texts; JSON Lines out, one document a line.

    Into a folder a document that fails goes to errors-*.jsonl, and the exit status is 1.
    """
    least_relation = min_score if min_relation_score is None else min_relation_score
    request = Request(
        model=model,
        output=output,
        form=form,
        labeling_config=labeling_config,
        device=device,
        least=LeastScores(min_score, least_relation),
        resume=resume,
        shard_documents=shard_documents,
        engine=engine,
        workers=workers,
    )
    status = predict_inputs(inputs or [Path(STANDARD_INPUT)], request, console=_messages)
    if status:
        raise typer.Exit(status)


@app.command()
def card(
    report: Annotated[Path, typer.Option(help="report.json of an evaluation.")],
    corpus: Annotated[Path, typer.Option(help="What the corpus is, Markdown.")],
    comparison: Annotated[
        Path | None, typer.Option(help="How other packages do on the same data, Markdown.")
    ] = None,
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("model_card.md"),
) -> None:
    """Write the model card from a report and the record of its run."""
    from pressgang.evaluation.model_card import render_card
    from pressgang.evaluation.reports import read_report

    scores, run = read_report(report)
    corpus_text = corpus.read_text(encoding="utf-8")
    comparison_text = comparison.read_text(encoding="utf-8") if comparison else ""
    text = render_card(scores, run, corpus_text=corpus_text, comparison_text=comparison_text)
    with atomic_text(output) as file:
        file.write(text)
    _messages.print(f"model card written to {output}")


def _labels(path: Path | None) -> LabelingConfig | None:
    return None if path is None else read_labeling_config(path)


def _command() -> str:
    return shlex.join(["pressgang", *sys.argv[1:]])


if __name__ == "__main__":
    main()
