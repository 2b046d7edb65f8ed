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
