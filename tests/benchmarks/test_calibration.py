"""The calibration error is what its definition says, and what chance adds to it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration import calibration_error, debiased_error, drawn_errors, judged
from benchmarks.kept import kept


def test_what_comes_true_as_often_as_said_has_no_error() -> None:
    """Half of the rows of which one half was said; and all of those that were said to be sure."""
    said = np.array([0.5] * 200 + [1.0] * 100)
    codes = np.array([0, 1] * 100 + [1] * 100)
    assert calibration_error(np.column_stack([1 - said, said]), codes) == pytest.approx(0, abs=1e-12)


def test_the_error_is_the_distance_of_said_and_true() -> None:
    """Nine in ten said, one in two true: 0.4; of several classes the likeliest is judged."""
    codes = np.array([0, 1] * 150)
    said = np.full(300, 0.9)
    assert calibration_error(np.column_stack([1 - said, said]), codes) == pytest.approx(0.4)
    several = np.tile([0.1, 0.9, 0.0], (300, 1))
    assert calibration_error(several, codes) == pytest.approx(0.4)


def perfect(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    said = rng.random(rows)
    return np.column_stack([1 - said, said]), (rng.random(rows) < said).astype(np.int64)


def test_a_perfect_model_is_as_far_off_as_others_drawn_from_it() -> None:
    """On 200 rows its error is 0.09 or so, which tells nothing; half of all draws are as far off."""
    shares = []
    for seed in range(40):
        found = judged(*perfect(200, seed), seed + 99)
        assert found.floor == pytest.approx(0.095, abs=0.02)
        shares.append(found.as_far)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.15)


def test_what_chance_adds_is_taken_off() -> None:
    """The debiased error of a model that is always 0.1 too low is 0.1, of many rows or few."""
    for rows in (400, 20_000):
        found = []
        for seed in range(20):
            said = perfect(rows, seed)[0][:, 1] * 0.8
            true = (np.random.default_rng(seed + 99).random(rows) < said + 0.1).astype(np.int64)
            found.append(debiased_error(np.column_stack([1 - said, said]), true))
        assert np.mean(found) == pytest.approx(0.1, abs=0.015)


def test_the_floor_shrinks_with_the_root_of_the_rows() -> None:
    """A hundred times the rows, a tenth of the error; and the same seed draws the same."""
    few, many = (drawn_errors(perfect(rows, 1)[0], 2, 50).mean() for rows in (300, 30_000))
    assert few / many == pytest.approx(10, rel=0.15)
    assert np.array_equal(drawn_errors(perfect(300, 1)[0], 7, 5), drawn_errors(perfect(300, 1)[0], 7, 5))


def test_the_likeliest_of_several_classes_is_drawn() -> None:
    """A model that says 0.9 of one class of three is drawn right nine times in ten."""
    several = np.tile([0.05, 0.9, 0.05], (30_000, 1))
    assert drawn_errors(several, 1, 20).mean() == pytest.approx(0.8 * np.sqrt(0.09 / 2_000), rel=0.2)


def test_a_kept_run_is_read_again_until_its_sources_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made once for the same sources; made anew for others."""
    monkeypatch.setattr("benchmarks.kept.ROOT", tmp_path)
    monkeypatch.setattr("benchmarks.kept.WORK", tmp_path / ".bench")
    source = tmp_path / "source.py"
    source.write_text("1")
    assert kept("some", "run", ["source.py"], lambda: [1]) == [1]
    assert kept("some", "run", ["source.py"], lambda: [2]) == [1]
    assert kept("some", "run", ["source.py"], lambda: [3], "further") == [3]
    source.write_text("2")
    assert kept("some", "run", ["source.py"], lambda: [4]) == [4]
