"""The figures of an evaluation, each a function of a few arrays; None where the rows cannot give it.

`weights` `(n,)` say how much a row counts; without them every row counts once.
"""

from __future__ import annotations

import numpy as np

BINS = 15  # of a calibration error
LEAST_PROBABILITY = 1e-7  # a log-loss of at most 16 for one row


def auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    """Chance that a positive row scores above a negative one, ties counting half; `(n,)` float, `(n,)` bool.

    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    counted = np.ones(len(scores)) if weights is None else weights
    _, place = np.unique(scores, return_inverse=True)
    hits, all_of = np.bincount(place, counted * positive), np.bincount(place, counted)
    misses = all_of - hits
    positives, negatives = hits.sum(), misses.sum()
    if not (positives > 0 and negatives > 0):
        return None
    below = np.cumsum(misses) - misses
    return float((hits * (below + misses / 2)).sum() / (positives * negatives))


def average_precision(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None
) -> float | None:
    """Mean over positive rows of the share of positives among all rows that score at least as high.

    `(n,)` float, `(n,)` bool. Unlike the area under the ROC curve it tells how many of the highest scores are
    right, which is what counts where positives are few.

    >>> average_precision(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.8333333333333333
    """
    counted = np.ones(len(scores)) if weights is None else weights
    if not (counted * positive).any():
        return None
    _, place = np.unique(-scores, return_inverse=True)
    hits = np.bincount(place, counted * positive)
    some = hits > 0
    found = np.cumsum(hits)[some] / np.cumsum(np.bincount(place, counted))[some]
    return float((found * hits[some]).sum() / hits.sum())


def log_loss(probabilities: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    """Mean −log of the probability given to each row's own class; `(n, classes)` float, `(n,)` int."""
    own = probabilities[np.arange(len(codes)), codes]
    found = _mean(-np.log(np.clip(own, LEAST_PROBABILITY, 1.0)), weights)
    return None if found is None else found + 0.0  # not -0.0


def accuracy(probabilities: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    """Share of rows whose likeliest class is their own; `(n, classes)` float, `(n,)` int."""
    return _mean(probabilities.argmax(axis=1) == codes, weights)


def base_rate_loss(counts: np.ndarray) -> float:
    """The log-loss of giving every row the shares of the classes; `counts` `(classes,)` rows of each.

    >>> round(base_rate_loss(np.array([50, 50])), 4)
    0.6931
    """
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def chance_auc(counts: np.ndarray) -> float:
    """The standard error of the AUC of scores that know nothing, about 0.5; `(2,)` rows of each class.

    √((n + 1) / 12ab): Mann and Whitney's, for a and b of n rows.
    """
    ones, others = float(counts[0]), float(counts[1:].sum())
    return float(np.sqrt((ones + others + 1) / (12 * ones * others))) if ones and others else np.inf


def brier(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    """Mean squared distance of a probability from what came true; `(n,)` float, `(n,)` bool."""
    return _mean((scores - positive) ** 2, weights)


def calibration_error(
    probabilities: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None
) -> float | None:
    """Mean over rows of |mean said − share that came true| of their bin (Naeini et al. 2015, section 3).

    `(n, classes)` float, `(n,)` int; 15 equally full bins. Two classes are judged by the second one's
    probability, more by the likeliest one's.

    >>> calibration_error(np.array([[0.75, 0.25]] * 15 + [[0.25, 0.75]] * 15), np.repeat([0, 1], 15))
    0.25
    """
    said, came_true = said_and_true(probabilities, codes)
    counted = np.ones(len(said)) if weights is None else weights
    total = 0.0
    for rows in full_bins(said):
        total += abs(float((counted[rows] * (said[rows] - came_true[rows])).sum()))
    return total / float(counted.sum()) if counted.sum() > 0 else None


def perfect_error(probabilities: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    """The calibration error to expect of these probabilities on as many rows if they are right.

    The rows of a bin are off by √(2/π · Σ said · (1 − said)) in the mean, which is that of a normal variable.
    """
    said, _ = said_and_true(probabilities, np.zeros(len(probabilities), np.int64))
    counted = np.ones(len(said)) if weights is None else weights
    spread = counted**2 * said * (1.0 - said)
    total = sum(float(np.sqrt(2 / np.pi * spread[rows].sum())) for rows in full_bins(said))
    return total / float(counted.sum()) if counted.sum() > 0 else None


def said_and_true(probabilities: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What was said of each row, and whether it came true: `(n,)` float64, `(n,)` bool."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], codes == 1
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == codes


def full_bins(said: np.ndarray) -> list[np.ndarray]:
    """Row numbers of each of 15 equally full bins that has any, in the order of what was said."""
    order = np.argsort(said, kind="stable")
    return [rows for rows in np.array_split(order, BINS) if len(rows)]


def precision(acted: np.ndarray, positive: np.ndarray) -> float | None:
    """Share of the rows acted on that were positive; `(n,)` bool, `(n,)` bool."""
    return float(positive[acted].mean()) if acted.any() else None


def recall(acted: np.ndarray, positive: np.ndarray) -> float | None:
    """Share of the positive rows that were acted on; `(n,)` bool, `(n,)` bool."""
    return float(acted[positive].mean()) if positive.any() else None


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float | None:
    if weights is None:
        return float(values.mean()) if len(values) else None
    return float(np.average(values, weights=weights)) if weights.any() else None
