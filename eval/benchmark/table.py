"""The table: everything that was predicted, scored as pressgang scores itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protocols import PROTOCOLS, SEED, read_counts
from rows import KINDS, Row, read_rows, titles
from systems import say

from pressgang.evaluation.reports import DASH, format_interval, markdown_table
from pressgang.evaluation.scoring import Counts, bootstrap_difference
from pressgang.files import atomic_text, write_json

HEADER = """# Side by side with other packages

Other packages, trained on the same documents, from the same encoder where they take one, and scored
by the same scorer. `README.md` says what each was given; this file is written by
`python eval/benchmark/run.py table`.
Scores are strict micro F1 over whole documents, as in `eval/report.md`: an entity is correct if its
first and last character and its label are; a relation if its label, its direction and both its
entities are. The interval is the 95 % percentile bootstrap over articles. *Ahead by* is how far the
first row lies above, the same articles drawn for both. One training each."""
COST = """Sums over the trainings. Training is that of the models alone; the whole run also reads,
cuts and predicts; processor time is what a busy machine hardly stretches; load is how many other
processes were running when it began."""


def write_table(root: Path, reports: Path, output: Path) -> None:
    """Score all that is there; write `table.json`, and from it `table.md` and `card.md`."""
    rows = {p: [row.to_dict() for row in read_rows(root, p, reports)] for p in PROTOCOLS}
    write_json(output / "table.json", {"parts": read_counts(root), "rows": rows})
    record = json.loads((output / "table.json").read_text(encoding="utf-8"))
    for name, text in (("table.md", render(record)), ("card.md", render_card(record))):
        with atomic_text(output / name) as file:
            file.write(text)
    say(f"written to {output / 'table.md'}")


def render(record: Mapping[str, Any]) -> str:
    """The whole table in Markdown, from what `table.json` holds."""
    sections = [HEADER]
    for protocol in PROTOCOLS:
        counts = [part for part in record["parts"] if part["protocol"] == protocol]
        sections += _section(protocol, _rows(record, protocol), counts)
    return "\n\n".join(sections) + "\n"


def render_card(record: Mapping[str, Any]) -> str:
    """For the model card: pressgang, its baseline, and the best peers of the first protocol."""
    protocol = next(iter(PROTOCOLS))
    rows = _rows(record, protocol)
    peers = [row for row in rows if row.is_peer]
    best = [
        max((p for p in peers if kind in p.micro), key=lambda p: p.micro[kind].counts.f1)
        for kind in KINDS
        if any(kind in peer.micro for peer in peers)
    ]
    shown = [row for row in rows if not row.is_peer or row in best]
    table = [[row.title, *(_in_short(row, kind) for kind in KINDS)] for row in shown]
    which = (
        f"Of {len(peers)} other packages, those that are best at entities and at relations are "
        "shown; `eval/benchmark/table.md` has all, with training times and what each was given."
        if peers
        else "No other package was run yet."
    )
    return (
        f"Each {PROTOCOLS[protocol]}, from the same encoder where it takes one, and scored by the "
        f"same scorer: strict micro F1 with its 95 % interval. {which}\n\n"
        f"{markdown_table(['', *KINDS], table)}\n"
    )


def _rows(record: Mapping[str, Any], protocol: str) -> list[Row]:
    return [Row.from_dict(row) for row in record["rows"][protocol]]


def _in_short(row: Row, kind: str) -> str:
    if kind not in row.micro:
        return DASH
    score = row.micro[kind]
    return f"{score.counts.f1:.3f} ({format_interval(score.interval)})"


def _section(protocol: str, rows: Sequence[Row], counts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A protocol in Markdown: its data, its scores, what each system cost and was given."""
    test = {key: sum(c["test"][key] for c in counts) for key in counts[0]["test"]}
    trained = sum(c["train"]["words"] for c in counts) / len(counts)
    texts = [
        f"## {protocol}: {PROTOCOLS[protocol]}",
        f"Trainings: {len(counts)}, of {trained:,.0f} words on average. Tested on "
        f"{test['documents']} articles, {test['words']:,} words, {test['entities']} entities, "
        f"{test['relations']} relations.",
    ]
    if missing := [title for title in titles(protocol) if title not in {r.title for r in rows}]:
        texts.append(f"Not run yet: {'; '.join(missing)}.")
    if not rows:
        return texts
    for kind in KINDS:
        shown = [row for row in rows if kind in row.micro]
        header = ["", "P", "R", "F1", "95 % interval", "macro F1", "support", "predicted"]
        table = [[*_scores(row, kind), _ahead(rows[0], row, kind)] for row in shown]
        texts += [f"### {kind.capitalize()}", markdown_table([*header, "ahead by"], table)]
    trained_rows = [row for row in rows if row.runs]
    header = ["", "parameters", "training, s", "processor, s", "whole run, s", "threads", "load"]
    machines = sorted({_machine(run) for row in trained_rows for run in row.runs})
    return [
        *texts,
        "### Cost",
        COST,
        markdown_table(header, [_cost(row) for row in trained_rows]),
        f"Machine: {'; '.join(machines)}.",
        "### What each was given, and what was lost on the way",
        markdown_table(["", "recipe", "counts", "versions"], [_given(row) for row in trained_rows]),
    ]


def _label(row: Row) -> str:
    """The title, and how many of the trainings are there if not all."""
    n_done = len(row.runs)
    return row.title + (f" ({n_done} of {row.n_parts} trainings)" if n_done < row.n_parts else "")


def _scores(row: Row, kind: str) -> list[str]:
    score = row.micro[kind]
    counts = score.counts
    figures = [f"{x:.3f}" for x in (counts.precision, counts.recall, counts.f1)]
    totals = [str(counts.n_gold), str(counts.n_predicted)]
    interval = format_interval(score.interval)
    return [_label(row), *figures, interval, f"{row.macro[kind].f1:.3f}", *totals]


def _ahead(first: Row, row: Row, kind: str) -> str:
    """How far the first row lies above; a dash where the two are not of the same articles."""
    one, two = first.counts[kind], row.counts[kind]
    if first is row or one.keys() != two.keys():
        return DASH
    names = sorted(one)
    interval = bootstrap_difference([one[n] for n in names], [two[n] for n in names], seed=SEED)
    apart = sum(one.values(), Counts()).f1 - sum(two.values(), Counts()).f1
    ends = f" ({interval.low:+.3f} to {interval.high:+.3f})" if interval else ""
    return f"{apart:+.3f}{ends}"


def _cost(row: Row) -> list[str]:
    keys = ("training_seconds", "training_cpu_seconds", "seconds")
    known = [[run[key] for run in row.runs if key in run] for key in keys]
    sums = [f"{sum(values):,.0f}" if values else DASH for values in known]
    threads = ", ".join(sorted({str(run["threads"]) for run in row.runs}))
    load = ", ".join(str(run["load_before"]) for run in row.runs if "load_before" in run)
    return [_label(row), f"{row.runs[0]['parameters'] / 1e6:.1f} M", *sums, threads, load or DASH]


def _given(row: Row) -> list[str]:
    """Recipe, counts and versions; counts are sums over the trainings."""
    first, counts = row.runs[0], {}
    for run in row.runs:
        for key, value in _flat(run.get("counts", {})).items():
            counts[key] = counts.get(key, 0) + value
    return [_label(row), *(_listed(v) for v in (first["recipe"], counts, first["versions"]))]


def _flat(counts: Mapping[str, Any]) -> dict[str, int]:
    """The counts with one level of names: {"train": {"n_cuts": 1}} gives "train n_cuts"."""
    flat: dict[str, int] = {}
    for key, value in counts.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{key} {name}".strip(): n for name, n in inner}
    return flat


def _listed(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in values.items()) or DASH


def _machine(run: Mapping[str, Any]) -> str:
    found = run["machine"]
    return f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB, no GPU"
