"""What each choice of the recipe is worth: CoNLL04, trained on one part, scored on the other.

    python eval/choices.py TRAIN DEV [--seeds N] [--jobs N] [--only ARM ...]

Each arm is the recipe of `training/conll04.toml` with one setting changed. A run's scores stay in
`eval/choices/`, so what was stopped goes on; `eval/choices.md` is written from what is there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import statistics
import tempfile
import time
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

FOLDER = Path(__file__).parent / "choices"
RECIPE = Path(__file__).parents[1] / "training" / "conll04.toml"
Settings = Mapping[str, Mapping[str, Any]]

ARMS: Mapping[str, tuple[str, Settings]] = {
    "recipe": ("as it is", {}),
    "epochs-8": ("8 epochs instead of 14", {"training": {"epochs": 8}}),
    "epochs-25": ("25 epochs instead of 14", {"training": {"epochs": 25}}),
    "encoder-rate-1e-4": ("encoder rate halved", {"training": {"encoder_learning_rate": 1e-4}}),
    "encoder-rate-3e-4": ("encoder rate 3e-4", {"training": {"encoder_learning_rate": 3e-4}}),
    "head-rate-5e-4": ("head rate halved", {"training": {"head_learning_rate": 5e-4}}),
    "head-rate-2e-3": ("head rate doubled", {"training": {"head_learning_rate": 2e-3}}),
    "relations-3": ("relation loss times 3", {"training": {"relation_weight": 3.0}}),
    "gold-spans": ("no wrong spans of the tagger's", {"training": {"predicted_spans": 0}}),
    "no-average": ("no moving average of weights", {"training": {"average_decay": 0.0}}),
    "slow-average": ("average over 1,000 steps", {"training": {"average_decay": 0.999}}),
    "trained-words": ("word embeddings trained", {"training": {"freeze_word_embeddings": False}}),
    "no-dropout": ("no dropout", {"model": {"dropout": 0.0, "encoder_dropout": 0.0}}),
    "dropout-3": ("dropout 0.3 before the heads", {"model": {"dropout": 0.3}}),
    "width-96": ("pair head half as wide", {"model": {"pair_width": 96}}),
    "width-384": ("pair head twice as wide", {"model": {"pair_width": 384}}),
}


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="*", choices=ARMS, default=list(ARMS))
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    waiting = [
        (arm, seed)
        for seed in range(options.seeds)
        for arm in options.only
        if not _path(arm, seed).exists()
    ]
    console = Console()
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        runs = [pool.submit(run, *each, options.train, options.dev) for each in waiting]
        for each in concurrent.futures.as_completed(runs):
            console.print(each.result(), highlight=False)
    Path(__file__).with_suffix(".md").write_text(render(), encoding="utf-8")


def run(arm: str, seed: int, train: Path, dev: Path) -> str:
    """Train and score one arm with one seed, and keep the scores; a line on how it went."""
    import torch

    from pressgang.config import RunConfig, from_mapping
    from pressgang.document import Document
    from pressgang.evaluation.evaluate import evaluate
    from pressgang.files import sha256, write_json
    from pressgang.label_studio.tasks import read_exports
    from pressgang.learning import training
    from pressgang.learning.experiments import describe
    from pressgang.schema import Schema

    torch.set_num_threads(1)
    recipe = tomllib.loads(RECIPE.read_text(encoding="utf-8"))
    config = from_mapping(RunConfig, _changed(recipe | {"seed": seed}, ARMS[arm][1]))
    learnt, gold = (read_exports([path]).documents for path in (train, dev))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        extractor = training.train(
            config,
            learnt,
            Schema.from_documents(learnt),
            checkpoint=Path(folder),
            console=Console(quiet=True),
        ).extractor
    seconds = round(time.perf_counter() - started)
    report = evaluate(
        gold,
        list(extractor.predict_many(Document(d.id, d.text) for d in gold)),
        predicted_on_gold=list(
            extractor.relate_many(Document(d.id, d.text, d.entities) for d in gold)
        ),
    )
    relations = report.model.relations
    assert relations.on_gold_entities is not None
    scores = {
        "entities": report.model.entities.micro.counts.f1,
        "relations": relations.micro.counts.f1,
        "relations_on_gold_entities": relations.on_gold_entities.counts.f1,
    }
    record = describe(config) | {"arm": arm, "scores": scores, "seconds": seconds}
    record["data"] = {name: sha256(path) for name, path in (("train", train), ("dev", dev))}
    write_json(_path(arm, seed), record)
    return f"{arm}, seed {seed}: {json.dumps(scores)}, {seconds} s"


def render() -> str:
    """The table: the mean over seeds, the spread, and the difference to the recipe by seed."""
    runs = {arm: _read(arm) for arm in ARMS}
    base = runs["recipe"]
    kinds = ("entities", "relations", "relations_on_gold_entities")
    lines = [_HEADER, "", "| | seeds | entities | | relations | | on gold entities | | minutes |"]
    lines.append("|---|---|" + "---|---|" * len(kinds) + "---|")
    for arm, (meaning, _) in ARMS.items():
        records = runs[arm]
        cells = [meaning, str(len(records) or "not run")]
        for kind in kinds:
            scores = [100 * r["scores"][kind] for r in records.values()]
            both = records.keys() & base.keys() if arm != "recipe" else ()
            gains = [100 * (records[s]["scores"][kind] - base[s]["scores"][kind]) for s in both]
            cells += [_mean(scores), _mean(gains, sign="+")]
        seconds = [r["seconds"] for r in records.values()]
        cells.append(f"{statistics.mean(seconds) / 60:.0f}" if seconds else "")
        lines.append(f"| {' | '.join(cells)} |")
    machines = {json.dumps(r["machine"]) for records in runs.values() for r in records.values()}
    lines += ["", *(f"Machine: `{machine}`" for machine in sorted(machines))]
    return "\n".join(lines) + "\n"


_HEADER = """# What each choice of the recipe is worth

CoNLL04: trained on its training part, scored on its development part (231 sentences, 893 entities,
343 relations), strict micro F1 in points. Each row changes one setting of `training/conll04.toml`.
Mean over seeds ± standard deviation; the second figure of each pair is the difference to the recipe
with the same seed. One run at a time on each core. Written by `python eval/choices.py`."""


def _mean(values: Iterable[float], sign: str = "") -> str:
    """The mean with one digit, and the standard deviation where there are two values or more."""
    values = list(values)
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.1f}{spread}"


def _changed(recipe: dict[str, Any], settings: Settings) -> dict[str, Any]:
    return recipe | {part: recipe.get(part, {}) | dict(new) for part, new in settings.items()}


def _path(arm: str, seed: int) -> Path:
    return FOLDER / f"{arm}-{seed}.json"


def _read(arm: str) -> dict[int, dict[str, Any]]:
    """The records of an arm by seed."""
    paths = sorted(FOLDER.glob(f"{arm}-[0-9]*.json"))
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return {record["seed"]: record for record in records if record["arm"] == arm}


if __name__ == "__main__":
    main()
