"""Metrics agree with scikit-learn, and are None where the rows cannot give them."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation import metrics


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), min_size=2, max_size=60)
)
def test_auc_agrees_with_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    """Also with ties; None where a class is absent."""
    scores, positive = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if positive.all() or not positive.any():
        assert metrics.auc(scores, positive) is None
    else:
        assert metrics.auc(scores, positive) == pytest.approx(sklearn.metrics.roc_auc_score(positive, scores))


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=60)
)
def test_average_precision_agrees_with_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    """Also with ties; None where no row is positive."""
    scores, positive = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if not positive.any():
        assert metrics.average_precision(scores, positive) is None
    else:
        expected = sklearn.metrics.average_precision_score(positive, scores)
        assert metrics.average_precision(scores, positive) == pytest.approx(expected)


def test_log_loss_agrees_with_scikit_learn() -> None:
    """Over three classes."""
    rng = np.random.default_rng(0)
    probabilities, codes = rng.dirichlet([1, 1, 1], 50), rng.integers(0, 3, 50)
    expected = sklearn.metrics.log_loss(codes, probabilities, labels=[0, 1, 2])
    assert metrics.log_loss(probabilities, codes) == pytest.approx(expected)


def test_precision_and_recall_are_none_without_rows_to_divide_by() -> None:
    """Nothing acted on has no precision; nothing positive has no recall."""
    no, yes = np.array([False, False]), np.array([True, False])
    assert metrics.precision(no, yes) is None
    assert metrics.recall(yes, no) is None
    assert (metrics.precision(yes, yes), metrics.recall(yes, yes)) == (1.0, 1.0)


def test_calibration_error_is_of_fifteen_full_bins() -> None:
    """By hand: the mean distance of what was said from what came true, over bins of ten."""
    draw = np.random.default_rng(3)
    said = draw.random(150)
    codes = (draw.random(150) < said**2).astype(np.int64)
    order = np.argsort(said)
    gaps = [abs(said[rows].mean() - codes[rows].mean()) for rows in order.reshape(15, 10)]
    two = np.column_stack([1 - said, said])
    assert metrics.calibration_error(two, codes) == pytest.approx(np.mean(gaps))
    assert metrics.calibration_error(two, codes, np.full(150, 2.0)) == pytest.approx(np.mean(gaps))
    assert metrics.calibration_error(two[:0], codes[:0]) is None


def test_calibration_error_of_several_classes_is_of_the_likeliest() -> None:
    """Said 0.6 of three rows in four that came true: off by 0.15."""
    said = np.tile([0.2, 0.6, 0.2], (60, 1))
    codes = np.tile([1, 1, 1, 0], 15)
    assert metrics.calibration_error(said, codes) == pytest.approx(0.15)


def test_rows_of_no_weight_count_for_nothing_in_calibration() -> None:
    """They leave the bins as they are."""
    said = np.column_stack([np.full(30, 0.75), np.full(30, 0.25)])
    codes = np.tile([1, 0], 15)
    assert metrics.calibration_error(said, codes, np.tile([0.0, 1.0], 15)) == pytest.approx(0.25)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_error_of_a_perfect_model_is_that_of_labels_drawn_from_it(classes: int) -> None:
    """The mean of 400 draws, to a twentieth; it falls with the root of the rows."""
    draw = np.random.default_rng(4)
    said = draw.dirichlet(np.ones(classes), 600)
    upto = said.cumsum(axis=1)
    errors = [
        metrics.calibration_error(said, (draw.random((600, 1)) > upto[:, :-1]).sum(axis=1))
        for _ in range(400)
    ]
    expected = metrics.perfect_error(said)
    assert expected == pytest.approx(np.mean([error for error in errors if error is not None]), rel=0.05)
    assert expected is not None
    assert metrics.perfect_error(np.repeat(said, 4, axis=0)) == pytest.approx(expected / 2)
    assert metrics.perfect_error(said, np.full(600, 3.0)) == pytest.approx(expected)
    assert metrics.perfect_error(said[:0]) is None
