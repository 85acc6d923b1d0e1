"""Whatever is done to a training document, its mentions and relations stay what they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pressgang.config import AugmentationConfig
from pressgang.document import Document
from pressgang.label_studio.tasks import read_export
from pressgang.learning.augmentation import Augmenter, NameList, edited
from tests.conftest import mark

GOLD = read_export(Path("annotations/gold.json")).documents
COURT = mark(
    "court",
    "“[Askar Usenov](PERSON:a) was jailed by the [Osh City Court](COURT:c) ([OCC](COURT:o)),” "
    "he said.\n\n[Usenov](PERSON:u)’s lawyer asked [Osh](PLACE:p)’s mayor for help. It’s over.",
    "a JAILED_BY c\no ALIAS c\nu LIVES p",
)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "PERSON.txt").write_text("# invented\nMaria, Ana | Sousa, Lima\n", encoding="utf-8")
    (folder / "PLACE.txt").write_text("São João\n", encoding="utf-8")
    (folder / "COURT.txt").write_text("Rio Court\nLuanda High Court\nCourt\n", encoding="utf-8")
    return folder


def labels_of(document: Document) -> tuple[Counter[str], Counter[tuple[str, str, str]]]:
    return (
        Counter(e.label for e in document.entities),
        Counter((r.head.label, r.label, r.tail.label) for r in document.relations),
    )


@given(
    position=st.integers(0, len(GOLD) - 1),
    shares=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=5, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_gold_articles_keep_mentions_and_relations(
    position: int, shares: list[float], seed: int
) -> None:
    document = GOLD[position]
    lower, unfinished, quotes, furniture, replaced = shares
    config = AugmentationConfig(
        lists="training/lists",
        replaced=replaced,
        kept_by=("ALIAS_OF",),
        lower_case=lower / 2,
        headline_case=lower / 2,
        unfinished=unfinished,
        quotes=quotes,
        furniture=furniture,
    )
    augmenter = Augmenter(config, ["Menu\nHome | News\n", "Subscribe\nShare\nPrint"])
    changed = augmenter(document, np.random.default_rng(seed))
    assert labels_of(changed) == labels_of(document)
    for old, new in zip(document.entities, changed.entities, strict=True):
        assert new.label == old.label
        if not replaced:
            fold = str.maketrans("’'“”«»„", '\'""""""'[:1] * 2 + '"' * 5)
            before = document.surface(old).translate(fold).casefold()
            assert changed.surface(new).translate(fold).casefold() == before
    assert [(r.label, r.head.label) for r in changed.relations] == [
        (r.label, r.head.label) for r in document.relations
    ]


def test_each_share_at_0_changes_nothing() -> None:
    assert Augmenter(AugmentationConfig(), ["Menu"])(COURT, np.random.default_rng(0)) is COURT


def test_a_surface_is_replaced_by_one_name_throughout(lists: Path) -> None:
    config = AugmentationConfig(lists=str(lists), replaced=1.0, kept_by=("ALIAS",))
    changed = Augmenter(config)(COURT, np.random.default_rng(1))
    surfaces = [changed.surface(e) for e in changed.entities]
    full, court, short, surname, place = surfaces
    assert full in {"Maria Sousa", "Maria Lima", "Ana Sousa", "Ana Lima"}
    assert surname == full.split()[-1]
    assert (court, short) == ("Osh City Court", "OCC")  # an abbreviation and what it stands for
    assert place == "São João"
    assert changed.text.startswith(f"“{full} was jailed by the Osh City Court (OCC),” he said.")
    assert f"{surname}’s lawyer asked São João’s mayor" in changed.text


def test_a_name_with_the_same_last_word_is_preferred(tmp_path: Path) -> None:
    path = tmp_path / "COURT.txt"
    path.write_text("Rio Court\nLuanda High Court\nSupreme Court\nUN\n", encoding="utf-8")
    names = NameList.read(path)
    random = np.random.default_rng(0)
    drawn = {names.draw("Osh City Court", random) for _ in range(60)}
    assert drawn == {"Rio Court", "Luanda High Court", "Supreme Court"}
    assert "UN" in {names.draw("Interpol", random) for _ in range(60)}


def test_number_and_case_of_a_surface_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "PEOPLE.txt"
    path.write_text("Uzbek\nNepali\nCubans\nKenyans\nÖ\n", encoding="utf-8")
    names = NameList.read(path)
    random = np.random.default_rng(0)
    assert {names.draw("Tajiks", random) for _ in range(40)} == {"Cubans", "Kenyans"}
    assert {names.draw("Tajik", random) for _ in range(60)} == {"Uzbek", "Nepali", "Ö"}
    assert {names.draw("TAJIKS", random) for _ in range(40)} == {"CUBANS", "KENYANS"}
    assert {names.draw("tajiks", random) for _ in range(40)} == {"cubans", "kenyans"}


def test_lower_case_headline_case_and_unfinished_sentences() -> None:
    random = np.random.default_rng(0)
    lower = Augmenter(AugmentationConfig(lower_case=1.0))(COURT, random)
    assert lower.text == COURT.text.lower()
    headline = Augmenter(AugmentationConfig(headline_case=1.0))(COURT, random)
    assert "was Jailed by the Osh City Court" in headline.text
    unfinished = Augmenter(AugmentationConfig(unfinished=1.0))(COURT, random)
    assert unfinished.text.endswith("It’s over")
    assert "he said\n\n" in unfinished.text
    letters = mark("i", "[İzmir](PLACE) and Straße", "")
    assert len(Augmenter(AugmentationConfig(lower_case=1.0))(letters, random).text) == len(
        letters.text
    )


def test_quotation_marks_change_style_and_nothing_else() -> None:
    augmenter = Augmenter(AugmentationConfig(quotes=1.0))
    texts = {augmenter(COURT, np.random.default_rng(seed)).text for seed in range(40)}
    assert len(texts) > 4
    assert any(text.startswith("«Askar") for text in texts)
    plain = str.maketrans("“”«»„’", '"""""\'')
    assert {text.translate(plain) for text in texts} == {COURT.text.translate(plain)}


def test_furniture_stands_around_the_document() -> None:
    config = AugmentationConfig(furniture=1.0)
    changed = Augmenter(config, ["Menu\nLog in"])(COURT, np.random.default_rng(3))
    assert COURT.text in changed.text
    assert changed.text.startswith("Menu\n")
    assert changed.text.rstrip("\n").endswith("Log in")
    assert [changed.surface(e) for e in changed.entities] == [
        COURT.surface(e) for e in COURT.entities
    ]


def test_edits_next_to_mentions() -> None:
    document = mark("d", "([A](X:a), [B](X:b))", "a R b")
    comma, bracket = document.text.index(","), document.text.index(")")
    changed = edited(document, [(bracket, bracket + 1, "]!"), (0, 1, ""), (comma, comma + 2, "/")])
    assert changed.text == "A/B]!"
    assert [changed.surface(e) for e in changed.entities] == ["A", "B"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("# only this\n", "no name in it"), ("Maria, | Lima\n", "line 1: a name is empty")],
)
def test_a_list_that_is_none_is_named(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "PERSON.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=f"PERSON.txt: {message}"):
        NameList.read(path)


def test_replacing_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no LABEL\.txt there"):
        Augmenter(AugmentationConfig(replaced=0.5, lists=str(tmp_path)))
