"""Shards predicted by the workers of Ray, on one machine or many: the engine `ray` of `predict`.

This machine reads the shards and writes what is found; each worker holds a model and predicts one
whole shard at a time, as `predict` does alone. So the files are the same, whoever predicts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pressgang.bulk.shards import FoundShard, Shards, predict_shard
from pressgang.model.extractor import Extractor

_Rows = dict[str, list[Any]]


class _Worker:
    """A model that stays loaded: Ray starts it anew where its process dies, and asks it again."""

    def __init__(self, model: Path, device: str) -> None:
        self.extractor = Extractor.load(model, device=device)

    def __call__(self, rows: _Rows) -> _Rows:
        (shard,) = rows["shard"]
        return {"found": [predict_shard(self.extractor.predict_many, shard)]}


def predict_on_ray(
    model: Path, device: str, n_workers: int | None, shards: Shards
) -> Iterator[FoundShard]:
    """The engine of Ray Data: each worker takes a CPU, or with "cuda" a GPU, of the cluster.

    The cluster is the one that RAY_ADDRESS names, else one of this machine alone, which ends with
    the run. The model's folder must be there under its path on every machine; texts and results
    need no shared disk. Raises ValueError if there is no GPU for "cuda", OSError if Ray gives up.
    """
    _connect()
    resource = "GPU" if device == "cuda" else "CPU"
    n_free = int(ray.cluster_resources().get(resource, 0))
    if not n_free:
        raise ValueError(f"--device {device}: the Ray cluster has no {resource}")
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    found = (
        ray.data.from_items([0])
        .map_batches(
            _read,
            fn_kwargs={"shards": shards, "folder": Path.cwd()},
            num_cpus=0,  # it waits for the workers most of the time
            scheduling_strategy=here,
        )
        .map_batches(
            _Worker,
            fn_constructor_args=(model.resolve(), device),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=n_workers or n_free),
            **{f"num_{resource.lower()}s": 1},
        )
    )
    found.context.target_max_block_size = 1  # each shard goes its own way
    found.context.execution_options.preserve_order = True
    found.context.enable_progress_bars = False
    try:
        for row in found.iter_rows():
            yield row["found"]
    except RayError as error:  # its last line is what the worker said
        raise OSError(f"Ray stopped: {str(error).strip().splitlines()[-1]}") from error


def _read(_: _Rows, *, shards: Shards, folder: Path) -> Iterator[_Rows]:
    os.chdir(folder)  # from where the paths of the inputs were given
    for shard in shards:
        yield {"shard": [shard]}


def _connect() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.WARNING)
    if ray.is_initialized():
        return
    if "RAY_ADDRESS" in os.environ:
        ray.init(log_to_driver=False)
    else:
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
