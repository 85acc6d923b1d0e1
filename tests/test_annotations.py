"""The corpus: what `annotations/` says of itself is so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pressgang.evaluation.splits import Fold, shared_runs
from pressgang.label_studio.labeling_config import read_labeling_config
from pressgang.label_studio.tasks import read_export

FOLDER = Path("annotations")
CONFIG = read_labeling_config(FOLDER / "labeling_config.xml")
GOLD = read_export(FOLDER / "gold.json", config=CONFIG)
FURNITURE = read_export(FOLDER / "furniture.json", config=CONFIG)


def test_the_gold_reads_without_a_problem() -> None:
    assert not GOLD.problems
    assert len(GOLD.documents) == 11
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    n_entities = sum(len(d.entities) for d in GOLD.documents)
    n_relations = sum(len(d.relations) for d in GOLD.documents)
    assert f"{n_entities} entities, {n_relations} relations" in readme


def test_labels_have_colours_and_hotkeys_of_their_own() -> None:
    assert len(CONFIG.entity_labels) == len(set(CONFIG.colors.values())) == 13
    assert len(set(CONFIG.hotkeys.values())) == 13
    assert len(set(CONFIG.relation_labels)) == 18


def test_each_article_is_the_one_that_its_provenance_names() -> None:
    articles = json.loads((FOLDER / "articles.json").read_text(encoding="utf-8"))
    texts = {d.id: d.text for d in GOLD.documents}
    assert {a["id"] for a in articles} == set(texts)
    for article in articles:
        digest = hashlib.sha256(texts[article["id"]].encode("utf-8")).hexdigest()
        assert digest == article["sha256"]
        page = (FOLDER / article["page"]).read_text(encoding="utf-8")
        lines = [line for line in texts[article["id"]].splitlines() if line.strip()]
        assert all(line in page for line in lines)


def test_a_mention_is_marked_one_way_in_all_articles() -> None:
    labels: dict[str, set[str]] = {}
    for document in GOLD.documents:
        for entity in document.entities:
            labels.setdefault(document.surface(entity), set()).add(entity.label)
    assert {surface: found for surface, found in labels.items() if len(found) > 1} == {}


def test_the_page_furniture_holds_nothing_and_is_not_that_of_the_stored_pages() -> None:
    assert not FURNITURE.problems
    assert not any(d.entities for d in FURNITURE.documents)
    assert shared_runs(Fold(FURNITURE.documents, GOLD.documents))[0] == 0
    pages = "\n".join(page.read_text(encoding="utf-8") for page in FOLDER.glob("pages/*.txt"))
    lines = {line.strip() for d in FURNITURE.documents for line in d.text.splitlines()}
    shared = {line for line in lines if len(line.split()) > 3 and line in pages}
    assert shared == {"Photo for illustrative purposes."}  # a phrase of the trade
