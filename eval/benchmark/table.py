"""The table: everything that was predicted, scored as pressgang scores itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from own import TITLES
from protocols import PROTOCOLS, SEED, Part, parts, read_counts
from systems import PEERS, is_done, run_folder, say

from pressgang.corpus import read_documents
from pressgang.evaluation import DocumentScores, Report, evaluate
from pressgang.files import atomic_text, write_json
from pressgang.reports import DASH, format_interval, markdown_table
from pressgang.scoring import LEVEL, N_RESAMPLES, Counts, Interval

KINDS = ("entities", "relations")
HEADER = """# Side by side with other packages

Other packages, trained on the same documents from the same encoder and scored by the same scorer.
`README.md` says what each was given; this file is written by `python eval/benchmark/run.py table`.
Scores are micro F1 over whole documents, as in `eval/report.md`: an entity is correct if its first
and last character and its label are; a relation if its label, its direction and both its entities
are. The interval is the 95 % percentile bootstrap over articles; the difference is that of
pressgang to the system, with its interval, the same articles drawn for both. One training each."""


@dataclass(frozen=True, slots=True)
class Row:
    """A system under one protocol: its scores, how it was trained, and on how many parts."""

    name: str
    title: str
    has_relations: bool
    report: Report
    runs: tuple[dict[str, Any], ...]
    n_parts: int

    @property
    def label(self) -> str:
        """The title, and how much of the protocol is there if not all."""
        n_done = len(self.runs)
        return self.title + (
            f" ({n_done} of {self.n_parts} folds)" if n_done < self.n_parts else ""
        )


def write_table(root: Path, output: Path) -> None:
    """Score all that is there and write `peers.md` and `peers.json` to a folder.

    Raises ValueError if there is nothing to score.
    """
    counts = read_counts(root)
    rows = {protocol: read_rows(root, protocol) for protocol in PROTOCOLS}
    if not any(rows.values()):
        raise ValueError(f"{root / 'runs'}: nothing is trained yet: run.py train PEER")
    sections = [HEADER]
    for protocol, found in rows.items():
        sections += _section(protocol, found, [c for c in counts if c["protocol"] == protocol])
    with atomic_text(output / "peers.md") as file:
        file.write("\n\n".join(sections) + "\n")
    record = {p: {row.name: _record(row) for row in found} for p, found in rows.items()}
    write_json(output / "peers.json", {"parts": counts, "systems": record})
    say(f"written to {output / 'peers.md'}")


def read_rows(root: Path, protocol: str) -> list[Row]:
    """The systems of which predictions for the files as they are now are there."""
    every = [part for part in parts(root) if part.protocol == protocol]
    rows = []
    for name, title, has_relations in _systems():
        done = [part for part in every if is_done(run_folder(root, name, part), part)]
        if done:
            rows.append(_read_row(root, name, title, has_relations, done, len(every)))
    return rows


def _systems() -> list[tuple[str, str, bool]]:
    own = [(name, title, True) for name, title in TITLES.items()]
    return own + [(peer.name, peer.title, peer.has_relations) for peer in PEERS.values()]


def _read_row(
    root: Path, name: str, title: str, has_relations: bool, done: Sequence[Part], n_parts: int
) -> Row:
    folders = [run_folder(root, name, part) for part in done]
    gold = [document for part in done for document in read_documents(part.test)]
    predicted = [d for folder in folders for d in read_documents(folder / "predicted.jsonl")]
    report = evaluate(gold, predicted, seed=SEED)
    runs = tuple(json.loads((f / "run.json").read_text(encoding="utf-8")) for f in folders)
    return Row(name, title, has_relations, report, runs, n_parts)


def _section(protocol: str, rows: Sequence[Row], counts: Sequence[dict[str, Any]]) -> list[str]:
    """A protocol in Markdown: its data, its scores, what each system cost and was given."""
    test = {key: sum(c["test"][key] for c in counts) for key in counts[0]["test"]}
    trained = " / ".join(f"{c['train']['documents']} ({c['train']['words']:,})" for c in counts)
    texts = [
        f"## {protocol}: {PROTOCOLS[protocol]}",
        f"Documents (words) trained on: {trained}. Tested on {test['documents']} articles, "
        f"{test['words']:,} words, {test['entities']} entities, {test['relations']} relations.",
    ]
    if not rows:
        return [*texts, "Not run yet."]
    ours = next((row for row in rows if row.name == "pressgang"), None)
    for kind in KINDS:
        shown = [row for row in rows if kind == "entities" or row.has_relations]
        header = ["", "P", "R", "F1", "95 % interval", "macro F1", "support", "predicted"]
        header.append("pressgang ahead by")
        table = [[*_scores(row, kind), _difference_shown(ours, row, kind)] for row in shown]
        texts += [
            f"### {kind.capitalize()}",
            markdown_table([*header, "pressgang ahead by"], table),
        ]
    missing = [t for n, t, _ in _systems() if n not in {row.name for row in rows}]
    if missing:
        texts.append(f"Not run yet: {', '.join(missing)}.")
    header = ["", "parameters", "training, s", "whole run, s", "processor, s", "threads", "load"]
    texts += [
        "### Cost",
        "Sums over the folds. Training is that of the models alone; the whole run also reads, cuts "
        "and predicts; processor time is what a busy machine does not stretch; load is how many "
        "other processes were running when it began.",
        markdown_table(header, [_cost(row) for row in rows]),
        "Machine: " + "; ".join(sorted({_machine(run) for row in rows for run in row.runs})) + ".",
        "### What each was given, and what was lost on the way",
        markdown_table(["", "recipe", "counts", "versions"], [_given(row) for row in rows]),
    ]
    return texts


def _scores(row: Row, kind: str) -> list[str]:
    scores = getattr(row.report.model, kind)
    counts: Counts = scores.micro.counts
    figures = [f"{x:.3f}" for x in (counts.precision, counts.recall, counts.f1)]
    interval = format_interval(scores.micro.interval)
    totals = [str(counts.n_gold), str(counts.n_predicted)]
    return [row.label, *figures, interval, f"{scores.macro.f1:.3f}", *totals]


def _difference_shown(ours: Row | None, row: Row, kind: str) -> str:
    """By how much pressgang is ahead; a dash where it is not there for the same articles."""
    if ours is None or ours is row:
        return DASH
    found = difference(ours.report.documents, row.report.documents, kind)
    if found is None:
        return DASH
    ahead, interval = found
    return f"{ahead:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def difference(
    one: Sequence[DocumentScores], two: Sequence[DocumentScores], kind: str
) -> tuple[float, Interval] | None:
    """How far the F1 of one lies above that of two, and its interval over articles drawn for both.

    None if they are not of the same articles.
    """
    if {d.id for d in one} != {d.id for d in two}:
        return None
    a, b = (_sums(sorted(side, key=lambda d: d.id), kind) for side in (one, two))
    random = np.random.default_rng(SEED)
    draws = random.integers(len(a), size=(N_RESAMPLES, len(a)))
    apart = _f1(a[draws].sum(axis=1)) - _f1(b[draws].sum(axis=1))
    low, high = np.quantile(apart, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    whole = float(_f1(a.sum(axis=0)) - _f1(b.sum(axis=0)))
    return whole, Interval(float(low), float(high))


def _sums(documents: Sequence[DocumentScores], kind: str) -> npt.NDArray[np.float64]:
    """Correct, and predicted and gold together, `[n_documents, 2]`."""
    counts = [getattr(document, kind) for document in documents]
    return np.array([(c.n_correct, c.n_predicted + c.n_gold) for c in counts], dtype=float)


def _f1(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(2 * sums[..., 0] / np.maximum(1, sums[..., 1]))


def _cost(row: Row) -> list[str]:
    keys = ("training_seconds", "seconds", "cpu_seconds")
    known = [[run[key] for run in row.runs if run.get(key) is not None] for key in keys]
    sums = [f"{sum(values):,.0f}" if values else DASH for values in known]
    parameters = row.runs[0].get("parameters")
    threads = ", ".join(sorted({str(run["threads"]) for run in row.runs}))
    load = ", ".join(str(run["load_before"]) for run in row.runs if "load_before" in run)
    size = f"{parameters / 1e6:.1f} M" if parameters else DASH
    return [row.label, size, *sums, threads, load or DASH]


def _given(row: Row) -> list[str]:
    """Recipe, counts and versions; counts are sums over the folds."""
    first, counts = row.runs[0], {}
    for run in row.runs:
        for key, value in _flat(run.get("counts", {})).items():
            counts[key] = counts.get(key, 0) + value
    return [row.label, *(_listed(v) for v in (first["recipe"], counts, first.get("versions", {})))]


def _flat(counts: dict[str, Any]) -> dict[str, int]:
    """The counts with one level of names: {"train": {"n_cuts": 1}} gives "train n_cuts"."""
    flat: dict[str, int] = {}
    for key, value in counts.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{key} {name}".strip(): n for name, n in inner}
    return flat


def _listed(values: dict[str, Any]) -> str:
    return "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in values.items()) or DASH


def _machine(run: dict[str, Any]) -> str:
    found = run["machine"]
    return f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB, no GPU"


def _record(row: Row) -> dict[str, Any]:
    """A row as JSON types: counts by document, figures, and the record of each run."""
    report = row.report.to_dict()
    kinds = {kind: report["model"][kind] for kind in KINDS if kind in _kinds(row)}
    documents = [
        {"id": d["id"]} | {kind: d[kind] for kind in _kinds(row)} for d in report["documents"]
    ]
    return {"title": row.title, **kinds, "documents": documents, "runs": list(row.runs)}


def _kinds(row: Row) -> tuple[str, ...]:
    return KINDS if row.has_relations else KINDS[:1]
