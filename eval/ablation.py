"""What each part of the corpus is worth: `eval/ablation.md` from the reports of the arms.

    python eval/ablation.py

Each arm is a leave-one-article-out run of its own configuration (`make ablation`). Differences to
the first arm are paired: the same articles are drawn for both, 2,000 times.
"""

from __future__ import annotations

from pathlib import Path

from pressgang.evaluation.evaluate import Report
from pressgang.evaluation.reports import read_report
from pressgang.evaluation.scoring import Counts, Score, bootstrap_difference

FOLDER = Path(__file__).parent
ARMS = {
    "articles only": FOLDER / "ablation" / "gold",
    "written only": FOLDER / "ablation" / "authored",
    "written only, augmented": FOLDER / "ablation" / "authored_augmented",
    "both": FOLDER / "ablation" / "both",
    "both, augmented": FOLDER,
}
HEADER = """# What each part of the corpus is worth

Leave one article out: each of the eleven articles is predicted by a model that has not seen it. The
documents written for training (`annotations/authored/`) are in all trainings of the last four arms
and in no test. Strict micro F1 with its 95 % interval (articles resampled), one seed each; the
difference to the first arm is paired by article. Written by `python eval/ablation.py` from the
reports in `eval/ablation/` and `eval/`, which name settings, data, versions and machine."""


def main() -> None:
    """Write `ablation.md`."""
    (FOLDER / "ablation.md").write_text(render(), encoding="utf-8")


def render() -> str:
    """The tables, from the reports that there are; an arm without one is named as not run."""
    paths = {name: folder / "report.json" for name, folder in ARMS.items()}
    reports = {name: read_report(path)[0] for name, path in paths.items() if path.exists()}
    first = next(iter(reports.values()))
    lines = [HEADER, "", "| training | entities | difference | relations | difference |"]
    lines.append("|---|---|---|---|---|")
    for name in ARMS:
        cells = [name]
        for kind in ("entities", "relations"):
            if name in reports:
                scores = getattr(reports[name].model, kind)
                cells += [_shown(scores.micro), _difference(first, reports[name], kind)]
            else:
                cells += ["not run", ""]
        lines.append(f"| {' | '.join(cells)} |")
    for kind in ("entities", "relations"):
        lines += ["", f"F1 by label, {kind}:", "", f"| label | support | {' | '.join(reports)} |"]
        lines.append("|---|---|" + "---|" * len(reports))
        for label, score in getattr(first.model, kind).by_label.items():
            scores = [getattr(r.model, kind).by_label[label].counts for r in reports.values()]
            row = " | ".join(f"{counts.f1:.3f}" for counts in scores)
            lines.append(f"| {label} | {score.support} | {row} |")
    return "\n".join(lines) + "\n"


def _shown(score: Score) -> str:
    interval = score.interval
    assert interval is not None
    counts = score.counts
    return (
        f"{counts.f1:.3f} ({interval.low:.3f}–{interval.high:.3f}), "
        f"P {counts.precision:.3f} R {counts.recall:.3f}"
    )


def _difference(first: Report, other: Report, kind: str) -> str:
    """The difference of F1 and its interval over resampled articles."""
    if first is other:
        return ""
    one, two = (
        [getattr(d, kind) for d in sorted(report.documents, key=lambda d: d.id)]
        for report in (other, first)
    )
    apart = sum(one, Counts()).f1 - sum(two, Counts()).f1
    interval = bootstrap_difference(one, two, seed=0)
    assert interval is not None
    return f"{apart:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


if __name__ == "__main__":
    main()
