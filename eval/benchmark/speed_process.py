"""One fresh process that loads one system and times it, or writes the system's files.

    python speed_process.py job.json result.json STARTED

`speed.py` writes the job and starts the process in the system's environment; STARTED is
`time.monotonic()` at that moment, which all processes of a machine count from the same start.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speed_readers import SYSTEMS, Read, Setup

_N_WARM = 4
_N_SINGLE = 50
_KIB = 1024


def main() -> None:
    """Do the job and write what was measured."""
    job, output, started = sys.argv[1:]
    given = json.loads(Path(job).read_text(encoding="utf-8")) | {"started": float(started)}
    setup = Setup(given["model"], tuple(given["labels"]), Path(given["folder"]))
    tasks = {"prepare": prepare, "read": read_all, "growth": growth}
    result = tasks[given["task"]](given, setup)
    Path(output).write_text(json.dumps(result), encoding="utf-8")


def prepare(given: dict[str, Any], setup: Setup) -> dict[str, Any]:
    """Write what the system loads; its versions."""
    system = SYSTEMS[given["system"]]
    if system.prepare is not None:
        system.prepare(setup)
    system.load(setup)  # compiles the packages' bytecode, so that no timed process does
    return {"versions": {name: _version(name) for name in system.packages}}


def read_all(given: dict[str, Any], setup: Setup) -> dict[str, Any]:
    """Load, then read articles, sentences, and sentences one by one: seconds, words, peak memory.

    Loading counts from the start of the process. Memory is in MB (10^6 bytes); of a system with
    processes of its own it is that of all of them, pages that they share counted for each.
    """
    system = SYSTEMS[given["system"]]
    read = system.load(setup)
    load_seconds = time.monotonic() - given["started"]
    articles, sentences = given["articles"], given["sentences"]
    for _ in read(sentences[:_N_WARM]):
        pass
    result = {
        "load_seconds": load_seconds,
        "articles": timed(read, repeated(articles, given["words"]), given["seconds"]),
        "sentences": timed(read, sentences, given["seconds"]),
    }
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    result["peak_mb"] = (own + system.n_processes * child) * _KIB / 1e6
    if not system.n_processes:  # one that starts processes for each text is not meant for one
        result["single_ms"] = single_ms(read, sentences, given["seconds"])
    return result


def repeated(texts: Sequence[str], n_words: int) -> list[str]:
    """The texts again and again, until there are at least so many words."""
    chosen: list[str] = []
    for text in itertools.cycle(texts):
        if n_words <= 0:
            break
        chosen.append(text)
        n_words -= len(text.split())
    return chosen


def timed(read: Read, texts: Sequence[str], seconds: float) -> dict[str, float]:
    """How many words and documents came back in how many seconds.

    Nothing more is read after `seconds`; what is on its way then does not count.
    """
    n_words = [len(text.split()) for text in texts]
    ends: list[float] = []
    started = time.perf_counter()
    for _ in read(texts):
        ends.append(time.perf_counter() - started)
        if ends[-1] > seconds:
            break
    return {"documents": len(ends), "words": sum(n_words[: len(ends)]), "seconds": ends[-1]}


def single_ms(read: Read, sentences: Sequence[str], seconds: float) -> float:
    """The median time from one sentence to what is found in it, in milliseconds."""
    times: list[float] = []
    for sentence in sentences[:_N_SINGLE]:
        started = time.perf_counter()
        next(iter(read([sentence])))
        times.append(1000 * (time.perf_counter() - started))
        if sum(times) > 1000 * seconds:
            break
    return statistics.median(times)


def growth(given: dict[str, Any], setup: Setup) -> dict[str, Any]:
    """Memory in MB after the first 1,000 documents, after all, and the most in between."""
    read = SYSTEMS[given["system"]].load(setup)
    n_documents = given["documents"]
    texts = itertools.islice(itertools.cycle(given["sentences"]), n_documents)
    used = [
        _memory_mb()
        for number, _ in enumerate(read(texts), start=1)
        if number % 1000 == 0 or number == n_documents
    ]
    return {
        "documents": n_documents,
        "first_mb": used[0],
        "last_mb": used[-1],
        "most_mb": max(used),
        "least_mb": min(used),
    }


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
