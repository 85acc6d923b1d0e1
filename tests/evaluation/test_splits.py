from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.splits import Fold, folds, hold_out, shared_runs


def article(name: str, text: str, n_relations: int = 0) -> Document:
    entities = tuple(Entity(i, i + 1, "LETTER") for i in range(n_relations + 1))
    return Document(
        name,
        text,
        entities if n_relations else (),
        tuple(Relation(head, tail, "NEXT") for head, tail in pairwise(entities[: n_relations + 1])),
    )


def normal(text: str) -> str:
    return " ".join(text.split())


articles = st.lists(st.sampled_from(["a b", "a  b", "a\nb ", "c", "d", "e f", "e\tf", "g"])).map(
    lambda texts: [Document(f"d{i}", text) for i, text in enumerate(texts)]
)


@given(articles, st.integers(0, 6), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_folds_partition_the_documents_and_share_no_text(
    documents: list[Document], n_folds: int, seed: int
) -> None:
    n_texts = len({normal(d.text) for d in documents})
    if not 2 <= (n_folds or n_texts) <= n_texts:
        with pytest.raises(ValueError, match=f"{n_texts} different articles cannot be split"):
            folds(documents, n_folds, seed=seed)
        return
    found = folds(documents, n_folds, seed=seed)
    assert len(found) == (n_folds or n_texts)
    tested = [d.id for fold in found for d in fold.test]
    assert sorted(tested) == sorted(d.id for d in documents)
    for fold in found:
        assert fold.test
        assert sorted(d.id for d in fold.train + fold.test) == sorted(d.id for d in documents)
        assert not {normal(d.text) for d in fold.train} & {normal(d.text) for d in fold.test}


def test_zero_folds_leave_out_each_article_in_turn() -> None:
    documents = [Document("a", "one"), Document("b", "two"), Document("c", "three")]
    assert [[d.id for d in fold.test] for fold in folds(documents, 0, seed=0)] == [
        ["a"],
        ["b"],
        ["c"],
    ]


def test_the_same_text_stays_together() -> None:
    documents = [Document("a", "one two"), Document("b", "three"), Document("c", " one\n\ntwo ")]
    tested = [{d.id for d in fold.test} for fold in folds(documents, 0, seed=0)]
    assert tested == [{"a", "c"}, {"b"}]


def test_the_seed_decides_and_nothing_else() -> None:
    documents = [Document(str(i), f"text {i}") for i in range(20)]
    assert folds(documents, 4, seed=1) == folds(documents, 4, seed=1)
    assert folds(documents, 4, seed=1) != folds(documents, 4, seed=2)


def test_folds_get_about_equally_many_relations() -> None:
    sizes = (20, 12, 9, 8, 5, 4, 3, 2, 1, 0, 0)
    documents = [article(str(i), "x" * 30 + str(i), size) for i, size in enumerate(sizes)]
    for seed in range(5):
        totals = [
            sum(len(d.relations) for d in fold.test) for fold in folds(documents, 3, seed=seed)
        ]
        assert sum(totals) == sum(sizes)
        assert max(totals) - min(totals) <= 2


@pytest.mark.parametrize("n_folds", [-1, 1, 4])
def test_a_number_of_folds_that_cannot_be_is_refused(n_folds: int) -> None:
    documents = [Document(name, name) for name in "abc"]
    with pytest.raises(ValueError, match=f"3 different articles .* {n_folds} folds"):
        folds(documents, n_folds, seed=0)


def test_held_out_documents_are_tested_and_all_others_trained_on() -> None:
    a, b, c = (Document(name, name) for name in "abc")
    assert hold_out([a, b, c], ["c", "a"]) == Fold((b,), (a, c))


def test_an_unknown_held_out_id_is_named() -> None:
    with pytest.raises(ValueError, match="held_out names unknown documents: x, y"):
        hold_out([Document("a", "text")], ["y", "a", "x"])


def test_a_held_out_text_that_is_also_trained_on_is_refused() -> None:
    documents = [Document("a", "The same  text."), Document("b", "The same\ntext. ")]
    with pytest.raises(ValueError, match="'b' has the same text as 'a'"):
        hold_out(documents, ["b"])


def test_a_copied_sentence_is_counted_run_by_run() -> None:
    copied = "The court in Osh jailed the man for six years."
    train = Document("a", f"Kyiv reports today: {copied} He appealed.")
    test = Document("b", f"Something else entirely happened here. {copied.upper()}")
    n_words, n_new = 11, 6
    shared, total = shared_runs(Fold((train,), (test,)))
    assert shared == n_words - 8 + 1
    assert total == n_words + n_new - 8 + 1


def test_texts_without_a_common_run_share_none() -> None:
    train = Document("a", "one two three four five six seven, eight nine")
    test = Document("b", "one two three four five six seven eight nine")
    assert shared_runs(Fold((train,), (test,))) == (0, 2)


def test_a_text_shorter_than_a_run_has_no_runs() -> None:
    fold = Fold((Document("a", "one two"),), (Document("b", "one two"),))
    assert shared_runs(fold) == (0, 0)
    assert shared_runs(fold, length=2) == (1, 1)


def test_the_twin_of_a_held_out_text_is_refused_whatever_its_id() -> None:
    with pytest.raises(ValueError, match="the same text"):
        hold_out([Document("", "The same text."), Document("b", "The same text.")], ["b"])
