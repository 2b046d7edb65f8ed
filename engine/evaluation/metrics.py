"""The figures of an evaluation, each a function of a few arrays; None where the rows cannot give it."""

from __future__ import annotations

import numpy as np

LEAST_PROBABILITY = 1e-7  # a log-loss of at most 16 for one row


def auc(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """Chance that a positive row scores above a negative one, ties counting half; `(n,)` float, `(n,)` bool.

    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # The mean rank of tied scores: ranks run from 1, a group of c ends at rank e.
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """Mean over positive rows of the share of positives among all rows that score at least as high.

    `(n,)` float, `(n,)` bool. Unlike the area under the ROC curve it tells how many of the highest scores are
    right, which is what counts where positives are few.

    >>> average_precision(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.8333333333333333
    """
    if not positive.any():
        return None
    _, place = np.unique(-scores, return_inverse=True)
    hits = np.bincount(place, positive)
    found = np.cumsum(hits) / np.cumsum(np.bincount(place))
    return float((found * hits).sum() / hits.sum())


def log_loss(probabilities: np.ndarray, codes: np.ndarray) -> float | None:
    """Mean −log of the probability given to each row's own class; `(n, classes)` float, `(n,)` int."""
    if len(codes) == 0:
        return None
    own = probabilities[np.arange(len(codes)), codes]
    return float(-np.log(np.clip(own, LEAST_PROBABILITY, 1.0)).mean()) + 0.0  # not -0.0


def accuracy(probabilities: np.ndarray, codes: np.ndarray) -> float | None:
    """Share of rows whose likeliest class is their own; `(n, classes)` float, `(n,)` int."""
    return float((probabilities.argmax(axis=1) == codes).mean()) if len(codes) else None


def brier(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """Mean squared distance of a probability from what came true; `(n,)` float, `(n,)` bool."""
    return float(((scores - positive) ** 2).mean()) if len(scores) else None


def precision(acted: np.ndarray, positive: np.ndarray) -> float | None:
    """Share of the rows acted on that were positive; `(n,)` bool, `(n,)` bool."""
    return float(positive[acted].mean()) if acted.any() else None


def recall(acted: np.ndarray, positive: np.ndarray) -> float | None:
    """Share of the positive rows that were acted on; `(n,)` bool, `(n,)` bool."""
    return float(acted[positive].mean()) if positive.any() else None
