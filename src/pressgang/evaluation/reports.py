"""Reports for people: a folder with report.json, report.md and figures, and a terminal summary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pressgang.evaluation.evaluate import DocumentScores, Report, SystemScores
from pressgang.evaluation.figures import (
    Figure,
    Row,
    draw_bars,
    draw_confusion,
    draw_operating_points,
    draw_reliability,
)
from pressgang.evaluation.precision_recall import OperatingPoint
from pressgang.evaluation.scoring import Counts, Interval, MacroF1, Score

NOT_RECORDED = "not recorded"
DASH = "–"


def write_report(report: Report, run: Mapping[str, Any], directory: Path) -> list[Path]:
    """Paths of what was written: report.json, report.md, and one PNG for each figure.

    `run` says how the predictions came about (JSON types): config, seed, versions, machine,
    seconds, data, encoder, parameters, protocol, command. What it lacks is printed as not
    recorded. The same report and run give the same files.
    """
    directory.mkdir(parents=True, exist_ok=True)
    record = {"report": report.to_dict(), "run": dict(run)}
    json_text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    texts = {"report.json": json_text, "report.md": render_markdown(report, run)}
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    entities, relations = label_rows(report)
    reliability = {
        "entities": report.model.entities.reliability,
        "relations": report.model.relations.reliability,
    }
    figures = {
        "entities.png": draw_bars(entities, "Entities by label: strict F1"),
        "relations.png": draw_bars(relations, "Relations by label: strict F1, end to end"),
        "confusion.png": draw_confusion(report.confusion),
        "calibration.png": draw_reliability(reliability),
        "precision_recall.png": draw_operating_points(_curves(report.model)),
    }
    for name, figure in figures.items():
        figure.savefig(directory / name, dpi=110, metadata={"Software": None})
    return [directory / name for name in (*texts, *figures)]


def read_report(path: Path) -> tuple[Report, dict[str, Any]]:
    """The report and the run in a report.json that `write_report` wrote.

    Raises ValueError naming the file if it is none.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Report.from_dict(record["report"]), dict(record["run"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the report.json of an evaluation ({error!r})") from None


def summary_rows(report: Report) -> tuple[list[Row], list[Row]]:
    """The figures that sum up a report: on entities, and on relations."""
    model, baseline = report.model, report.baseline
    return (
        _beside(_summarise_entities(model), _summarise_entities(baseline) if baseline else {}),
        _beside(_summarise_relations(model), _summarise_relations(baseline) if baseline else {}),
    )


def label_rows(report: Report) -> tuple[list[Row], list[Row]]:
    """The strict figures of each label, by falling support: on entities, and on relations."""
    model, baseline = report.model, report.baseline
    entities = _beside(model.entities.by_label, baseline.entities.by_label if baseline else {})
    relations = _beside(model.relations.by_label, baseline.relations.by_label if baseline else {})
    for rows in (entities, relations):
        rows.sort(key=lambda row: -row.model.support)
    return entities, relations


def render_markdown(report: Report, run: Mapping[str, Any]) -> str:
    """The report as Markdown: definitions first, then the figures, then the run."""
    entities, relations = summary_rows(report)
    entity_labels, relation_labels = label_rows(report)
    confusion = report.confusion
    matrix = [
        [name, *(str(n or "") for n in row)]
        for name, row in zip([*confusion.labels, "spurious"], confusion.rows, strict=True)
    ]
    parts = [
        "# Evaluation",
        f"{len(report.documents)} documents. Protocol: {recorded(run, 'protocol')}. "
        + ("" if report.baseline else "No baseline was given."),
        "## What the figures mean",
        definitions(report),
        "## Entities",
        score_table(entities),
        "![F1 of each entity label with its interval and the baseline](entities.png)",
        score_table(entity_labels),
        "## Relations",
        score_table(relations),
        "![F1 of each relation label with its interval and the baseline](relations.png)",
        score_table(relation_labels),
        "## Relations where there is none",
        _cooccurrence_table(report),
        "## Confusion of entity labels",
        "![Gold labels against predicted labels](confusion.png)",
        markdown_table(["gold \\ predicted", *confusion.labels, "missed"], matrix),
        "## Calibration",
        "![Share right against score, entities and relations](calibration.png)",
        _reliability_table(report.model),
        "## Operating points",
        "![Precision against recall, entities and relations](precision_recall.png)",
        _operating_table(report.model),
        "## Documents",
        _document_table(report.documents),
        "## The run",
        run_table(run),
        "### Configuration",
        config_block(run),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def definitions(report: Report) -> str:
    """A Markdown list of what each measure of the report means."""
    return "\n".join(f"- **{name}**: {text}" for name, text in report.definitions.items())


def score_table(rows: Iterable[Row]) -> str:
    """A Markdown table of figures with interval, support and baseline."""
    header = ["", "P", "R", "F1", "95 % interval", "support", "predicted"]
    header += ["baseline P / R / F1", "95 % interval"]
    return markdown_table(header, [_cells(row) for row in rows])


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars and line breaks in cells are made harmless."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def run_table(run: Mapping[str, Any]) -> str:
    """A Markdown table of how the predictions came about, and one of the data they rest on."""
    machine: Mapping[str, Any] = run.get("machine") or {}
    encoder: Mapping[str, Any] = run.get("encoder") or {}
    versions = {f"version of {name}": str(v) for name, v in (run.get("versions") or {}).items()}
    facts = {
        "command": f"`{run['command']}`" if run.get("command") else NOT_RECORDED,
        "seed": recorded(run, "seed"),
        "encoder": recorded(encoder, "name"),
        "encoder weights, SHA-256": recorded(encoder, "sha256"),
        "parameters": f"{recorded(run, 'parameters')} (encoder: {recorded(encoder, 'parameters')})",
        "CPU": f"{recorded(machine, 'cpu')}, cores: {recorded(machine, 'cores')}",
        "memory, GiB": recorded(machine, "memory_gib"),
        "device, precision": f"{recorded(run, 'device')}, {recorded(run, 'precision')}",
        "GPU": "none" if machine.get("gpu", "") is None else recorded(machine, "gpu"),
        "time, seconds": recorded(run, "seconds"),
    } | (versions or {"versions": NOT_RECORDED})
    keys = ("path", "documents", "entities", "relations", "sha256")
    files = [[recorded(file, key) for key in keys] for file in run.get("data") or ()]
    table = markdown_table(["", ""], facts.items())
    return f"{table}\n\nData: " + (f"\n\n{markdown_table(keys, files)}" if files else NOT_RECORDED)


def config_block(run: Mapping[str, Any]) -> str:
    """The run's configuration as a block of JSON."""
    if not run.get("config"):
        return NOT_RECORDED
    return f"```json\n{json.dumps(run['config'], ensure_ascii=False, indent=1)}\n```"


def recorded(record: Mapping[str, Any], key: str) -> str:
    """The value of a key in words, or that it was not recorded."""
    value = record.get(key)
    if value is None:
        return NOT_RECORDED
    return f"{value:,}" if isinstance(value, int | float) and key != "seed" else str(value)


def render_summary(report: Report, console: Console) -> None:
    """Print a table of the summary rows."""
    for title, rows in zip(("Entities", "Relations"), summary_rows(report), strict=True):
        table = Table(title, box=SIMPLE_HEAD, show_edge=False, padding=0)
        for name in ("P", "R", "F1", "95 %", "support", "baseline P/R/F1"):
            table.add_column(name, justify="right")
        for row in rows:
            name, precision, recall, f1, interval, support, _, baseline, *_ = _cells(row)
            table.add_row(name, precision, recall, f1, interval, support, baseline.replace(" ", ""))
        console.print(table, "")


def format_interval(interval: Interval | None) -> str:
    """The two ends of an interval, or a dash."""
    return f"{interval.low:.3f}{DASH}{interval.high:.3f}" if interval else DASH


def _summarise_entities(system: SystemScores) -> dict[str, Figure | None]:
    return {
        "strict, micro": system.entities.micro,
        "strict, macro": system.entities.macro,
        "boundaries": system.entities.boundaries,
        "seen mentions": system.entities.seen,
        "unseen mentions": system.entities.unseen,
    }


def _summarise_relations(system: SystemScores) -> dict[str, Figure | None]:
    by_distance = system.relations.by_distance.items()
    return {
        "strict, micro": system.relations.micro,
        "strict, macro": system.relations.macro,
        "boundaries": system.relations.boundaries,
        "on gold entities": system.relations.on_gold_entities,
        **{f"sentence distance {distance}": score for distance, score in by_distance},
    }


def _beside(model: Mapping[str, Figure | None], baseline: Mapping[str, Figure | None]) -> list[Row]:
    """A row for each figure that the model has."""
    return [Row(name, figure, baseline.get(name)) for name, figure in model.items() if figure]


def _cells(row: Row) -> list[str]:
    cells = [row.name, *_rates(row.model), format_interval(row.model.interval)]
    if isinstance(row.model, Score):
        cells += [str(row.model.support), str(row.model.counts.n_predicted)]
    else:
        cells += [f"{row.model.support} labels", DASH]
    if row.baseline is None:
        return [*cells, DASH, DASH]
    return [*cells, " / ".join(_rates(row.baseline)), format_interval(row.baseline.interval)]


def _rates(figure: Figure | Counts) -> tuple[str, str, str]:
    """Precision, recall and F1 with three digits; a dash where there is no denominator."""
    if isinstance(figure, MacroF1):
        return DASH, DASH, f"{figure.f1:.3f}" if figure.n_labels else DASH
    counts = figure.counts if isinstance(figure, Score) else figure
    return (
        f"{counts.precision:.3f}" if counts.n_predicted else DASH,
        f"{counts.recall:.3f}" if counts.n_gold else DASH,
        f"{counts.f1:.3f}" if counts.n_predicted + counts.n_gold else DASH,
    )


def _cooccurrence_table(report: Report) -> str:
    """For each relation the pairs that merely stand together, and how many were taken for it."""
    sides = [report.model, *([report.baseline] if report.baseline else [])]
    rows = []
    for label in report.model.relations.cooccurrence:
        found = [side.relations.cooccurrence.get(label) for side in sides]
        cells = [f"{f.n_predicted} ({f.rate:.1%})" if f else DASH for f in found]
        n_pairs = report.model.relations.cooccurrence[label].n_pairs
        rows.append([label, str(n_pairs), *cells, *[DASH] * (2 - len(cells))])
    header = ["relation", "pairs without one", "found by the model", "by the baseline"]
    return markdown_table(header, rows) if rows else "No pair stands together without a relation."


def _reliability_table(model: SystemScores) -> str:
    """The expected calibration error of each head, and its bins."""
    rows = []
    for name, part in (
        ("entities", model.entities.reliability),
        ("relations", model.relations.reliability),
    ):
        if part is not None:
            bins = ", ".join(f"{b.score:.2f}→{b.share:.2f}" for b in part.bins)
            rows.append([name, f"{part.error:.3f}", str(sum(b.n for b in part.bins)), bins])
    header = ["scores", "expected calibration error", "number", "bins: mean score → share right"]
    return markdown_table(header, rows) if rows else "No scores were given."


def _curves(model: SystemScores) -> dict[str, tuple[OperatingPoint, ...]]:
    return {
        "entities": model.entities.operating_points,
        "relations": model.relations.operating_points,
    }


def _operating_table(model: SystemScores) -> str:
    """Precision, recall and F1 for each least score."""
    rows = [
        [name, f"{point.min_score:.2f}", *_rates(point.counts), str(point.counts.n_predicted)]
        for name, points in _curves(model).items()
        for point in points
    ]
    header = ["kept", "score at least", "P", "R", "F1", "predicted"]
    return markdown_table(header, rows) if rows else "No scores were given."


def _document_table(documents: Iterable[DocumentScores]) -> str:
    half = ["P", "R", "F1", "support", "baseline F1"]
    rows = []
    for document in documents:
        row = [document.id]
        for counts, baseline in (
            (document.entities, document.baseline_entities),
            (document.relations, document.baseline_relations),
        ):
            row += [*_rates(counts), str(counts.n_gold), _rates(baseline)[2] if baseline else DASH]
        rows.append(row)
    header = ["document", *(f"{kind} {name}" for kind in ("entity", "relation") for name in half)]
    return markdown_table(header, rows)
