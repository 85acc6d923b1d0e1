from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pressgang.bulk import shards
from pressgang.bulk.shards import Settings, Tally, begin, predict_here, predict_shards
from pressgang.bulk.sources import find_inputs
from pressgang.bulk.writers import Form, writer_for
from pressgang.document import Document, Entity, Relation
from pressgang.schema import Schema

SETTINGS = Settings(inputs="", model="m", output="jsonl", shard_documents=3)
N_TEXTS = 10

Predict = Callable[[Iterable[Document]], Iterator[Document]]


def find_capitals(documents: Iterable[Document]) -> Iterator[Document]:
    """Every capital is an entity, related to the next: a model without weights."""
    for document in documents:
        if "impossible" in document.text:
            raise RuntimeError("no way\nto do it")
        found = [Entity(i, i + 1, "C") for i, c in enumerate(document.text) if c.isupper()]
        relations = tuple(Relation(a, b, "NEXT") for a, b in itertools.pairwise(found))
        yield Document(document.id, document.text, tuple(found), relations)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten texts in lines, of which the fourth and the tenth are none."""
    path = tmp_path / "in.jsonl"
    texts: list[object] = [f"{letter} Б {letter}x" for letter in "ABCDEFGHIJ"]
    texts[3] = 3
    texts[9] = None
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def predict(
    corpus: Path,
    folder: Path,
    *,
    resume: bool = False,
    form: Form = Form.JSONL,
    predict_many: Predict = find_capitals,
) -> Tally:
    writer = writer_for(form, Schema(("C",), ("NEXT",), frozenset()))
    done = begin(folder, SETTINGS, resume=resume)
    engine = partial(predict_here, predict_many, lambda *_: None)
    return predict_shards(engine, find_inputs([corpus]), folder, writer, SETTINGS, done)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def ids(folder: Path) -> list[str]:
    lines = [line for p in sorted(folder.glob("part-*")) for line in p.read_text().splitlines()]
    return [json.loads(line)["id"] for line in lines]


def test_documents_and_failures_are_all_there_in_order(corpus: Path, tmp_path: Path) -> None:
    done = predict(corpus, tmp_path / "out")
    assert done == Tally(
        shards=4,
        sources=10,
        documents=8,
        failures=2,
        entities=24,
        relations=16,
        bytes=corpus.stat().st_size,
    )
    assert sorted(contents(tmp_path / "out")) == [
        *("errors-000001.jsonl", "errors-000003.jsonl"),
        *(f"part-00000{n}.jsonl" for n in range(4)),
        "run.json",
    ]
    assert ids(tmp_path / "out") == ["1", "2", "3", "5", "6", "7", "8", "9"]
    (failure,) = (tmp_path / "out" / "errors-000001.jsonl").read_text().splitlines()
    assert json.loads(failure) == {
        "file": str(corpus),
        "line": 4,
        "reason": "document '4': id and text must be strings",
    }
    assert json.loads((tmp_path / "out" / "run.json").read_text())["complete"]


def test_a_text_that_cannot_be_predicted_harms_no_other(corpus: Path, tmp_path: Path) -> None:
    lines = corpus.read_text().splitlines()
    lines[5] = '{"text": "impossible X"}'
    corpus.write_text("\n".join(lines))
    done = predict(corpus, tmp_path / "out")
    assert (done.documents, done.failures) == (7, 3)
    assert ids(tmp_path / "out") == ["1", "2", "3", "5", "7", "8", "9"]
    failures = (tmp_path / "out" / "errors-000001.jsonl").read_text().splitlines()
    assert [json.loads(f)["line"] for f in failures] == [4, 6]
    assert json.loads(failures[1])["reason"] == "RuntimeError: no way to do it"


def test_a_model_that_can_do_nothing_stops_the_run(corpus: Path, tmp_path: Path) -> None:
    def broken(documents: Iterable[Document]) -> Iterator[Document]:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        predict(corpus, tmp_path / "out", predict_many=broken)
    assert list(contents(tmp_path / "out")) == ["run.json"]
    assert predict(corpus, tmp_path / "out", resume=True).documents == 8


def test_a_shard_of_long_texts_is_short(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_SHARD_CHARACTERS", 1)
    assert predict(corpus, tmp_path / "out").shards == 9  # the last holds a failure alone
    assert len(ids(tmp_path / "out")) == 8


def test_no_more_is_read_than_a_shard(corpus: Path, tmp_path: Path) -> None:
    n_read = []

    def counted(documents: Iterable[Document]) -> Iterator[Document]:
        documents = list(documents)
        n_read.append(len(documents))
        return find_capitals(documents)

    predict(corpus, tmp_path / "out", predict_many=counted)
    assert n_read == [3, 2, 3, 0]


def test_a_whole_run_has_nothing_left(corpus: Path, tmp_path: Path) -> None:
    first = predict(corpus, tmp_path / "out")
    before = contents(tmp_path / "out")
    assert predict(corpus, tmp_path / "out", resume=True) == first
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("change", ["inputs", "model", "output", "shard_documents"])
def test_a_run_goes_on_as_it_was_begun(corpus: Path, tmp_path: Path, change: str) -> None:
    predict(corpus, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    record["settings"][change] = 99
    (tmp_path / "out" / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=f"begun with other {change.replace('_', ' ')}; it cannot"):
        predict(corpus, tmp_path / "out", resume=True)


def test_a_folder_in_use_is_left_alone(corpus: Path, tmp_path: Path) -> None:
    predict(corpus, tmp_path / "out")
    with pytest.raises(ValueError, match="holds a run already; go on with --resume"):
        predict(corpus, tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"other: holds files but no run\.json"):
            predict(corpus, tmp_path / "other", resume=resume)
    (tmp_path / "out" / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run\.json: not the record of a run"):
        predict(corpus, tmp_path / "out", resume=True)


def in_child(work: Callable[[], object]) -> int:
    """The status of a forked process that does the work."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
    except BaseException:
        os._exit(70)
    os._exit(0)


def killer(at: int) -> Callable[[], None]:
    """A function that kills its process when it is called for the `at`-th time."""
    calls = itertools.count(1)

    def count() -> None:
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


@pytest.mark.parametrize("moment", ["before a rename", "after a rename", "between two documents"])
@pytest.mark.parametrize("form", [Form.JSONL, Form.CSV])
def test_killed_at_every_step_it_loses_nothing(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, form: Form
) -> None:
    predict(corpus, tmp_path / "whole", form=form)
    whole = contents(tmp_path / "whole")
    rename = Path.replace

    for at in itertools.count(1):
        step, folder = killer(at), tmp_path / f"killed-{at}"

        def stopping(path: Path, target: Path, step: Callable[[], None] = step) -> Path:
            if moment == "before a rename":
                step()
            result = rename(path, target)
            if moment == "after a rename":
                step()
            return result

        def found(documents: Iterable[Document], step: Callable[[], None] = step) -> object:
            for document in find_capitals(documents):
                if moment == "between two documents":
                    step()
                yield document

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", stopping)
            status = in_child(lambda: predict(corpus, folder, form=form, predict_many=found))  # type: ignore[arg-type]  # noqa: B023
        if status == 0:
            break
        assert os.WIFSIGNALED(status)
        done = predict(corpus, folder, resume=True, form=form)
        assert (done.documents, done.failures) == (8, 2)
        assert contents(folder) == whole
    assert at > N_TEXTS - 2
    assert contents(folder) == whole


def test_killed_while_it_goes_on_it_goes_on_again(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.replace
    n_kills = 0
    predict(corpus, tmp_path / "whole")
    step = killer(3)  # in each process anew: a shard is done, the next one half

    def stopping(path: Path, target: Path) -> Path:
        if target.name != "run.json":
            step()
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopping)
        while in_child(lambda: predict(corpus, tmp_path / "out", resume=True)):
            n_kills += 1
            assert n_kills < 10
    assert n_kills == 3
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
