"""A tower taught by an ensemble against its teacher and the plain tower: loss kept, rows a second, latency.

What a table and seed came to in loss is kept in .bench/ until the sources that shape it change, so a run that
was stopped goes on. Speed hangs on the networks' shapes, not on how long they learned: it is measured on
networks of one pass, in the time of one thread. The teacher is never served; it is given its best: the
faster of torch and of a graph with the tower's own nodes for the fields. TANDEM_TABLES and TANDEM_SEEDS
narrow a run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.figures import Figure, against, figure
from benchmarks.public import case
from benchmarks.setting import percentile
from benchmarks.taught import Given, Losses, given, losses
from benchmarks.teacher import teacher_graph
from embeddings.derived import INPUT
from embeddings.export import export_onnx
from embeddings.train import seeded
from engine.model import open_session

TABLES = "adult,credit_default,online_shoppers,nursery,phishing_all"
ROWS = 8_192
CALLS = (256, 2_048)
TRIES = 8


def run(*, quick: bool) -> list[Figure]:
    names = ["online_shoppers"] if quick else os.environ.get("TANDEM_TABLES", TABLES).split(",")
    seeds = [int(seed) for seed in os.environ.get("TANDEM_SEEDS", "1,2,3").split(",")][: 1 if quick else None]
    figures: list[Figure] = []
    for name in names:
        figures += _kept_of(name, [losses(name, seed) for seed in seeds])
        figures += _speed(name, given(case(name, seeds[0])), repeats=200 if quick else 2_000)
    return figures


def _kept_of(name: str, runs: list[Losses]) -> list[Figure]:
    """Mean losses on test rows, and the share of the teacher's gain that the student keeps.

    A gain is above noise where the mean of the seeds' gains is more than the mean of their standard errors.
    """
    plain, taught, learned, error, own_error = (
        float(np.mean([getattr(one, what) for one in runs]))
        for what in ("plain", "teacher", "student", "teacher_error", "student_error")
    )
    served = float(np.mean([one.student if one.taken else one.plain for one in runs]))
    figures = [
        figure(f"{name}: test log-loss of the plain tower", plain, ""),
        figure(f"{name}: of its teacher", taught, ""),
        figure(f"{name}: of the tower it taught", learned, "", target=f"<= {plain:.6f}"),
        figure(f"{name}: of the tower that auto serves", served, "", target=f"<= {plain:.6f}"),
        figure(f"{name}: gain of the teacher, in standard errors", (plain - taught) / error, ""),
        figure(f"{name}: gain of the tower it taught, likewise", (plain - learned) / own_error, ""),
        figure(f"{name}: seeds in which auto takes it", sum(one.taken for one in runs) / len(runs), ""),
    ]
    if plain - taught > error:
        share = (plain - learned) / (plain - taught)
        figures.append(figure(f"{name}: share of the gain that is kept", share, "", target=">= 0.8"))
    return figures


def _speed(name: str, of: Given, repeats: int) -> list[Figure]:
    short = replace(of.spec, epochs=1)
    with seeded(short.seed, torch.device("cpu")):
        tower, teacher = of.tower(short), of.teacher(short).network
    whole = {key: np.resize(array.numpy(), (ROWS, *array.shape[1:])) for key, array in of.test.inputs.items()}
    inputs = {key: array for key, array in whole.items() if key != INPUT}
    served = open_session(export_onnx(tower, of.encoding))
    graph = open_session(teacher_graph(teacher, of.encoding))

    def in_torch(given: dict[str, np.ndarray]) -> None:
        with torch.no_grad():
            teacher({key: torch.from_numpy(array) for key, array in given.items()})

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = _rows_a_second(lambda given: served.run(None, given), inputs)
        graphs = _rows_a_second(lambda given: graph.run(None, given), inputs)
        torches = _rows_a_second(in_torch, whole)
    finally:
        torch.set_num_threads(threads)
    peer = max([(graphs, "teacher's graph"), (torches, "teacher in torch")])
    one = {key: array[:1] for key, array in inputs.items()}
    latencies = [_timed(lambda: served.run(None, one), time.perf_counter) for _ in range(repeats)]
    return [
        against(f"{name}: tower's graph", rows, "rows/s", peer[1], peer[0], target="ratio >= 10"),
        against(f"{name}: likewise", rows, "rows/s", "teacher in torch", torches),
        figure(
            f"{name}: one row through the graph, p50", percentile(latencies, 50) * 1e6, "us", target="<= 30"
        ),
    ]


def _rows_a_second(work: Callable[[dict[str, np.ndarray]], Any], inputs: dict[str, np.ndarray]) -> float:
    """Of one thread's time, in the best of a few tries and of the sizes of a call."""

    def through(size: int) -> None:
        for at in range(0, ROWS, size):
            work({key: array[at : at + size] for key, array in inputs.items()})

    return ROWS / min(_timed(lambda size=size: through(size), time.process_time) for size in CALLS * TRIES)


def _timed(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began
