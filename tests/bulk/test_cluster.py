"""`--engine ray`: a local cluster of two workers, one of which is killed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray

from pressgang.bulk.prediction import FAILED
from pressgang.document import Document
from tests.bulk.test_prediction import contents
from tests.test_cli import Run, assert_one_line, model, run

__all__ = ["model", "run"]  # fixtures

N_SHARDS = 24
SHARD = 4


@pytest.fixture(scope="module")
def two_cpus() -> Iterator[None]:
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=200 * 1024**2,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()


@pytest.fixture
def lines(court_reports: list[Document], tmp_path: Path) -> Path:
    """Texts of many lengths, every eleventh of which is none."""
    path = tmp_path / "in.jsonl"
    texts = [d.text for d in court_reports]
    records = [json.dumps({"text": " ".join(texts[: n % 6])}) for n in range(N_SHARDS * SHARD)]
    records[10::11] = ["{"] * len(records[10::11])
    path.write_text("\n".join(records))
    return path


def workers() -> list[psutil.Process]:
    """The processes of this test's cluster that hold a model."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "_Worker" in child.name()]


@pytest.mark.slow
def test_with_a_worker_killed_the_files_are_those_of_one_process(
    run: Run, model: Path, two_cpus: None, lines: Path, tmp_path: Path
) -> None:
    arguments = (
        *("predict", lines, "--model", model, "--device", "cpu"),
        *("--shard-documents", SHARD, "--output"),
    )
    assert run(*arguments, tmp_path / "one")[0] == FAILED
    at_kill: list[int] = []

    def kill_one() -> None:
        while not (written := list((tmp_path / "two").glob("part-*"))):
            time.sleep(0.005)
        alive = workers()
        alive[0].kill()
        at_kill.extend([len(alive), len(written)])

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    status, _, err = run(*arguments, tmp_path / "two", "--engine", "ray", "--workers", 2)
    assert status == FAILED, err
    killer.join()
    n_workers, n_written = at_kill
    assert n_workers == 2
    assert 0 < n_written < N_SHARDS
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_what_ray_cannot_do_is_said_in_one_line(
    run: Run, model: Path, two_cpus: None, lines: Path, tmp_path: Path
) -> None:
    arguments = ("predict", lines, "--model", model, "--engine", "ray")
    assert_one_line(run(*arguments), "--engine ray needs --output with a folder")
    output = ("--output", tmp_path / "out")
    assert_one_line(run(*arguments, *output, "--device", "cuda"), "the Ray cluster has no GPU")
    standard_input = ("predict", "-", "--model", model, "--engine", "ray", *output)
    assert_one_line(run(*standard_input), "--engine ray cannot read standard input")
    without = ("predict", lines, "--model", model, *output, "--workers", 2)
    assert_one_line(run(*without), "--workers is for --engine ray")
