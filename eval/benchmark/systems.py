"""The peers, their environments, and how one is trained there."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols import Part

from pressgang.files import sha256, write_json

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"


@dataclass(frozen=True, slots=True)
class Peer:
    """A script and the environment that it runs in, which is named like the peer."""

    name: str
    title: str
    script: str
    has_relations: bool = False
    variant: str = ""

    @property
    def requirements(self) -> Path:
        """The pinned packages of its environment, all of them."""
        return HERE / "requirements" / f"{self.name}.txt"


PEERS = {
    peer.name: peer
    for peer in (
        Peer("transformers", "Hugging Face token classifier", "hf_token_classifier.py"),
        Peer("spacy", "spaCy `ner`, tok2vec from scratch", "spacy_ner.py", variant="tok2vec"),
        Peer(
            "spacy-transformers",
            "spaCy `ner` on spacy-transformers",
            "spacy_ner.py",
            variant="transformer",
        ),
        Peer("gliner", "GLiNER relex", "gliner_relex.py", has_relations=True),
        Peer("gliner2", "GLiNER2", "gliner2_joint.py", has_relations=True),
        Peer(
            "flair",
            "flair SequenceTagger, then RelationClassifier",
            "flair_pipeline.py",
            has_relations=True,
        ),
        Peer("span-marker", "SpanMarker", "span_marker_ner.py"),
    )
}


def run_folder(root: Path, name: str, part: Part, *, trial: bool = False) -> Path:
    """Where the predictions of a system for a part lie."""
    return root / ("trials" if trial else "runs") / name / part.protocol / str(part.number)


def read_run(folder: Path, part: Part) -> dict[str, Any] | None:
    """How the predictions in the folder came about; None if they are not of the part's files."""
    path = folder / "run.json"
    if not path.exists():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record if record["data"] == part.hashes() else None


def environment(peer: Peer, root: Path) -> Path:
    """The Python of the peer's environment, which is made where it is missing or has other pins.

    Raises ValueError naming the log if the packages cannot be installed.
    """
    folder = root / "environments" / peer.name
    marker, pins = folder / "installed", sha256(peer.requirements)
    python = folder / "bin" / "python"
    if marker.exists() and marker.read_text(encoding="utf-8") == pins:
        return python
    say(f"{peer.name}: making {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    log = root / "environments" / f"{peer.name}.log"
    commands = [
        [sys.executable, "-m", "venv", str(folder)],
        [*f"{python} -m pip install --no-compile --no-deps -r".split(), str(peer.requirements)],
    ]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        for command in commands:
            if subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode:  # noqa: S603
                raise ValueError(f"{peer.name}: its environment cannot be made; see {log}")
    marker.write_text(pins, encoding="utf-8")
    return python


def train(
    peer: Peer,
    part: Part,
    root: Path,
    *,
    threads: int,
    passes: int = 1,
    limit: int | None = None,
    max_steps: int | None = None,
) -> None:
    """Train a peer on a part in its environment, unless that is done; keep what it predicts.

    `passes` multiplies the epochs; a run with more of them is not made again with fewer. `limit`
    and `max_steps` make a trial, which is kept apart and scored by nobody.

    Raises ValueError naming the log if the peer fails.
    """
    trial = limit is not None or max_steps is not None
    folder = run_folder(root, peer.name, part, trial=trial)
    done = read_run(folder, part)
    if not trial and done and done["recipe"]["passes"] >= passes:
        say(f"{peer.name}, {part.protocol} {part.number}: done before")
        return
    python = environment(peer, root)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "log.txt"
    say(f"{peer.name}, {part.protocol} {part.number}: training; log in {log}")
    command = [python, HERE / "peers" / peer.script, "--train", part.train, "--test", part.test]
    command += ["--output", folder]
    options = {"passes": passes, "variant": peer.variant, "limit": limit, "max-steps": max_steps}
    command += [f"--{key}={value}" for key, value in options.items() if value]
    load, started, used = os.getloadavg()[0], time.perf_counter(), _cpu_seconds()
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(  # noqa: S603 - our own script
            [str(word) for word in command],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=variables(root, threads),
        ).returncode
    if code:
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
        last = lines[-1] if lines else "no output"
        raise ValueError(f"{peer.name} ended with status {code}: {last}; see {log}")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    cost = {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(_cpu_seconds() - used, 1),
        "load_before": round(load, 1),
    }
    write_run(folder, part, result | cost, threads)
    say(f"{peer.name}, {part.protocol} {part.number}: {cost['seconds']:.0f} s")


def write_run(folder: Path, part: Part, result: dict[str, Any], threads: int) -> None:
    """Write `run.json`, which says that a run is complete and how it was done."""
    record = {"data": part.hashes(), "threads": threads, "machine": machine()} | result
    write_json(folder / "run.json", record)


def machine() -> dict[str, Any]:
    """The processor, the number of cores and the memory in GiB."""
    cpu, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text(encoding="utf-8"))
        cpu = found[1] if found else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gib": round(memory)}


def say(line: str) -> None:
    """Tell the user how far it is."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def variables(root: Path, threads: int) -> dict[str, str]:
    """The variables a peer runs with: our modules, no network, no GPU, few threads."""
    threading = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return (
        dict(os.environ)
        | {name: str(threads) for name in threading}
        | {
            "PYTHONPATH": f"{HERE}{os.pathsep}{SOURCE}",
            "PYTHONPYCACHEPREFIX": str(root / "cache" / "bytecode"),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(root / "cache" / "huggingface"),
            "FLAIR_CACHE_ROOT": str(root / "cache" / "flair"),
            "CUDA_VISIBLE_DEVICES": "",
        }
    )


def _cpu_seconds() -> float:
    """Processor time of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
