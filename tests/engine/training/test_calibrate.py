"""Calibration makes probabilities that say how often something happens, without looking at the row it is
judged on.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.calibrate import (
    NONE,
    Calibration,
    best_calibration,
    cross_fitted_losses,
    fit_calibration,
    fit_slope,
    fit_steps,
    log_losses,
)


def test_the_sigmoid_finds_the_numbers_that_made_the_labels() -> None:
    """Labels drawn from σ(0.5 · margin − 1) are fitted with slope 0.5 and intercept −1."""
    rng = np.random.default_rng(0)
    margins = rng.normal(scale=4, size=(40_000, 1))
    codes = (rng.random(40_000) < 1 / (1 + np.exp(1 - 0.5 * margins[:, 0]))).astype(np.int64)
    found = fit_calibration(margins, codes)
    assert found.slope == pytest.approx(0.5, abs=0.02)
    assert found.intercept == pytest.approx(-1, abs=0.05)


def test_the_temperature_finds_the_number_that_made_the_labels() -> None:
    """Labels drawn from softmax(0.25 · margins) are fitted with slope 0.25."""
    rng = np.random.default_rng(0)
    margins = rng.normal(scale=6, size=(20_000, 3))
    codes = (0.25 * margins + rng.gumbel(size=margins.shape)).argmax(axis=1)
    assert fit_calibration(margins, codes).slope == pytest.approx(0.25, abs=0.02)


def test_a_classifier_that_leans_the_wrong_way_says_the_class_rate() -> None:
    """Slope 0: the same probability for every row, which is the share of positives."""
    margins = np.array([[3.0], [2.0], [-1.0], [-2.0], [-3.0]] * 40)
    codes = np.array([0, 0, 1, 1, 1] * 40)
    found = fit_calibration(margins, codes)
    assert found.slope == 0.0
    assert found.probabilities(margins)[0, 1] == pytest.approx(0.6, abs=0.01)


def test_equal_margins_say_the_class_rate() -> None:
    """A constant margin cannot be divided by its spread; it is the class rate for all."""
    found = fit_calibration(np.ones((100, 1)), np.array([1] * 25 + [0] * 75))
    assert found.probabilities(np.ones((1, 1)))[0, 1] == pytest.approx(0.25, abs=0.01)


def test_perfectly_parted_classes_stay_short_of_certainty() -> None:
    """Platt's smoothed targets keep the slope finite where no row is on the wrong side."""
    margins = np.concatenate([np.linspace(-9, -1, 50), np.linspace(1, 9, 50)])[:, None]
    found = fit_calibration(margins, np.repeat([0, 1], 50))
    assert 0.5 < found.probabilities(np.array([[1.0]]))[0, 1] < 1
    assert np.isfinite(found.slope)


@given(
    seed=st.integers(0, 2**16),
    scale=st.sampled_from([1e-6, 0.1, 1.0, 50.0, 1e5]),
    classes=st.integers(2, 4),
    rows=st.integers(12, 120),
)
@settings(max_examples=60, deadline=None)
def test_calibrated_probabilities_are_probabilities(seed: int, scale: float, classes: int, rows: int) -> None:
    """Whatever the margins' scale, rows sum to one, lie in [0, 1], and the fit is no worse than the class
    rates.
    """
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, rows)
    codes[:classes] = np.arange(classes)
    margins = rng.standard_cauchy(size=(rows, 1 if classes == 2 else classes)) * scale
    found = fit_calibration(margins, codes)
    probabilities = found.probabilities(margins)
    assert np.isfinite(probabilities).all()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-12
    flat = Calibration(
        0.0, float(np.log((codes == 1).sum() + 1) - np.log((codes == 0).sum() + 1)) * (classes == 2)
    )
    assert (
        log_losses(probabilities, codes).mean()
        <= log_losses(flat.probabilities(margins), codes).mean() + 0.02
    )


def test_a_row_is_judged_by_a_calibration_fitted_without_it() -> None:
    """Turning one row's label over changes its own cross-fitted loss by the label alone."""
    rng = np.random.default_rng(1)
    margins, codes = rng.normal(size=(60, 1)), np.repeat([0, 1], 30)
    losses = cross_fitted_losses(margins, codes, seed=5)
    assert losses.shape == (60,)
    assert not np.array_equal(losses, cross_fitted_losses(margins, codes, seed=6))
    assert np.array_equal(losses, cross_fitted_losses(margins, codes, seed=5))


def bent(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Margins whose probability is a step no sigmoid follows: 0.1 below 2, 0.6 above."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(scale=2, size=(rows, 1))
    return margins, (rng.random(rows) < np.where(margins[:, 0] > 2, 0.6, 0.1)).astype(np.int64)


def test_steps_are_taken_where_they_help() -> None:
    """A step in the truth is followed; without leave to use steps, the sigmoid stays."""
    margins, codes = bent(6_000, 0)
    found, losses = best_calibration(margins, codes, 1, stepped=True)
    assert found.steps
    assert found.probabilities(np.array([[-3.0], [5.0]]))[:, 1] == pytest.approx([0.1, 0.6], abs=0.1)
    sigmoid, more = best_calibration(margins, codes, 1, stepped=False)
    assert not sigmoid.steps
    assert losses.mean() < more.mean()


def test_steps_rise_and_say_neither_never_nor_always() -> None:
    """Margins and levels ascend; the levels stay inside of 0 and 1 even where the classes are parted."""
    margins = np.concatenate([np.linspace(-9, -1, 50), np.linspace(1, 9, 50)])[:, None]
    at, level = np.array(fit_steps(margins, np.repeat([0, 1], 50)).steps).T
    assert (np.diff(at) > 0).all()
    assert (np.diff(level) >= 0).all()
    assert 0 < level[0] < level[-1] < 1


@given(seed=st.integers(0, 2**16), scale=st.sampled_from([0.05, 1.0, 20.0]), classes=st.integers(2, 3))
@settings(max_examples=25, deadline=None)
def test_a_calibration_is_never_worse_than_none_on_the_rows_it_is_chosen_by(
    seed: int, scale: float, classes: int
) -> None:
    """By log-loss, each row's under a calibration fitted without it."""
    rng = np.random.default_rng(seed)
    codes = np.arange(90) % classes
    lean = (codes[:, None] == np.arange(classes)) * 1.5 + rng.normal(size=(90, classes))
    margins = (lean if classes > 2 else lean[:, 1:] - lean[:, :1]) * scale
    _, losses = best_calibration(margins, codes, seed, stepped=True)
    assert losses.mean() <= log_losses(NONE.probabilities(margins), codes).mean()


def drawn(margins: np.ndarray, slope: float, intercept: float, seed: int) -> np.ndarray:
    """Labels that are right about σ(slope · margin + intercept)."""
    chance = np.random.default_rng(seed).random(len(margins))
    return (chance < 1 / (1 + np.exp(-slope * margins[:, 0] - intercept))).astype(np.int64)


@pytest.mark.parametrize(
    ("slope", "intercept", "what"),
    [(1.0, 0.0, "none"), (0.4, 0.0, "slope"), (0.4, 1.0, "slope and intercept")],
)
def test_the_simplest_calibration_that_is_as_good_is_taken(slope: float, intercept: float, what: str) -> None:
    """What is right as it is stays; what is only too sure gets a slope; what leans gets both."""
    margins = np.random.default_rng(0).normal(scale=3, size=(4_000, 1))
    found, _ = best_calibration(margins, drawn(margins, slope, intercept, 1), 1, stepped=True)
    assert not found.steps
    assert (found.slope != 1.0, found.intercept != 0.0) == {
        "none": (False, False),
        "slope": (True, False),
        "slope and intercept": (True, True),
    }[what]


def test_a_slope_alone_is_the_temperature_of_two_classes() -> None:
    """Margins of one column and of two give the same."""
    margins = np.random.default_rng(0).normal(scale=3, size=(900, 1))
    codes = drawn(margins, 0.5, 0.3, 2)
    both = np.column_stack([np.zeros(900), margins])
    assert fit_slope(margins, codes).intercept == 0.0
    assert fit_slope(margins, codes).slope == pytest.approx(fit_calibration(both, codes).slope)


@given(bad=st.sampled_from([np.nan, np.inf, -np.inf]), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_margins_that_are_no_numbers_are_left_as_they_are(bad: float, seed: int) -> None:
    """No calibration is fitted on them; their losses say so, and the candidate is judged by those."""
    margins = np.random.default_rng(seed).normal(size=(40, 1))
    margins[seed % 40] = bad
    with np.errstate(all="ignore"):
        found, losses = best_calibration(margins, np.arange(40) % 2, 1, stepped=True)
    assert found == NONE
    assert np.array_equal(np.isnan(losses), np.isnan(margins[:, 0]))
