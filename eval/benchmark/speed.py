"""Measure how fast pressgang and other packages read raw text, side by side in one run.

    python eval/benchmark/speed.py

Writes speed.md and speed.json beside this file; README.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protocols import read_corpus
from run import ANNOTATIONS, HERE, ROOT
from speed_readers import SYSTEMS
from speed_table import write_report
from systems import PEERS, environment, machine, say, variables

from pressgang.document import Document
from pressgang.files import write_json
from pressgang.model.folders import find_model
from pressgang.text.segmentation import sentence_starts

OURS = "pressgang"
MOST_WORDS = 20
LEAST_WORDS = 5
"""Words of a short sentence."""


def main() -> None:
    """Measure and report; wrong input is one line on standard error and exit status 2."""
    arguments = _parser().parse_args()
    try:
        record = measure(arguments)
        write_json(arguments.output / "speed.json", record)
        write_report(arguments.output / "speed.md", record)
    except (ValueError, OSError) as error:
        say(f"benchmark: {' '.join(str(error).split())}")
        sys.exit(2)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, as JSON types.

    Each round takes every system once, each in a fresh process, so that a machine that slows down
    or speeds up does so for all.
    """
    model = find_model(arguments.model)
    gold, *_ = read_corpus(ANNOTATIONS)
    sentences = short_sentences(gold)
    given = {
        "model": str(model.resolve()),
        "labels": sorted({e.label for d in gold for e in d.entities}),
        "articles": [document.text for document in gold],
        "sentences": (sentences * (arguments.sentences // len(sentences) + 1))[
            : arguments.sentences
        ],
        "words": arguments.words,
        "seconds": arguments.seconds,
        "threads": arguments.threads,
    }
    bench = Bench(arguments.root, given, arguments.threads)
    names = [OURS, *arguments.beside]
    versions = {name: bench.run(name, "prepare")["versions"] for name in names}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(arguments.rounds):
        for name in names:
            runs[name].append(bench.run(name, "read"))
            say(f"round {number + 1}: {name}: {_rate(runs[name][-1])} words a second")
    growth = bench.run(OURS, "growth", documents=arguments.documents)
    return {
        "machine": machine(),
        "load_before": bench.load_before,
        "settings": {
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "seconds": arguments.seconds,
            "words": arguments.words,
            "sentences": arguments.sentences,
            "words_of_sentences": sum(len(s.split()) for s in given["sentences"]),
            "articles": len(gold),
        },
        "model": _manifest(model),
        "versions": versions,
        "runs": runs,
        "growth": growth,
        "ceiling": bench.run(OURS, "ceiling"),
    }


def short_sentences(documents: Sequence[Document]) -> list[str]:
    """The sentences of 5 to 20 words, in order."""
    found = []
    for document in documents:
        text = document.text
        starts = [*sentence_starts(text).tolist(), len(text)]
        pieces = [text[start:end].strip() for start, end in itertools.pairwise(starts)]
        found += [p for p in pieces if LEAST_WORDS <= len(p.split()) <= MOST_WORDS]
    return found


class Bench:
    """Runs jobs in fresh processes, each in its system's environment."""

    def __init__(self, root: Path, given: dict[str, Any], threads: int) -> None:
        self.root = root
        self.given = given
        self.threads = threads
        self.load_before = round(os.getloadavg()[0], 2)

    def run(self, name: str, task: str, **more: Any) -> dict[str, Any]:
        """What a process measured.

        Raises ValueError naming the log if it fails.
        """
        system = SYSTEMS[name]
        peer = PEERS[system.environment] if system.environment else None
        python = environment(peer, self.root) if peer else Path(sys.executable)
        folder = self.root / "speed" / name
        folder.mkdir(parents=True, exist_ok=True)
        job, output, log = (folder / f"{task}.{end}" for end in ("job.json", "json", "log"))
        given = self.given | {"system": name, "task": task, "folder": str(folder)} | more
        write_json(job, given)
        output.unlink(missing_ok=True)
        script = HERE / ("speed_ceiling.py" if task == "ceiling" else "speed_process.py")
        with log.open("w", encoding="utf-8") as file:
            code = subprocess.run(  # noqa: S603 - our own script
                [str(word) for word in (python, script, job, output, time.monotonic())],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._variables(),
            ).returncode
        if code or not output.exists():
            raise ValueError(f"{name}, {task}: ended with status {code}; see {log}")
        result: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return result

    def _variables(self) -> dict[str, str]:
        """Those of the other scripts, and bytecode kept: else each import would be compiled."""
        kept = {"PYTHONPYCACHEPREFIX": str(self.root / "cache" / "bytecode")}
        return variables(self.root, self.threads) | kept | {"PYTHONDONTWRITEBYTECODE": ""}


def _rate(run: dict[str, Any]) -> int:
    articles = run["articles"]
    return round(articles["words"] / articles["seconds"]) if articles["seconds"] else 0


def _manifest(model: Path) -> dict[str, Any]:
    """The files of a model folder and their sizes."""
    return {path.name: path.stat().st_size for path in sorted(model.iterdir()) if path.is_file()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="a folder or an installed model, not the shipped one")
    others = [name for name in SYSTEMS if name != OURS]
    parser.add_argument("--beside", nargs="*", choices=others, default=others, metavar="SYSTEM")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--words", type=int, default=200_000, help="of articles")
    parser.add_argument("--sentences", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=60, help="longest time to read either")
    parser.add_argument("--documents", type=int, default=100_000, help="to watch memory over")
    parser.add_argument("--root", type=Path, default=ROOT, help=f"folder for all, not {ROOT}")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for speed.md")
    return parser


if __name__ == "__main__":
    main()
