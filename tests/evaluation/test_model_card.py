"""model_card: honest front matter, limits, and nothing about a subject that was not given."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pressgang.evaluation import model_card
from pressgang.evaluation.evaluate import evaluate
from pressgang.evaluation.model_card import render_card
from tests.evaluation.test_reports import RUN, make_report

CORPUS = "Two letters by Ann and Eve, marked by one person. The letters belong to their writers."


def front_matter(card: str) -> dict[str, Any]:
    _, matter, _ = card.split("---\n", 2)
    return yaml.safe_load(matter)


def test_front_matter_holds_the_figures_of_the_report() -> None:
    report = make_report()
    matter = front_matter(render_card(report, RUN, corpus_text=CORPUS, name="a: 'b'"))
    assert (matter["license"], matter["library_name"], matter["language"]) == (
        "mit",
        "pressgang",
        "en",
    )
    assert matter["base_model"] == "org/tiny"
    [index] = matter["model-index"]
    assert index["name"] == "a: 'b'"
    for result, score in zip(
        index["results"], (report.model.entities.micro, report.model.relations.micro), strict=True
    ):
        assert result["dataset"]["name"] == "a.json"
        for metric in result["metrics"]:
            assert metric["value"] == pytest.approx(getattr(score.counts, metric["type"]), abs=1e-4)
            assert RUN["protocol"] in metric["name"]


def test_a_local_encoder_is_no_base_model() -> None:
    run = RUN | {"encoder": {"name": "/home/me/encoder"}}
    assert "base_model" not in front_matter(render_card(make_report(), run, corpus_text=CORPUS))


def test_many_files_of_a_folder_are_named_as_the_folder() -> None:
    paths = ["gold.json", *(f"written/{n}.json" for n in range(9)), "other/page.json"]
    run = RUN | {
        "data": [{"path": path} for path in paths],
        "protocol": "leave one out, 3 folds: each document (save two) is unseen",
    }
    [index] = front_matter(render_card(make_report(), run, corpus_text=CORPUS))["model-index"]
    for result in index["results"]:
        assert result["dataset"]["name"] == "gold.json, written/ (9 files), other/page.json"
        for metric in result["metrics"]:
            assert metric["name"].endswith("(leave one out, 3 folds)")


def test_what_it_says_of_the_method_is_what_was_configured() -> None:
    run = RUN | {"config": {"windows": {"tokens": 96}}}
    assert "windows of up to 96 tokens" in render_card(make_report(), run, corpus_text=CORPUS)


def test_limits_come_before_figures() -> None:
    card = render_card(make_report(), RUN, corpus_text=CORPUS, language="uz")
    for limit in ("not a fact", "No decisions about persons", "Names of real people", "unevenly"):
        assert card.index(limit) < card.index("## How good it is")
    assert "Not for other languages" in card
    assert "(uz)" in card


def test_corpus_definitions_baseline_and_command_are_in_it() -> None:
    report = make_report()
    card = render_card(report, RUN, corpus_text=CORPUS)
    assert CORPUS in card
    assert all(text in card for text in report.definitions.values())
    assert "1.000 / 0.167 / 0.286" in card
    assert RUN["command"] in card
    assert "a chip" in card


def test_a_comparison_is_in_it_where_there_is_one() -> None:
    title = "### Side by side with other packages"
    assert title not in render_card(make_report(), RUN, corpus_text=CORPUS)
    card = render_card(make_report(), RUN, corpus_text=CORPUS, comparison_text="| them | 0.5 |")
    assert f"{title}\n\n| them | 0.5 |" in card


def test_a_card_without_a_corpus_is_refused() -> None:
    with pytest.raises(ValueError, match="corpus_text is blank"):
        render_card(make_report(), RUN, corpus_text=" \n")


def test_what_was_not_recorded_is_said() -> None:
    card = render_card(make_report(with_baseline=False), {}, corpus_text=CORPUS)
    assert card.count("not recorded") >= 10
    assert "None" not in card
    assert front_matter(card)["model-index"][0]["results"][0]["dataset"]["name"] == "not recorded"


def test_only_labels_with_support_are_ranked() -> None:
    card = render_card(make_report(), RUN, corpus_text=CORPUS)
    assert "the best is" not in card
    assert "Too rare in gold to judge (support below 10): `PERSON`, `PLACE`." in card
    gold = [d for n in range(6) for d in _documents(n)]
    predicted = [d for n in range(6) for d in _documents(n, skip="PLACE")]
    card = render_card(evaluate(gold, predicted), RUN, corpus_text=CORPUS)
    assert "the best is `PERSON` (F1 1.000, support 12)" in card
    assert "the worst `PLACE` (F1 0.000, support 12)" in card


def test_the_code_names_no_subject() -> None:
    code = Path(model_card.__file__).read_text(encoding="utf-8")
    assert not re.search(r"(?i)russia|ukrain|recruit|soldier|kyrgyz|uzbek|article", code)


def _documents(n: int, *, skip: str = "") -> list[Any]:
    from pressgang.document import Document, Entity

    entities = [Entity(0, 3, "PERSON"), Entity(7, 10, "PLACE")]
    kept = tuple(entity for entity in entities if entity.label != skip)
    return [Document(f"{n}{half}", "Ann in Osh", kept) for half in "ab"]
