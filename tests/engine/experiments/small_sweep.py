"""The small project with its rows on disk, and a sweep of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from engine.experiments.board import leaderboard
from engine.experiments.experiment import run_experiment
from engine.experiments.load import load_sweep
from engine.experiments.outcome import Outcome, winner_bundle
from engine.project import load_project
from engine.training.build import evaluated_on_test
from tests.engine.training.small_project import PROJECT, small_table, write_project

QUICK = PROJECT.replace("epochs: 4", "epochs: 2").replace("split:", "data: {train: rows.parquet}\nsplit:")
ROWS = 700


def write_sweep(root: Path, sweep: str, *, text: str = QUICK, rows: int = ROWS) -> Path:
    """Write the project, its rows and a sweep; gives the sweep's path."""
    write_project(root, text=text)
    pq.write_table(small_table(rows), root / "rows.parquet")
    (root / "sweep.yaml").write_text(sweep)
    return root / "sweep.yaml"


def run(path: Path) -> Outcome:
    """Run a sweep as the command does."""
    sweep = load_sweep(path)
    project = load_project(sweep.project)
    return run_experiment(sweep, project, pq.read_table(path.parent / "rows.parquet"), None)


def board_of(outcome: Outcome) -> dict[str, Any]:
    """The leaderboard, without what differs from run to run."""
    variant, bundle = winner_bundle(outcome)
    board = leaderboard(outcome, evaluated_on_test(variant.project, bundle, outcome.prepared), None)
    del board["spent"]["seconds"], board["spent"]["re_embedded_rows"]
    for one in board["variants"]:
        one.pop("fit_seconds", None)
        one.pop("serve_us", None)
    return board
