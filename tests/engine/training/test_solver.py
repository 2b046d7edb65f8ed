"""Logistic models of many classes are solved without the large matrices of Newton's steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.cli import main
from engine.training import solver
from engine.training.candidate import Rows
from engine.training.candidates import run_candidates
from engine.training.solver import GRADIENTS, MOST_WORK, NEWTON, logistic, newton_step


@pytest.mark.parametrize(
    ("shape", "classes", "expected"),
    [
        ((50_000, 400), 2, NEWTON),  # the widest dense matrix and the most rows of the baseline
        ((3_000, 400), 3, NEWTON),
        ((500_000, 64), 3, NEWTON),
        ((780, 134), 40, GRADIENTS),
        ((50_000, 64), 40, GRADIENTS),
    ],
)
def test_newtons_steps_are_taken_where_they_cost_little(
    shape: tuple[int, int], classes: int, expected: str
) -> None:
    """Two classes are never many; that all fits so far keep their digest hangs on this."""
    assert logistic(1.0, shape, classes, steps=100).solver == expected
    assert (newton_step(shape, classes) > MOST_WORK) is (expected == GRADIENTS)


def test_both_ways_come_to_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    codes = draw.integers(0, 12, 1_500)
    seen = (draw.normal(size=(12, 16))[codes] + draw.normal(size=(1_500, 16))).astype(np.float32)
    rows = Rows(seen[:1_000], codes[:1_000]), Rows(seen[1_000:], codes[1_000:])
    [newton] = run_candidates(["logistic"], *rows, 12, seed=1)
    monkeypatch.setattr(solver, "MOST_WORK", 0.0)
    [gradients] = run_candidates(["logistic"], *rows, 12, seed=1)
    assert newton.fitted.settings == gradients.fitted.settings
    assert np.abs(newton.losses.mean() - gradients.losses.mean()) < 1e-4
    assert not gradients.refused


def test_candidates_tell_how_far_they_are() -> None:
    """Shares only grow, and every candidate and setting is named."""
    draw = np.random.default_rng(5)
    codes = draw.integers(0, 2, 400)
    rows = Rows((codes[:, None] + draw.normal(size=(400, 4))).astype(np.float32), codes)
    told: list[tuple[str, float]] = []
    run_candidates(["tree", "logistic"], rows, replace(rows), 2, seed=1, tell=lambda *one: told.append(one))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    texts = [text for text, _ in told]
    assert "logistic (1 of 2, setting 9 of 9)" in texts
    assert "tree (2 of 2, setting 1 of 6)" in texts


def test_a_file_of_forty_classes_is_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the project that init writes for it; a wide category beside the numbers makes the matrix large."""
    draw = np.random.default_rng(1)
    rows = 1_200
    table = pa.table(
        {
            "x": draw.normal(size=rows),
            "cust": [f"c{one}" for one in draw.integers(0, 150, rows)],
            "y": [f"k{one}" for one in np.arange(rows) % 40],
        }
    )
    pq.write_table(table, tmp_path / "many.parquet")
    place = tmp_path / "many"
    assert main(["init", str(place), "--data", str(tmp_path / "many.parquet"), "--label", "y"]) == 0
    written = (place / "project.yaml").read_text()
    short = written.replace("width: 32,", "width: 8, hidden: [16], epochs: 2,")
    (place / "project.yaml").write_text(short.replace("[logistic, naive-bayes, tree]", "[tree]"))
    assert main(["fit", str(place)]) == 0
    assert "bundle" in capsys.readouterr().out
