"""What the queue saves: labelled documents needed for a given F1, against random order.

    python eval/active_learning.py [--seeds N] [--jobs N]

Simulated on the documents written for training: a fifth of them is the test, the others are the
pool, whose labels are shown document by document as an annotator would give them. Both orders begin
with the same random documents; in each round a batch is labelled, the model goes on from that of
the round before, and is scored. What a seed gave stays in `eval/active_learning/`, so what was
stopped goes on; `eval/active_learning.md` and its figure are written from what is there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import statistics
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from pressgang.annotation.doubt import doubt_many, order
from pressgang.config import RunConfig, TrainingConfig, WindowConfig
from pressgang.document import Document
from pressgang.evaluation.evaluate import evaluate
from pressgang.evaluation.figures import BLUE, ORANGE
from pressgang.files import sha256, write_json
from pressgang.label_studio.tasks import read_exports
from pressgang.learning.experiments import describe
from pressgang.schema import Schema
from pressgang.text.segmentation import words

FOLDER = Path(__file__).parent / "active_learning"
DATA = sorted((Path(__file__).parents[1] / "annotations" / "authored").glob("*.json"))
ORDERS = ("random", "queue")
BATCH = 16
ROUNDS = 7
KINDS = ("entities", "relations")


def main() -> None:
    """Run what is missing, and write table and figure."""
    parser = argparse.ArgumentParser(description="Documents needed, by queue and at random.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    waiting = [
        (name, seed)
        for seed in range(options.seeds)
        for name in ORDERS
        if not _path(name, seed).exists()
    ]
    console = Console()
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        for each in concurrent.futures.as_completed([pool.submit(run, *w) for w in waiting]):
            console.print(each.result(), highlight=False)
    records = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
    ]
    Path(__file__).with_suffix(".md").write_text(render(records), encoding="utf-8")
    draw(records, Path(__file__).with_suffix(".png"))


def run(name: str, seed: int) -> str:
    """Label the pool in one order, with one seed, and keep the scores of each round."""
    import torch

    from pressgang.learning.training import train

    torch.set_num_threads(1)
    documents = read_exports(DATA).documents
    test = [d for d in documents if zlib.crc32(d.id.encode()) % 5 == 0]
    pool = [d for d in documents if zlib.crc32(d.id.encode()) % 5]
    schema = Schema.from_documents(documents)
    random = np.random.default_rng(seed)
    shuffled = [pool[i] for i in random.permutation(len(pool))]
    labelled, open_ones = shuffled[:BATCH], shuffled[BATCH:]
    config = RunConfig(
        name="active-learning",
        seed=seed,
        windows=WindowConfig(tokens=256, core_tokens=192, right_tokens=32, sentences_apart=3),
        training=TrainingConfig(epochs=12, batch_windows=4),
    )
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            model = Path(folder) / str(number)
            extractor = train(
                config, labelled, schema, checkpoint=model, console=Console(quiet=True)
            ).extractor
            extractor.save(model)
            shown = {"documents": len(labelled), "words": sum(len(words(d.text)) for d in labelled)}
            rounds.append(shown | _scores(extractor.predict_many(map(_bare, test)), test))
            if name == "queue":
                doubts = [d.total for _, d in doubt_many(extractor, map(_bare, open_ones))]
                known = [d.text for d in labelled]
                ranking = order(doubts, [d.text for d in open_ones], known)
                open_ones = [open_ones[i] for i in ranking]
            labelled, open_ones = [*labelled, *open_ones[:BATCH]], open_ones[BATCH:]
            later = dataclasses.replace(config.training, epochs=4)
            config = dataclasses.replace(config, encoder=str(model), training=later)
    record = {"order": name, "seed": seed, "rounds": rounds, "tested": len(test)}
    record |= {"machine": describe(RunConfig())["machine"], "data": [sha256(p) for p in DATA]}
    write_json(_path(name, seed), record)
    return f"{name}, seed {seed}: {json.dumps(rounds[-1])}"


def _scores(predicted: Iterable[Document], gold: Sequence[Document]) -> dict[str, float]:
    report = evaluate(gold, list(predicted))
    return {kind: getattr(report.model, kind).micro.counts.f1 for kind in KINDS}


def _bare(document: Document) -> Document:
    return Document(document.id, document.text)


def render(records: Sequence[dict[str, Any]]) -> str:
    """How many documents and words each order needs for what random order ends with."""
    runs = {(r["order"], r["seed"]): r["rounds"] for r in records}
    seeds = sorted({seed for _, seed in runs if all((o, seed) in runs for o in ORDERS)})
    lines = [_HEADER.format(seeds=len(seeds)), ""]
    lines.append("| F1 of | reached at random | unit | random order | queue | saved |")
    lines.append("|---|---|---|---|---|---|")
    for kind in KINDS:
        for unit in ("documents", "words"):
            needs = [
                [needed(runs[o, s], unit, kind, _goal(runs, s, kind)) for o in ORDERS]
                for s in seeds
            ]
            goals = [_goal(runs, s, kind) for s in seeds]
            saved = [1 - queue / random for random, queue in needs if queue is not None]
            unreached = sum(queue is None for _, queue in needs)
            cells = [kind, _mean(goals, 3), unit, _mean([n[0] for n in needs], 0)]
            cells += [_mean([n[1] for n in needs if n[1] is not None], 0)]
            cells += [_mean(saved, 2) + (f" ({unreached} not reached)" if unreached else "")]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "![F1 against labelled documents](active_learning.png)", ""]
    lines += [
        "| order | seed | documents | words | entities | relations |",
        "|---|---|---|---|---|---|",
    ]
    for (name, seed), rounds in sorted(runs.items()):
        for r in rounds:
            scores = " | ".join(f"{r[kind]:.3f}" for kind in KINDS)
            lines.append(f"| {name} | {seed} | {r['documents']} | {r['words']:,} | {scores} |")
    machines = sorted({json.dumps(r["machine"]) for r in records})
    return "\n".join([*lines, "", *(f"Machine: `{m}`" for m in machines)]) + "\n"


_HEADER = """# What the queue saves

Simulated on the documents written for training: a fifth is the test, the labels of the others are
shown in batches of 16, in random order or in that of `pressgang studio queue`; strict micro F1,
{seeds} seeds, mean ± standard deviation. For each seed: how much each order needs (interpolated
between rounds) for the F1 that random order has at the end. Written by
`python eval/active_learning.py`."""


def needed(rounds: Sequence[dict[str, Any]], unit: str, kind: str, goal: float) -> float | None:
    """How much is labelled when the goal is first reached, between rounds in proportion.

    None if it is not reached.
    """
    before: dict[str, Any] | None = None
    for now in rounds:
        if now[kind] >= goal:
            if before is None or now[kind] == before[kind]:
                return float(now[unit])
            share = (goal - before[kind]) / (now[kind] - before[kind])
            return float(before[unit] + share * (now[unit] - before[unit]))
        before = now
    return None


def _goal(runs: dict[tuple[str, int], Any], seed: int, kind: str) -> float:
    return float(runs["random", seed][-1][kind])


def draw(records: Sequence[dict[str, Any]], path: Path) -> None:
    """F1 against labelled documents: each seed thin, the mean thick."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(9, 4), layout="constrained")
    for axes, kind in zip(picture.subplots(1, 2), KINDS, strict=True):
        for name, color in zip(ORDERS, (ORANGE, BLUE), strict=True):
            runs = [r["rounds"] for r in records if r["order"] == name]
            for rounds in runs:
                axes.plot(
                    [r["documents"] for r in rounds], [r[kind] for r in rounds], color=color, lw=0.6
                )
            documents = [r["documents"] for r in runs[0]] if runs else []
            means = [statistics.mean(run[i][kind] for run in runs) for i in range(len(documents))]
            axes.plot(documents, means, "o-", color=color, label=name)
        axes.set(xlabel="labelled documents", ylabel="F1", title=f"{kind}, strict micro F1")
        axes.grid(color="#DDDDDD")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    picture.savefig(path, dpi=110, metadata={"Software": None})


def _mean(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def _path(name: str, seed: int) -> Path:
    return FOLDER / f"{name}-{seed}.json"


if __name__ == "__main__":
    main()
