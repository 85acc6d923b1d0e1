"""The rows of the table: what each system reaches under a protocol, and how it was trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocols import SEED, Part, parts
from systems import PEERS, Peer, read_run, run_folder

from pressgang.corpus import read_documents
from pressgang.evaluation.evaluate import DocumentScores, SystemScores, evaluate
from pressgang.evaluation.reports import read_report
from pressgang.evaluation.scoring import Counts, MacroF1, Score
from pressgang.files import sha256

KINDS = ("entities", "relations")
REPOSITORY = Path(__file__).resolve().parents[2]
BASELINE = "memory of training mentions"
OWN = {
    "written": {"pressgang": "authored_augmented", "pressgang, not augmented": "authored"},
    "articles": {"pressgang, not augmented": "gold"},
}
"""The systems that the peers are held against, by title, and the folders of their reports."""


@dataclass(frozen=True, slots=True)
class Row:
    """A system under one protocol: scores by kind, those of each document, and its trainings.

    `n_parts` is how many trainings there are to be; of peers, `runs` may be fewer.
    """

    title: str
    is_peer: bool
    micro: Mapping[str, Score]
    macro: Mapping[str, MacroF1]
    counts: Mapping[str, Mapping[str, Counts]]
    runs: tuple[Mapping[str, Any], ...]
    n_parts: int

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Row:
        """The row that `dataclasses.asdict` wrote."""
        counts = {
            kind: {name: Counts.from_dict(c) for name, c in by_document.items()}
            for kind, by_document in record["counts"].items()
        }
        read = {"micro": Score.from_dict, "macro": MacroF1.from_dict}
        figures = {
            key: {kind: from_dict(figure) for kind, figure in record[key].items()}
            for key, from_dict in read.items()
        }
        return cls(**{**record, **figures, "counts": counts, "runs": tuple(record["runs"])})

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON types."""
        return asdict(self)


def read_rows(root: Path, protocol: str, reports: Path) -> list[Row]:
    """All systems of which something is there for the files as they are now, pressgang first."""
    every = [part for part in parts(root) if part.protocol == protocol]
    peers = [_read_peer(root, peer, every) for peer in PEERS.values()]
    return [*_read_own(protocol, reports), *(row for row in peers if row)]


def titles(protocol: str) -> list[str]:
    """What there would be if everything had been run."""
    return [*OWN[protocol], BASELINE, *(peer.title for peer in PEERS.values())]


def _read_peer(root: Path, peer: Peer, every: Sequence[Part]) -> Row | None:
    """A peer's predictions, scored as pressgang scores its own."""
    found = [(part, read_run(run_folder(root, peer.name, part), part)) for part in every]
    done = [(part, run) for part, run in found if run]
    if not done:
        return None
    gold, predicted = [], []
    for part, _ in done:
        gold += read_documents(part.test)
        predicted += read_documents(run_folder(root, peer.name, part) / "predicted.jsonl")
    report = evaluate(gold, predicted, seed=SEED)
    kinds = KINDS if peer.has_relations else KINDS[:1]
    counts = {kind: _by_document(report.documents, kind) for kind in kinds}
    runs = [run for _, run in done]
    return _row(peer.title, report.model, counts, runs, len(every), is_peer=True)


def _read_own(protocol: str, reports: Path) -> list[Row]:
    """Our own: pressgang and its baseline, from reports that are of the corpus as it is now."""
    rows: list[Row] = []
    for title, folder in OWN[protocol].items():
        path = reports / folder / "report.json"
        if not path.exists():
            continue
        report, run = read_report(path)
        if any(sha256(REPOSITORY / file["path"]) != file["sha256"] for file in run["data"]):
            continue
        counts = {kind: _by_document(report.documents, kind) for kind in KINDS}
        made = {"training_seconds": run["seconds"], "seconds": run["seconds"]}
        made |= {key: run[key] for key in ("parameters", "machine", "versions")}
        made |= {"threads": run["machine"]["cores"]}
        made |= {"recipe": {"report": f"eval/ablation/{folder}/report.md"}}
        rows.append(_row(title, report.model, counts, [made], 1))
        if report.baseline and not any(row.title == BASELINE for row in rows):
            counts = {kind: _by_document(report.documents, f"baseline_{kind}") for kind in KINDS}
            rows.append(_row(BASELINE, report.baseline, counts, [], 0))
    return sorted(rows, key=lambda row: row.title == BASELINE)


def _row(
    title: str,
    scores: SystemScores,
    counts: Mapping[str, Mapping[str, Counts]],
    runs: Sequence[Mapping[str, Any]],
    n_parts: int,
    *,
    is_peer: bool = False,
) -> Row:
    micro = {kind: getattr(scores, kind).micro for kind in counts}
    macro = {kind: getattr(scores, kind).macro for kind in counts}
    return Row(title, is_peer, micro, macro, counts, tuple(runs), n_parts)


def _by_document(documents: Iterable[DocumentScores], field: str) -> dict[str, Counts]:
    return {document.id: getattr(document, field) for document in documents}
