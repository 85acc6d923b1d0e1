from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from typer.testing import CliRunner

from pressgang.annotation.agreement import (
    agreement_table,
    differences,
    in_common,
    kappa,
    print_agreement,
)
from pressgang.cli import app
from pressgang.document import Document
from pressgang.label_studio.annotators import read_annotators
from pressgang.label_studio.tasks import to_task
from tests.conftest import mark

FIRST = mark("a", "[Ana](PERSON:a) of [Osh](PLACE:o) met Bo.", "a LIVES o")
SECOND = mark("a", "[Ana](PERSON:a) of [Osh](COURT:o) met [Bo](PERSON:b).", "a KNOWS b")


def test_every_difference_is_named_once() -> None:
    found = list(differences([FIRST], [SECOND]))
    assert [(d.start, d.only_in, d.what) for d in found] == [
        (0, "first", "Ana LIVES Osh"),
        (0, "second", "Ana KNOWS Bo"),
        (7, "first", "Osh PLACE"),
        (7, "second", "Osh COURT"),
        (15, "second", "Bo PERSON"),
    ]
    assert not list(differences([FIRST], [FIRST]))


def test_the_command_gives_f1_and_the_differences(tmp_path: Path) -> None:
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, document in zip(paths, (FIRST, SECOND), strict=True):
        path.write_text(json.dumps([to_task(document)]))
    result = CliRunner().invoke(app, ["agreement", *map(str, paths), "--show"])
    assert result.exit_code == 0
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if "│" in line}
    assert "0.400" in rows["all entities"]  # one in common, of two and of three
    assert "0.000" in rows["all relations"]
    assert "a\t15\tonly in the second\tBo PERSON" in result.stdout


def test_other_texts_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, text in zip(paths, ("[Ana](PERSON) left.", "[Ana](PERSON) came."), strict=True):
        path.write_text(json.dumps([to_task(mark("a", text, ""))]))
    result = CliRunner().invoke(app, ["agreement", *map(str, paths)])
    assert isinstance(result.exception, ValueError)
    assert "has another text" in str(result.exception)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    choices = Counter((frozenset(a), frozenset(b)) for a, b in pairs)
    found = kappa(choices)
    if len({label for pair in pairs for label in pair}) == 1:
        assert found is None
        return
    expected = cohen_kappa_score(*zip(*pairs, strict=True))
    assert found == pytest.approx(expected)


def test_kappa_of_nothing_is_none() -> None:
    assert kappa({}) is None


def test_kappa_counts_words_and_pairs_that_nobody_marked() -> None:
    first = mark("a", "[Ana](PERSON:a) of [Osh](PLACE:o) met [Bo](PERSON:b).", "a LIVES o")
    second = mark("a", "[Ana](PERSON:a) of [Osh](PLACE:o) met [Bo](PERSON:b).", "b LIVES o")
    rows = _rows([first], [second])
    assert rows["PERSON"][-1] == "1.000"
    assert rows["LIVES"][-2:] == ["0.000", "-1.000"]  # of two pairs, one each
    third = mark("a", "[Ana](PERSON:a) of [Osh](PLACE:o) met Bo.", "a LIVES o")
    rows = _rows([first], [third])
    assert rows["PERSON"][-2:] == ["0.667", "0.571"]  # words: both 1, first alone 1, neither 4
    assert rows["LIVES"][-2:] == ["1.000", "–"]  # one pair in common, and both relate it


def test_annotators_are_compared_pair_by_pair(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = []
    for number, documents in enumerate([(FIRST, SECOND), (FIRST,), (SECOND, SECOND)], start=1):
        annotations = [
            to_task(d)["annotations"][0] | {"id": who, "completed_by": who}
            for who, d in enumerate(documents, start=number)
        ]
        data = {"id": f"d{number}", "text": FIRST.text}
        tasks.append({"id": number, "data": data, "annotations": annotations})
    skipped = {"id": 9, "completed_by": 9, "was_cancelled": True, "result": []}
    tasks[0]["annotations"].append(skipped)
    annotators = {name: reading.documents for name, reading in read_annotators(tasks).items()}
    assert {name: len(own) for name, own in annotators.items()} == {"1": 1, "2": 2, "3": 1, "4": 1}
    print_agreement(annotators, source="here", show=True)
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.startswith("annotator")] == [
        "annotator 1 and annotator 2: 1 documents by both",
        "annotator 3 and annotator 4: 1 documents by both",
    ]
    assert "d1\t15\tonly in annotator 2\tBo PERSON" in said
    with pytest.raises(ValueError, match=r"here: no two .* annotators: 2 \(2\)"):
        print_agreement({"2": annotators["2"]}, source="here", show=False)


def test_documents_in_common_stand_in_one_order() -> None:
    others = [mark(name, "Ana ran.", "") for name in "cab"]
    mine = [mark(name, "Ana ran.", "") for name in "bxc"]
    assert [[d.id for d in side] for side in in_common(mine, others)] == [["b", "c"], ["b", "c"]]


def _rows(first: list[Document], second: list[Document]) -> dict[str, list[str]]:
    table = agreement_table(first, second)
    columns = [list(column.cells) for column in table.columns]
    return {str(name): [str(c) for c in rest] for name, *rest in zip(*columns, strict=True)}
