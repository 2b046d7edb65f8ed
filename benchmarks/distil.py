"""A tower taught by an ensemble against its teacher and the plain tower: loss kept, rows a second, latency.

TANDEM_TABLES and TANDEM_SEEDS narrow a run. The teacher is never served, so it has no graph: it is timed in
torch, on one thread like the tower's graph.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.figures import Figure, against, figure
from benchmarks.public import Case, case
from benchmarks.setting import percentile
from embeddings.body import START_STEPS, paired_gain, teach
from embeddings.derived import INPUT, fit_derived, with_derived
from embeddings.distil import distil
from embeddings.encode import Encoding
from embeddings.export import export_onnx
from embeddings.fit import fit_encoding
from embeddings.network import Network
from embeddings.rows import Rows
from embeddings.train import Trained, fit, judge, prepared, seeded
from engine.model import open_session
from engine.training.learn import slots_of

TABLES = "adult,credit_default,online_shoppers"
ROWS = 8_192
CALL = 2_048


@dataclass(frozen=True)
class Taught:
    """The three networks of one table, and its test rows."""

    encoding: Encoding
    tower: Trained
    teacher: Trained
    student: Trained
    validation: Rows
    test: Rows


def run(*, quick: bool) -> list[Figure]:
    names = ["online_shoppers"] if quick else os.environ.get("TANDEM_TABLES", TABLES).split(",")
    seeds = [int(seed) for seed in os.environ.get("TANDEM_SEEDS", "1,2,3").split(",")][: 1 if quick else None]
    figures: list[Figure] = []
    for name in names:
        runs = [_taught(case(name, seed)) for seed in seeds]
        figures += _kept(name, runs)
        figures += _speed(name, runs[0], repeats=200 if quick else 2_000)
    return figures


def _taught(given: Case) -> Taught:
    training, validating, testing = (
        given.rows.take(at) for at in (given.parts.train, given.parts.validation, given.parts.test)
    )
    spec = replace(given.project.embedding, slots=slots_of(given.project)).sized(len(given.parts.train))
    encoding = fit_encoding(spec, pa.Table.from_batches([training.fields]))
    inputs = encoding.batch(training.fields)
    derived, own = fit_derived(spec, encoding, inputs, training.codes) or (None, None)
    rows, validation, classes = prepared(
        spec,
        inputs if own is None else {**inputs, INPUT: own},
        training.codes,
        with_derived(encoding.batch(validating.fields), derived),
        validating.codes,
    )
    with seeded(spec.seed, torch.device("cpu")):
        tower = fit(spec, Network(spec, encoding, classes, derived), rows, validation, None)
        teacher = teach(spec, encoding, classes, derived, rows, validation, None)
        student = distil(
            replace(spec, distil_steps=min(START_STEPS, spec.distil_steps)),
            encoding,
            classes,
            derived,
            teacher.network,
            rows,
            validation,
            None,
            start=tower.network,
        )
    test = Rows.of(with_derived(encoding.batch(testing.fields), derived), testing.codes, "test")
    return Taught(encoding, tower, teacher, student, validation, test)


def _kept(name: str, runs: list[Taught]) -> list[Figure]:
    """Mean losses on test rows, and the share of the teacher's gain that the student keeps."""
    plain, taught, learned = (
        float(np.mean([judge(getattr(one, which).network, one.test) for one in runs]))
        for which in ("tower", "teacher", "student")
    )
    gains = [paired_gain(one.tower.network, one.teacher.network, one.test) for one in runs]
    above = plain - taught > np.mean([error for _, error in gains])
    figures = [
        figure(f"{name}: test log-loss of the plain tower", plain, ""),
        figure(f"{name}: of its teacher", taught, ""),
        figure(f"{name}: of the tower it taught", learned, "", target=f"<= {plain:.6f}"),
    ]
    if above:
        share = (plain - learned) / (plain - taught)
        figures.append(figure(f"{name}: share of the gain that is kept", share, "", target=">= 0.8"))
    return figures


def _speed(name: str, taught: Taught, repeats: int) -> list[Figure]:
    whole = {key: array.numpy()[:ROWS] for key, array in taught.test.inputs.items()}
    inputs = {key: array for key, array in whole.items() if key != INPUT}
    count = len(next(iter(inputs.values())))
    session = open_session(export_onnx(taught.student, taught.encoding))

    def served() -> None:
        for at in range(0, count, CALL):
            session.run(["embedding"], {key: array[at : at + CALL] for key, array in inputs.items()})

    tensors = {key: torch.from_numpy(array) for key, array in whole.items()}

    def asked() -> None:
        with torch.no_grad():
            for at in range(0, count, CALL):
                taught.teacher.network({key: array[at : at + CALL] for key, array in tensors.items()})

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows, teachers = count / _seconds(served), count / _seconds(asked)
    finally:
        torch.set_num_threads(threads)
    one = {key: array[:1] for key, array in inputs.items()}
    latencies = [_timed(lambda: session.run(["embedding"], one)) for _ in range(repeats)]
    return [
        against(f"{name}: tower's graph", rows, "rows/s", "teacher in torch", teachers, target="ratio >= 10"),
        figure(
            f"{name}: one row through the graph, p50", percentile(latencies, 50) * 1e6, "us", target="<= 30"
        ),
    ]


def _seconds(work: Callable[[], Any]) -> float:
    return min(_timed(work) for _ in range(5))


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
