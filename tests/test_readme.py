from __future__ import annotations

import runpy
from pathlib import Path

from pressgang.evaluation.model_card import render_card
from pressgang.evaluation.reports import format_interval, read_report

BEGIN = "<!-- figures: test_readme.py holds them against eval/report.json -->\n"
END = "<!-- end of figures -->"


def test_the_figures_of_the_readme_are_those_of_the_report() -> None:
    readme = Path("README.md").read_text(encoding="utf-8")
    table = readme.partition(BEGIN)[2].partition(END)[0]
    assert table == figures()


def test_the_model_card_is_what_the_command_writes() -> None:
    report, run = read_report(Path("eval/report.json"))
    corpus = Path("annotations/CARD.md").read_text(encoding="utf-8")
    card = Path("model_card.md").read_text(encoding="utf-8")
    comparison = Path("eval/benchmark/card.md").read_text(encoding="utf-8")
    assert card == render_card(report, run, corpus_text=corpus, comparison_text=comparison)


def test_the_ablation_is_what_the_script_writes() -> None:
    script = runpy.run_path("eval/ablation.py", run_name="ablation")
    assert Path("eval/ablation.md").read_text(encoding="utf-8") == script["render"]()


def figures() -> str:
    report, _ = read_report(Path("eval/report.json"))
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
