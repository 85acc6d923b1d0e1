"""What each choice of the recipe is worth, on two corpora that are larger than the articles.

    python eval/choices.py written
    python eval/choices.py conll04 TRAIN DEV

`written`: the documents written for training, a fifth of them held out. `conll04`: trained on one
part, scored on the other. Each arm is the recipe with one setting changed. A run's scores stay in
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
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from pressgang.document import Document

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "eval" / "choices"
CORPORA = {
    "conll04": """CoNLL04: trained on its training part, scored on its development part, by
`training/conll04.toml`.""",
    "written": """The documents written for training: a fifth is held out and scored, the others
are learnt as in the first stage of `training/default.toml`, but not augmented.""",
}
# The shipped model has learnt all written documents, those held out here too.
NOT_ON = {"written": {"shipped"}, "conll04": set[str]()}
Settings = Mapping[str, Any]

ARMS: Mapping[str, tuple[str, Settings]] = {
    "recipe": ("as it is", {}),
    "shipped": ("begun from the shipped model", {"encoder": "pressgang"}),
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("data", type=Path, nargs="*", help="for conll04: two Label Studio exports")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="*", choices=ARMS, help="all that there are")
    options = parser.parse_args()
    arms = [arm for arm in options.only or ARMS if arm not in NOT_ON[options.corpus]]
    if options.only and len(arms) < len(options.only):
        parser.error("the shipped model knows the written documents: nothing is to be learnt there")
    if len(options.data) != (2 if options.corpus == "conll04" else 0):
        parser.error("conll04 takes two files, TRAIN and DEV; written takes none")
    (FOLDER / options.corpus).mkdir(parents=True, exist_ok=True)
    waiting = [
        (arm, seed)
        for seed in range(options.seeds)
        for arm in arms
        if not _path(options.corpus, arm, seed).exists()
    ]
    console = Console()
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, mp_context=spawn) as pool:
        runs = [pool.submit(run, options.corpus, *each, options.data) for each in waiting]
        for each in concurrent.futures.as_completed(runs):
            console.print(each.result(), highlight=False)
    Path(__file__).with_suffix(".md").write_text(render(), encoding="utf-8")


def run(corpus: str, arm: str, seed: int, data: Sequence[Path]) -> str:
    """Train and score one arm with one seed, and keep the scores; a line on how it went."""
    import torch

    from pressgang.config import RunConfig, from_mapping
    from pressgang.document import Document
    from pressgang.evaluation.evaluate import evaluate
    from pressgang.files import sha256, write_json
    from pressgang.learning import training
    from pressgang.learning.experiments import describe
    from pressgang.schema import Schema

    torch.set_num_threads(1)
    config = from_mapping(RunConfig, _changed(_recipe(corpus) | {"seed": seed}, ARMS[arm][1]))
    paths = data or sorted((ROOT / "annotations" / "authored").glob("*.json"))
    learnt, gold = _halves(corpus, paths)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        extractor = training.train(
            config,
            learnt,
            Schema.from_documents([*learnt, *gold] if corpus == "written" else learnt),
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
    record["data"] = {path.name: sha256(path) for path in paths}
    record["support"] = {
        "documents": len(gold),
        "entities": sum(len(d.entities) for d in gold),
        "relations": sum(len(d.relations) for d in gold),
    }
    write_json(_path(corpus, arm, seed), record)
    return f"{corpus}, {arm}, seed {seed}: {json.dumps(scores)}, {seconds} s"


def _recipe(corpus: str) -> dict[str, Any]:
    """The settings of the recipe that the arms change."""
    if corpus == "conll04":
        return tomllib.loads((ROOT / "training/conll04.toml").read_text(encoding="utf-8"))
    default = tomllib.loads((ROOT / "training/default.toml").read_text(encoding="utf-8"))
    first_stage = {"relation_weight": default["training"]["relation_weight"]}
    return {
        "encoder": default["encoder"],
        "windows": default["windows"],
        "training": default["pretraining"] | first_stage,
    }


def _halves(corpus: str, paths: Sequence[Path]) -> tuple[Sequence[Document], ...]:
    """What is learnt and what is scored."""
    from pressgang.label_studio.tasks import read_exports

    if corpus == "conll04":
        return tuple(read_exports([path]).documents for path in paths)
    # By a checksum of the id: the same documents in each run, whatever was added to the others.
    held_out: dict[bool, list[Document]] = {True: [], False: []}
    for document in read_exports(paths).documents:
        held_out[zlib.crc32(document.id.encode()) % 5 == 0].append(document)
    return held_out[False], held_out[True]


def render() -> str:
    """The tables: the mean over seeds, the spread, and the difference to the recipe by seed."""
    return "\n".join([_HEADER, *(_table(corpus) for corpus in CORPORA)])


def _table(corpus: str) -> str:
    runs = {arm: _read(corpus, arm) for arm in ARMS}
    base = runs["recipe"]
    kinds = ("entities", "relations", "relations_on_gold_entities")
    lines = [
        "",
        f"## {corpus}",
        "",
        CORPORA[corpus],
        "",
        "| | seeds | entities | | relations | | on gold entities | | minutes |",
    ]
    lines.append("|---|---|" + "---|---|" * len(kinds) + "---|")
    for arm, records in runs.items():
        if not records:
            continue
        cells = [ARMS[arm][0], str(len(records))]
        for kind in kinds:
            scores = [100 * r["scores"][kind] for r in records.values()]
            both = records.keys() & base.keys() if arm != "recipe" else ()
            gains = [100 * (records[s]["scores"][kind] - base[s]["scores"][kind]) for s in both]
            cells += [_mean(scores), _mean(gains, sign="+")]
        seconds = [r["seconds"] for r in records.values()]
        cells.append(f"{statistics.mean(seconds) / 60:.0f}" if seconds else "")
        lines.append(f"| {' | '.join(cells)} |")
    machines = {json.dumps(r["machine"]) for records in runs.values() for r in records.values()}
    support = {json.dumps(r["support"]) for records in runs.values() for r in records.values()}
    lines += ["", *(f"Scored on: `{each}`" for each in sorted(support))]
    lines += ["", *(f"Machine: `{machine}`" for machine in sorted(machines))]
    if left := [ARMS[arm][0] for arm, records in runs.items() if not records]:
        lines += ["", f"Not run: {'; '.join(left)}."]
    return "\n".join(lines) + "\n"


_HEADER = """# What each choice of the recipe is worth

Strict micro F1 in points. Each row changes one setting of the recipe. Mean over seeds ± standard
deviation; the second figure of each pair is the difference to the recipe with the same seed. One
run at a time on each core, one thread each. Written by `python eval/choices.py`."""


def _mean(values: Iterable[float], sign: str = "") -> str:
    """The mean with one digit, and the standard deviation where there are two values or more."""
    values = list(values)
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.1f}{spread}"


def _changed(recipe: dict[str, Any], settings: Settings) -> dict[str, Any]:
    return recipe | {
        part: recipe.get(part, {}) | dict(new) if isinstance(new, Mapping) else new
        for part, new in settings.items()
    }


def _path(corpus: str, arm: str, seed: int) -> Path:
    return FOLDER / corpus / f"{arm}-{seed}.json"


def _read(corpus: str, arm: str) -> dict[int, dict[str, Any]]:
    """The records of an arm by seed."""
    paths = sorted((FOLDER / corpus).glob(f"{arm}-[0-9]*.json"))
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return {record["seed"]: record for record in records if record["arm"] == arm}


if __name__ == "__main__":
    main()
