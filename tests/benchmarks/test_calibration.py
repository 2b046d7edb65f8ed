"""The calibration error is what its definition says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calibration import calibration_error


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
