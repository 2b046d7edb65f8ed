"""Experiments: a new head on cached embeddings against two runs with MLflow; races of 20 variants, simulated.

MLflow asks for an older pyarrow than ours, so that it needs an environment of its own: its interpreter is
.bench/mlflow/bin/python (`python3.11 -m venv .bench/mlflow && .bench/mlflow/bin/pip install mlflow`), or
what TANDEM_MLFLOW names. Without one the peer is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figure, against, figure
from benchmarks.races import POPULATIONS, races
from benchmarks.setting import ROOT, SEED, WORK
from engine.experiments.cache import CACHE, Cache
from engine.experiments.experiment import run_experiment
from engine.experiments.load import load_sweep
from engine.experiments.outcome import Outcome
from engine.project import load_project

ROWS = 10_000
HEADS = ("lda", "tree", "naive-bayes", "nearest-centroid", "nearest-neighbours")
RACES = 200


def run(*, quick: bool) -> list[Figure]:
    place = _embedded(2_000 if quick else ROWS)
    figures = [*_heads(place, repeats=1 if quick else 3), *_peer(place, repeats=1 if quick else 3)]
    for name, population in POPULATIONS.items():
        raced = races(population, 20 if quick else RACES)
        figures += [
            figure(f"race, {name}: share of all in full", raced.spent, "", target="<= 0.15"),
            figure(f"race, {name}: best dropped", raced.dropped, "", target="<= 0.05"),
            figure(f"race, {name}: best dropped, near equals too", raced.dropped_at_all, ""),
            figure(f"race, {name}: risk stated", raced.stated, ""),
            figure(f"race, {name}: another than the best picked", raced.missed, ""),
            figure(f"the same, {name}: after all in full", raced.missed_in_full, ""),
        ]
    return figures


def _embedded(rows: int) -> Path:
    """The payments sample with so many training and validation rows, embedded and cached."""
    from engine.samples.payments import write_project

    place = WORK / f"experiments-{rows}"
    shutil.rmtree(place, ignore_errors=True)
    write_project(place, rows=round(rows / 0.8), seed=SEED)  # a fifth are test rows
    (place / "sweep.yaml").write_text("race: false\nseeds: [7]\n")
    _run(place)
    return place


def _run(place: Path) -> Outcome:
    sweep = load_sweep(place / "sweep.yaml")
    project = load_project(place)
    return run_experiment(sweep, project, _table(place), None)


def _table(place: Path) -> pa.Table:
    return pq.read_table(place / "data" / "payments.parquet")


def _heads(place: Path, repeats: int) -> list[Figure]:
    """One new kind for one classifier, from the sweep's file to the winner; the table is in memory."""
    seconds: list[float] = []
    worked: list[float] = []
    embedded = 0
    for kind in HEADS:
        tried, busy = [], []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / "project"
                shutil.copytree(place, copy)
                head = f"{{name: head, set: {{classifiers.fraud.candidates: [{kind}]}}}}"
                (copy / "sweep.yaml").write_text(f"race: false\nvariants: [{head}]\n")
                table = _table(copy)
                began, working = time.perf_counter(), time.process_time()
                sweep = load_sweep(copy / "sweep.yaml")
                outcome = run_experiment(sweep, load_project(copy), table, None)
                tried.append(time.perf_counter() - began)
                busy.append(time.process_time() - working)
                embedded += outcome.embedded_rows
        seconds.append(min(tried))
        worked.append(min(busy))
    median = float(np.median(seconds))
    return [
        figure("a new head on cached embeddings, verdict included", median, "s", target="<= 0.5"),
        figure("the same, processor time", float(np.median(worked)), "s"),
        figure(f"the slowest of {len(HEADS)} kinds", max(seconds), "s"),
        figure("rows embedded for it", embedded, "", target="== 0"),
    ]


def _peer(place: Path, repeats: int) -> list[Figure]:
    named = os.environ.get("TANDEM_MLFLOW", str(WORK / "mlflow" / "bin" / "python"))
    if not Path(named).exists():
        sys.stderr.write(f"experiments: MLflow is left out: there is no {named}\n")
        return []
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "embedded.npz"
        _write_arrays(place, arrays)
        command = [named, str(ROOT / "benchmarks" / "mlflow_runs.py"), str(arrays), str(repeats)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    ours = _heads(place, repeats)[0].value  # again, beside the peer
    return [
        against(
            "a new head, verdict included",
            ours,
            "s",
            f"MLflow {told['version']}, two runs logged and evaluated",
            told["seconds"],
            target="ratio >= 5",
            faster=True,
        )
    ]


def _write_arrays(place: Path, path: Path) -> None:
    """The embedding of the cache, with a label for the peer: what it fits on and what it evaluates."""
    cache = Cache(place / CACHE)
    held = (cache.get(file.stem) for file in sorted(cache.root.glob("??/*.npz")))
    arrays = next(one for one in held if one is not None and "encoder" in one)
    random = np.random.default_rng(SEED)
    codes = {
        f"{part}_codes": (arrays[part][:, 0] + random.normal(size=len(arrays[part])) > 0).astype(int)
        for part in ("train", "validation")
    }
    np.savez(path, train=arrays["train"], validation=arrays["validation"], **codes)
