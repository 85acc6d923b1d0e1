"""A trained model as a folder that predicts without torch, checked against the model itself."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pressgang.document import Document
from pressgang.evaluation.scoring import Counts, entity_counts, relation_counts
from pressgang.model.artefact import MANIFEST, seal
from pressgang.model.extractor import Extractor
from pressgang.model.folders import (
    CALIBRATION,
    ENCODER_FORM,
    EXPORTED,
    SCHEMA,
    SETTINGS,
    TOKENIZER,
)
from pressgang.model.torch_runtime import TorchRuntime
from pressgang.shipping.graphs import LEAST_WIDTH, write_graphs
from pressgang.text.segmentation import words

MOST_LOST = 0.005
"""An export may lose half a point of F1."""

_COPIED = (SETTINGS, SCHEMA, TOKENIZER, ENCODER_FORM)
_COPIED_IF_THERE = ("run.json", "baseline.json", CALIBRATION)
_PACKAGES = ("pressgang", "torch", "transformers", "tokenizers", "numpy", "onnx", "onnxruntime")
_TIMED_WORDS = 4000

Say = Callable[[str], object]


def export(
    source: Path,
    output: Path,
    documents: Sequence[Document],
    *,
    n_runs: int = 5,
    least_width: int = LEAST_WIDTH,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Export the model in `source`, and give back the comparison of both on gold documents.

    The export appears in `output` only if it passes: neither entities nor relations (strict micro
    F1, end to end) lose more than half a point, and its median processor time over `n_runs`
    readings is shorter.

    Raises ValueError if `source` is no trained model, `output` holds anything but an earlier
    export, no document has an entity, or the export does not pass.
    """
    _check_output(output)
    if not any(document.entities for document in documents):
        raise ValueError("nothing to check the export on: no document has an entity")
    trained = Extractor.load(source, device="cpu")
    if not isinstance(trained.runtime, TorchRuntime):
        raise ValueError(f"{source}: is an export already; expected a trained model")
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    try:
        say("writing the graphs")
        write_graphs(
            trained.runtime.model,
            folder,
            window_tokens=trained.config.windows.tokens,
            least_width=least_width,
        )
        names = [*EXPORTED, *(n for n in _COPIED_IF_THERE if (source / n).is_file())]
        for name in (*_COPIED, *_COPIED_IF_THERE):
            if name in names:
                shutil.copyfile(source / name, folder / name)
        versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
        record: dict[str, Any] = {"versions": {"python": platform.python_version()} | versions}
        seal(folder, names, record)
        say("comparing it with the trained model")
        check = compare(trained, Extractor.load(folder), documents, n_runs=n_runs)
        for side in ("trained", "exported"):
            say(_line(side, check[side]))
        if faults := shortcomings(check):
            raise ValueError(f"{source}: the export is refused: {'; '.join(faults)}")
        seal(folder, names, record | {"check": check})
        folder.chmod(0o755)
        shutil.rmtree(output, ignore_errors=True)
        folder.rename(output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return check


def compare(
    trained: Extractor, exported: Extractor, documents: Sequence[Document], *, n_runs: int
) -> dict[str, Any]:
    """Strict micro F1 and speed of both, side by side on the same documents, as JSON types.

    Speed is the median of `n_runs` readings of the first documents, up to 4,000 words, by turns, in
    processor time: what else the machine does has little part in it.
    """
    bare = [Document(d.id, d.text) for d in documents]
    n_words = [len(words(d.text)) for d in documents]
    timed = [d for i, d in enumerate(bare) if i == 0 or sum(n_words[: i + 1]) <= _TIMED_WORDS]
    sides = {"trained": trained, "exported": exported}
    found = {name: list(side.predict_many(bare)) for name, side in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(n_runs):
        for name, side in sides.items():
            started = time.process_time()
            for _ in side.predict_many(timed):
                pass
            seconds[name].append(time.process_time() - started)
    n_timed = sum(n_words[: len(timed)])
    record: dict[str, Any] = {
        name: {
            "entities": _f1(documents, found[name], entity_counts),
            "relations": _f1(documents, found[name], relation_counts),
            "seconds": round(statistics.median(seconds[name]), 4),
            "words_per_second": round(n_timed / statistics.median(seconds[name])),
        }
        for name in sides
    }
    return record | {
        "agreement": {
            "entities": _f1(found["trained"], found["exported"], entity_counts),
            "relations": _f1(found["trained"], found["exported"], relation_counts),
        },
        "documents": len(documents),
        "words": sum(n_words),
        "words_timed": n_timed,
        "readings": n_runs,
    }


def shortcomings(check: dict[str, Any]) -> list[str]:
    """Why an export is refused, in the record that `compare` makes; nothing if it is not."""
    faults = []
    trained, exported = check["trained"], check["exported"]
    for kind in ("entities", "relations"):
        before, after = trained[kind], exported[kind]
        if before - after > MOST_LOST:
            faults.append(f"{kind} fall from {before:.4f} to {after:.4f} F1, more than {MOST_LOST}")
    if exported["seconds"] >= trained["seconds"]:
        faults.append(
            f"it is not faster ({exported['words_per_second']} words a second, "
            f"the trained model {trained['words_per_second']})"
        )
    return faults


def _line(side: str, scores: dict[str, Any]) -> str:
    return (
        f"{side}: entities {scores['entities']:.4f}, relations {scores['relations']:.4f} F1, "
        f"{scores['words_per_second']} words a second"
    )


def _f1(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    counts: Callable[[Document, Document], Counts],
) -> float:
    return sum((counts(g, p) for g, p in zip(gold, predicted, strict=True)), Counts()).f1


def _check_output(output: Path) -> None:
    """Raise ValueError if there is anything at `output` that is not an earlier export."""
    is_free = not output.exists() or (output.is_dir() and not any(output.iterdir()))
    if not is_free and not (output / MANIFEST).is_file():
        raise ValueError(f"{output}: holds something else; expected a new or an empty folder")
