from __future__ import annotations

import json
from pathlib import Path

from pressgang.evaluation import Report
from pressgang.reports import format_interval

BEGIN = "<!-- figures: test_readme.py holds them against eval/report.json -->\n"
END = "<!-- end of figures -->"


def test_the_figures_of_the_readme_are_those_of_the_report() -> None:
    readme = Path("README.md").read_text(encoding="utf-8")
    table = readme.partition(BEGIN)[2].partition(END)[0]
    assert table == figures()


def figures() -> str:
    record = json.loads(Path("eval/report.json").read_text(encoding="utf-8"))
    report = Report.from_dict(record["report"])
    assert report.baseline is not None
    rows = [
        ("entities", report.model.entities.micro, report.baseline.entities.micro),
        ("relations, end to end", report.model.relations.micro, report.baseline.relations.micro),
        (
            "relations, gold entities given",
            report.model.relations.on_gold_entities,
            report.baseline.relations.on_gold_entities,
        ),
    ]
    lines = []
    for name, model, baseline in rows:
        assert model is not None
        assert baseline is not None
        interval = format_interval(model.interval)
        cells = [name, f"{model.counts.f1:.3f}", interval, f"{baseline.counts.f1:.3f}"]
        lines.append(f"| {' | '.join([*cells, str(model.support)])} |\n")
    return "".join(lines)


if __name__ == "__main__":
    print(figures(), end="")
