"""The process that trains: fetch, train, compare on held-out documents, leave an outcome.

It gets the state folder as its argument, its settings and token in the environment, and writes
nowhere but into `work/`. Its standard input is a pipe from the backend: if that closes, the backend
is gone, and so goes this; a later backend starts it again, and it goes on from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pressgang.config import RunConfig
from pressgang.document import Document
from pressgang.evaluation.splits import Fold, text_key
from pressgang.files import sha256, write_json
from pressgang.label_studio.exports import load_records
from pressgang.label_studio.labeling_config import parse_labeling_config
from pressgang.label_studio.tasks import read_exports, read_tasks
from pressgang.learning.run_data import describe_files, files_in
from pressgang.studio.backend.state import (
    Order,
    Outcome,
    State,
    StateFolder,
    read_record,
)
from pressgang.studio.outgoing import version_of
from pressgang.studio.secret import TOKEN

SETTINGS = "PRESSGANG_TRAINING"

_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What is the same for every training of a backend.

    `held_out_share` of the project's texts are never trained on; `model` is the folder of the base
    model. `niceness`, as of the system: 0 takes as much of the processor as the backend may.
    """

    config: str
    url: str
    project: int
    model: str
    held_out_share: float
    niceness: int = 10


def main() -> None:
    """Do the training that the state folder orders."""
    folder = StateFolder(Path(sys.argv[1]))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = TrainingSettings(**json.loads(os.environ[SETTINGS]))
    os.nice(settings.niceness)
    order = read_record(Order, folder.work / "order.json")
    try:
        outcome = train(folder, order, settings, token=os.environ.pop(TOKEN, ""))
    except (ValueError, OSError) as error:
        outcome = Outcome("failed", " ".join(str(error).split()))
    write_json(folder.work / "outcome.json", dataclasses.asdict(outcome))


def train(folder: StateFolder, order: Order, settings: TrainingSettings, *, token: str) -> Outcome:
    """Train on the project as it is now, and say whether the new model is to be taken.

    Raises ValueError or OSError, with a line for the user, if that is not possible.
    """
    work = folder.work
    if not (work / "export.json").exists():  # else an interrupted training, on what it had
        _fetch(work, settings, token)
    config = RunConfig.from_toml(work / "config.toml")
    labels = parse_labeling_config((work / "labels.xml").read_text(encoding="utf-8"))
    records = _records(work / "export.json")
    learned = _digests(records) | {"configuration": sha256(work / "config.toml")}
    n_changed = _n_changed(folder.learned, learned)
    if n_changed < order.at_least:
        why = f"{n_changed} annotations are new or changed; {order.at_least} are a reason to train"
        return Outcome("nothing new", why, n_changed=n_changed)
    reading = read_tasks(records, config=labels, file=f"project {settings.project}")
    fixed_files, extra_files = (
        files_in([Path(path) for path in paths])
        for paths in (config.data.exports, config.data.training_only)
    )
    files = [*fixed_files, *extra_files]
    fixed, extra = (read_exports(f, config=labels) for f in (fixed_files, extra_files))
    state = read_record(State, folder.path / "state.json")
    current = Path(settings.model) if state.current == state.base else folder.model(state.current)
    from pressgang.learning import experiments

    known = frozenset(experiments.read_run(current)["trained_on"]["texts"])
    fold = split(
        fixed.documents,
        extra.documents,
        reading.documents,
        held_out=config.data.held_out,
        share=settings.held_out_share,
        known=known,
    )
    problems = {kind.value: n for kind, n in reading.problem_counts().items()}
    run: dict[str, Any] = {
        "command": f"training {order.number} of a backend for Label Studio",
        "data": describe_files([*files, *([work / "export.json"] if records else [])], labels),
        "problems": problems,
    }
    name = re.sub(r"[^A-Za-z0-9_]+", "-", config.name)
    made = folder.made(f"{name}-{order.number}")
    if not (made / "run.json").exists():  # else it was trained before an interruption
        console = Console(stderr=True)
        experiments.train(config, fold, labels.colors, made, run=run, resume=True, console=console)
    write_json(work / "learned.json", learned)
    compared = _compare(made, current, fold.test, device=config.training.device)
    outcome = dataclasses.replace(
        compared,
        version=version_of(made),
        number=order.number,
        n_documents=len(fold.known),
        n_held_out=len(fold.test),
        n_changed=n_changed,
        problems=problems,
    )
    _note_scores(made / "run.json", outcome)
    return outcome


def split(
    fixed: Sequence[Document],
    extra: Sequence[Document],
    project: Sequence[Document],
    *,
    held_out: Sequence[str],
    share: float,
    known: frozenset[str],
) -> Fold:
    """What is trained on, and what old and new model are compared on.

    A text of the project takes the place of the same text in `fixed` (the configured exports) and
    `extra` (those for training only). Compared are the `held_out` ids of `fixed` and a `share` of
    the project's texts, chosen by their hash, so that a text stays on its side from one training to
    the next; but none of the texts `known` to the old model, which would be no test of it.

    Raises ValueError if `held_out` names a document that is not there.
    """
    if unknown := sorted(set(held_out) - {document.id for document in fixed}):
        raise ValueError(f"held_out names unknown documents: {', '.join(unknown)}")
    named = {text_key(d.text) for d in fixed if d.id in set(held_out)}
    ids = {text_key(d.text): d.id for d in fixed}
    own: dict[str, Document] = {}
    taken = set(ids.values())
    for document in project:
        key = text_key(document.text)
        name = ids.get(key, document.id)
        while key not in ids and name in taken:
            name = f"{name}+"
        taken.add(name)
        own[key] = dataclasses.replace(document, id=name)
    everything = {text_key(d.text): d for d in fixed} | own
    test: list[Document] = []
    train: list[Document] = []
    for key, document in everything.items():
        is_drawn = key in own and int(key[:8], 16) / 0x1_0000_0000 < share
        is_tested = (key in named or is_drawn) and key not in known
        (test if is_tested else train).append(document)
    rest = tuple(d for d in extra if text_key(d.text) not in everything)
    return Fold(tuple(train), tuple(test), rest)


def _fetch(work: Path, settings: TrainingSettings, token: str) -> None:
    """Put all that the training reads into its folder, the export last."""
    if not token:
        raise ValueError(f"no token for Label Studio: set {TOKEN}")
    from pressgang.studio.client import connect

    studio = connect(settings.url, token, seconds=_SECONDS)
    xml = studio.get(f"projects/{settings.project}/")["label_config"]
    (work / "labels.xml").write_text(xml, encoding="utf-8")
    shutil.copyfile(settings.config, work / "config.toml")
    write_json(
        work / "export.json",
        studio.get(f"projects/{settings.project}/export", exportType="JSON"),
    )


def _records(path: Path) -> list[object]:
    """The tasks of the export; none if nothing is annotated yet."""
    return [] if path.read_text(encoding="utf-8").strip() == "[]" else load_records(path)


def _digests(records: Sequence[object]) -> dict[str, str]:
    """What tells of each annotation whether it has changed: its id and a hash of its marks."""
    digests = {}
    for record in records:
        listed = record.get("annotations") if isinstance(record, dict) else None
        for annotation in listed if isinstance(listed, list) else ():
            if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
                marks = json.dumps(annotation.get("result"), sort_keys=True).encode()
                digests[str(annotation.get("id"))] = hashlib.sha256(marks).hexdigest()[:16]
    return digests


def _n_changed(path: Path, found: Mapping[str, str]) -> int:
    """How many annotations are new, changed or gone since the last training."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return len(dict(found.items() ^ before.items()))


def _compare(new: Path, old: Path, gold: Sequence[Document], *, device: str) -> Outcome:
    """Whether the new model is at least as good on documents that neither was trained on.

    The measure is the mean of the strict micro F1 of entities and, where gold has any, of relations
    found from text alone.
    """
    from pressgang.evaluation.evaluate import evaluate
    from pressgang.model.extractor import Extractor

    if not any(document.entities for document in gold):
        return Outcome("kept", "no held-out document to compare on; the old model stays")
    scores = []
    for folder in (new, old):
        extractor = Extractor.load(folder, device=device)
        texts = [Document(d.id, d.text) for d in gold]
        system = evaluate(gold, list(extractor.predict_many(texts))).model
        figures = {"entities": system.entities.micro.counts.f1}
        if system.relations.micro.support:
            figures["relations"] = system.relations.micro.counts.f1
        scores.append({name: round(f1, 4) for name, f1 in figures.items()})
    after, before = (sum(figures.values()) / len(figures) for figures in scores)
    is_better = after >= before
    verdict = "taken" if is_better else "not taken"
    why = f"mean F1 on {len(gold)} held-out documents {after:.4f}, before {before:.4f}: {verdict}"
    result = "adopted" if is_better else "kept"
    return Outcome(result, why, new_scores=scores[0], old_scores=scores[1])


def _note_scores(path: Path, outcome: Outcome) -> None:
    """Keep with the model what it reached."""
    record = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, record | {"held_out": dataclasses.asdict(outcome)})


def _end_with_parent() -> None:
    """Wait until the backend's end of the pipe closes."""
    while os.read(0, 1):
        pass
    os._exit(3)


if __name__ == "__main__":
    main()
