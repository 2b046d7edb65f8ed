"""Rows' figures have the measure as their mean, whatever labels are missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.metrics import auc
from engine.experiments.judge import _areas, _spread
from engine.training.targets import MISSING


@given(st.integers(0, 1_000), st.integers(2, 4), st.booleans())
def test_the_mean_of_rows_is_the_area(seed: int, classes: int, ties: bool) -> None:
    """Of two classes, and of more the mean of one against the rest; rows without a label at the mean."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(classes), rng.integers(MISSING, classes, 60)])
    margins = rng.normal(size=(int((codes != MISSING).sum()), 1 if classes == 2 else classes))
    margins = margins.round(0) if ties else margins
    known = codes[codes != MISSING]
    each = [1] if classes == 2 else range(classes)
    expected = np.mean([auc(margins[:, at], known == code) for at, code in enumerate(each)])
    rows = _areas(margins, codes, classes)
    assert rows is not None
    assert rows.mean() == pytest.approx(expected)


def test_the_error_of_an_area_is_delongs() -> None:
    """Against the variance between many samples of the same population."""
    rng = np.random.default_rng(5)
    areas, errors = [], []
    for _ in range(300):
        codes = (rng.random(400) < 0.3).astype(int)
        rows = _areas((rng.normal(size=400) + codes)[:, None], codes, 2)
        assert rows is not None
        areas.append(rows.mean())
        errors.append(rows.std() / np.sqrt(len(rows)))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)


def test_a_class_that_no_row_has_gives_no_area() -> None:
    """There is nothing to rank."""
    assert _areas(np.zeros((3, 1)), np.zeros(3, int), 2) is None


def test_figures_of_some_rows_keep_their_mean_and_their_error() -> None:
    """Half of the rows known: the error of the mean is that of the half."""
    rng = np.random.default_rng(1)
    values, known = rng.normal(size=500), np.arange(1_000) % 2 == 0
    rows = _spread(values, known)
    assert rows.mean() == pytest.approx(values.mean())
    assert rows.std() / np.sqrt(1_000) == pytest.approx(values.std() / np.sqrt(500))
