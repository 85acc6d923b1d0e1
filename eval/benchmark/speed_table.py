"""The report of a measurement: speed.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from speed_readers import SYSTEMS

from pressgang.evaluation.reports import DASH, markdown_table
from pressgang.files import atomic_text

Run = Mapping[str, Any]

HEADER = """# Speed

Raw text to entities (and, where a system finds them, relations), all systems in one run.
`README.md` says what each was given; this file is written by `python eval/benchmark/speed.py`.
Words are what white space parts. Figures are medians over the rounds, the least and the most behind
them; each round reads with every system once, each in a fresh process."""

MOST_LOAD_SECONDS = 1.5
MOST_GROWTH_MB = 50
MOST_SINGLE_MS = 15
LEAST_TIMES_PIPELINE = 5


def write_report(path: Path, record: Mapping[str, Any]) -> None:
    """Write the report of what `speed.measure` gave."""
    parts = [
        HEADER,
        _facts(record),
        _systems(record["runs"]),
        "## Targets\n\n" + _targets(record),
        "## Where pressgang's time goes\n\n" + _stages(record["ceiling"]),
        "## The limit\n\n" + _limit(record["ceiling"]),
    ]
    with atomic_text(path) as file:
        file.write("\n\n".join(parts) + "\n")


def rate(unit: str, kind: str) -> Callable[[Run], float]:
    """Words or documents a second of a run, over articles or sentences."""
    return lambda run: run[kind][unit] / run[kind]["seconds"]


def middle(runs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """The median of a figure over the runs."""
    return statistics.median(figure(run) for run in runs)


def _facts(record: Mapping[str, Any]) -> str:
    machine, settings = record["machine"], record["settings"]
    versions = {
        f"{package} {version}"
        for packages in record["versions"].values()
        for package, version in packages.items()
        if version
    }
    size = sum(record["model"].values()) / 1e6
    facts = {
        "CPU": f"{machine['cpu']}, cores: {machine['cores']}",
        "memory, GiB": str(machine["memory_gib"]),
        "load average before": f"{record['load_before']:.2f}",
        "threads": str(settings["threads"]),
        "rounds": str(settings["rounds"]),
        "articles": f"{settings['articles']}, repeated to {settings['words']:,} words",
        "short sentences": f"{settings['sentences']:,}, {settings['words_of_sentences']:,} words",
        "longest reading": f"{settings['seconds']:g} s; who is slower reads less",
        "pressgang's model": f"{size:.1f} MB in {len(record['model'])} files",
        "versions": ", ".join(sorted(versions)),
    }
    return markdown_table(["", ""], facts.items())


def _systems(runs: Mapping[str, Sequence[Run]]) -> str:
    header = ["system", "relations", "words/s", "articles/s", "sentences/s", "one sentence, ms"]
    header += ["import and load, s", "peak memory, MB", "words of articles read"]
    rows = []
    for name, measured in runs.items():
        single = [run for run in measured if "single_ms" in run]
        rows.append(
            [
                SYSTEMS[name].title,
                "yes" if SYSTEMS[name].has_relations else "no",
                _spread(measured, rate("words", "articles"), ".0f"),
                _spread(measured, rate("documents", "articles"), ".2f"),
                _spread(measured, rate("documents", "sentences"), ".1f"),
                _spread(single, lambda run: run["single_ms"], ".1f"),
                _spread(measured, lambda run: run["load_seconds"], ".2f"),
                _spread(measured, lambda run: run["peak_mb"], ".0f"),
                f"{middle(measured, lambda run: run['articles']['words']):,.0f}",
            ]
        )
    return markdown_table(header, rows)


def _spread(runs: Sequence[Run], figure: Callable[[Run], float], form: str) -> str:
    if not runs:
        return DASH
    values = [figure(run) for run in runs]
    low, mid, high = min(values), statistics.median(values), max(values)
    return f"{mid:{form}} ({low:{form}}{DASH}{high:{form}})"


def _targets(record: Mapping[str, Any]) -> str:
    runs, growth = record["runs"], record["growth"]
    ours, words = runs["pressgang"], rate("words", "articles")
    speed = middle(ours, words)
    rows = []
    for name, least in (("spacy", 1), ("transformers", LEAST_TIMES_PIPELINE)):
        if name in runs:
            times = speed / middle(runs[name], words)
            what = f"words a second, times those of {SYSTEMS[name].title}"
            rows.append([what, f"at least {least}", f"{times:.2f}", _met(times >= least)])
    load = middle(ours, lambda run: run["load_seconds"])
    single = middle(ours, lambda run: run["single_ms"])
    grown = max(growth["most_mb"] - growth["first_mb"], growth["first_mb"] - growth["least_mb"])
    between = f"1,000 and {growth['documents']:,} documents (short sentences)"
    bounds = [
        ("import and load, s", MOST_LOAD_SECONDS, f"{load:.2f}", load),
        ("one sentence, ms", MOST_SINGLE_MS, f"{single:.1f}", single),
        (f"change of memory between {between}, MB", MOST_GROWTH_MB, f"{grown:.1f}", grown),
    ]
    rows += [[what, f"at most {most}", said, _met(v <= most)] for what, most, said, v in bounds]
    return markdown_table(["", "target", "measured", ""], rows)


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _stages(ceiling: Mapping[str, Any]) -> str:
    names = {
        "tokenizing": "tokenizing, words and sentences",
        "encoder": "encoder and tag head",
        "pairs": "pair head",
        "rest": "windows, batches, decoding, Documents",
    }
    total, n_words = ceiling["seconds"], ceiling["words"]
    rows = [
        [title, f"{100 * s / total:.1f} %", f"{1e6 * s / n_words:.1f}"]
        for name, title in names.items()
        for s in [ceiling["stages"][name]]
    ]
    rows.append(["all", "100.0 %", f"{1e6 * total / n_words:.1f}"])
    return markdown_table(["stage", "share of time", "µs a word"], rows)


def _limit(ceiling: Mapping[str, Any]) -> str:
    """The machine's best rate beside what the encoder needs."""
    peak = ceiling["peak"]
    header = ["rows × depth × columns", *(f"{name}, 10⁹ multiply-adds/s" for name in peak)]
    rows = [
        [" × ".join(map(str, first["shape"])), f"{first['gmacs']:.0f}", f"{second['gmacs']:.0f}"]
        for first, second in zip(*peak.values(), strict=True)
    ]
    best = max(entry["gmacs"] for entry in peak["int8"])
    linear, attention = (ceiling[f"{n}_macs_per_word"] / 1e6 for n in ("linear", "attention"))
    n_words = ceiling["words"]
    least = linear * 1e6 / (best * 1e9)
    encoder = ceiling["stages"]["encoder"] / n_words
    total = ceiling["seconds"] / n_words
    text = (
        f"The encoder reads {ceiling['tokens_per_word']:.2f} tokens for each word (pieces of "
        f"words, and the context around each window's core). That takes {linear:.1f} million "
        f"multiply-adds in its linear layers and {attention:.2f} million in attention, which is "
        f"not in 8 bits. At the best rate above, the linear layers alone would take "
        f"{1e6 * least:.1f} µs a word: {1 / least:,.0f} words a second are the limit. The encoder "
        f"takes {1e6 * encoder:.1f} µs, the whole pipeline {1e6 * total:.1f} µs: at "
        f"{100 * least / encoder:.0f} % and {100 * least / total:.0f} % of that rate."
    )
    return f"{markdown_table(header, rows)}\n\n{text}"
