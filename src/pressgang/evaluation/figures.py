"""The pictures of a report: bars with intervals, a matrix of labels, what scores are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pressgang.evaluation.evaluate import Confusion
from pressgang.evaluation.precision_recall import OperatingPoint
from pressgang.evaluation.reliability import Reliability
from pressgang.evaluation.scoring import MacroF1, Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

BLUE, ORANGE = "#56B4E9", "#D55E00"
"""Colours that colour-blind readers tell apart (Okabe & Ito 2008)."""

_NAMED = (0.05, 0.2, 0.5, 0.8, 0.95)

Figure = Score | MacroF1


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: a measure, the model's figure, and the baseline's if there is one."""

    name: str
    model: Figure
    baseline: Figure | None


def draw_bars(rows: Sequence[Row], title: str) -> Picture:
    """Horizontal bars of F1 with intervals as lines and the baseline as diamonds."""
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(8, 1.5 + 0.3 * len(rows)), layout="constrained")
    axes = picture.subplots()
    scores = [row.model for row in rows if isinstance(row.model, Score)]
    axes.barh(range(len(rows)), [s.counts.f1 for s in scores], 0.64, color=BLUE, label="model")
    lines = [(y, s.interval) for y, s in enumerate(scores) if s.interval]
    axes.hlines(
        [y for y, _ in lines],
        [interval.low for _, interval in lines],
        [interval.high for _, interval in lines],
        color="black",
        label="95 % interval",
    )
    marks = [(row.baseline, y) for y, row in enumerate(rows) if isinstance(row.baseline, Score)]
    if marks:
        f1, places = [score.counts.f1 for score, _ in marks], [y for _, y in marks]
        axes.plot(f1, places, "D", color=ORANGE, mec="white", ms=7, clip_on=False, label="baseline")
    axes.set(xlim=(0, 1), xlabel="F1", title=f"{title} (support in brackets)")
    names = [f"{row.name} ({row.model.support})" for row in rows]
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#DDDDDD")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    picture.legend(loc="outside lower center", ncols=3, frameon=False)
    return picture


def draw_confusion(confusion: Confusion) -> Picture:
    """Counts of gold label against predicted label, shaded by their share of the row."""
    from matplotlib.figure import Figure as Picture

    n = len(confusion.rows)
    picture = Picture(figsize=(2.6 + 0.52 * n, 2.2 + 0.42 * n), layout="constrained")
    axes = picture.subplots()
    shares = [[count / max(sum(row), 1) for count in row] for row in confusion.rows]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(confusion.rows):
        for x, count in enumerate(row):
            if count:
                color = "white" if shares[y][x] > 0.6 else "black"
                axes.text(x, y, str(count), ha="center", va="center", color=color, size=9)
    axes.set_xticks(
        range(n), [*confusion.labels, "missed"], rotation=45, ha="right", parse_math=False
    )
    axes.set_yticks(range(n), [*confusion.labels, "spurious"], parse_math=False)
    axes.axhline(n - 1.5, color="black", lw=1)
    axes.axvline(n - 1.5, color="black", lw=1)
    axes.set(xlabel="predicted", ylabel="gold", title="Entities with the same span: counts")
    picture.colorbar(image, ax=axes, label="share of the row", fraction=0.04)
    return picture


def draw_reliability(parts: Mapping[str, Reliability | None]) -> Picture:
    """For each name the share right against the score: bins as dots, and the diagonal."""
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(4.4 * len(parts), 4.6), layout="constrained")
    axes = picture.subplots(1, len(parts), squeeze=False)[0]
    for each, (name, part) in zip(axes, parts.items(), strict=True):
        each.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--", label="as it should be")
        if part is not None:
            scores, shares = [b.score for b in part.bins], [b.share for b in part.bins]
            each.plot(scores, shares, "o-", color=BLUE, mec="black", label="bins of equal number")
            n = sum(b.n for b in part.bins)
            each.set_title(f"{name}: error {part.error:.3f} ({n:,} scores)")
        each.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="score", ylabel="share right", aspect=1)
        each.grid(color="#DDDDDD")
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    return picture


def draw_operating_points(curves: Mapping[str, Sequence[OperatingPoint]]) -> Picture:
    """For each name precision against recall, a dot for each least score, some of them named."""
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(4.4 * len(curves), 4.6), layout="constrained")
    axes = picture.subplots(1, len(curves), squeeze=False)[0]
    for each, (name, points) in zip(axes, curves.items(), strict=True):
        recall = [point.counts.recall for point in points]
        precision = [point.counts.precision for point in points]
        each.plot(recall, precision, "o-", color=BLUE, mec="black", ms=5)
        for x, y, point in zip(recall, precision, points, strict=True):
            if point.min_score in _NAMED:
                each.annotate(f"{point.min_score:g}", (x, y), (6, 4), textcoords="offset points")
        each.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall", ylabel="precision", aspect=1)
        each.set_title(f"{name}, by least score")
        each.grid(color="#DDDDDD")
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    return picture
