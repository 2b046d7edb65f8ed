"""What levels of two categories say together about the labels beyond what each says; fitted out of fold.

Levels met n times, h times in rows of a class, give the log-odds of (h + m·p) / (n + m) less those of p,
which is what the class rate and each level alone make of it: m rows of p stand against chance (Micci-Barreca
2001, "A preprocessing scheme for high-cardinality categorical attributes", section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRIOR_ROWS = 10.0
_LEAST_RATE = 1e-6


@dataclass(frozen=True, eq=False)
class Pair:
    """Two places of categories; what their levels say together, in standard deviations.

    `keys` `(meetings,)` int64 ascend, as `meeting` gives them; `values` `(meetings, classes)` float32.
    """

    first: int
    second: int
    keys: np.ndarray
    values: np.ndarray

    def of(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Rows of a category table of `size` rows, `(n, fields)` int64 → `(n, classes)` float32."""
        keys = meeting(rows, self.first, self.second, size)
        at = np.searchsorted(self.keys, keys)
        known = np.append(self.keys, -1)[at] == keys
        nought = np.zeros((1, self.values.shape[1]), np.float32)
        return np.asarray(np.vstack([self.values, nought])[np.where(known, at, len(self.keys))])


@dataclass(frozen=True, eq=False)
class Truth:
    """Which training rows are of a class, `(n,)` bool, of which that is known, and each row's fold."""

    positive: np.ndarray
    known: np.ndarray
    fold: np.ndarray
    folds: int

    def of(self, at: np.ndarray) -> Truth:
        """Of some of the rows, by number."""
        return Truth(self.positive[at], self.known[at], self.fold[at], self.folds)

    def alone(self, rows: np.ndarray, size: int) -> np.ndarray:
        """What each row of the category table says: log-odds beyond the rate `(size, 1 + folds)`.

        First by all training rows, then by all but those of each fold.
        """
        count, hits = self.counted(rows, size)
        rate = self.rate()
        alone: np.ndarray = log_odds((hits + PRIOR_ROWS * sigmoid(rate)) / (count + PRIOR_ROWS)) - rate
        return alone

    def rate(self) -> np.ndarray:
        """Log-odds of the class: `(1, 1 + folds)`."""
        count, hits = self.counted(np.zeros(len(self.known), np.int64), 1)
        return log_odds((hits + 0.5) / (count + 1))

    def counted(self, groups: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Known rows, and those of the class, in each group: both `(count, 1 + folds)`, as in `alone`."""
        at = groups * self.folds + self.fold
        found = []
        for rows in (self.known, self.known & self.positive):
            by_fold = np.bincount(at[rows], minlength=count * self.folds).reshape(count, self.folds)
            whole = by_fold.sum(axis=1, keepdims=True)
            found.append(np.hstack([whole, whole - by_fold]))
        return found[0], found[1]


def meeting(rows: np.ndarray, first: int, second: int, size: int) -> np.ndarray:
    """One number for what two fields hold, of a table of `size` rows: `(n, fields)` → `(n,)` int64."""
    numbers: np.ndarray = rows[:, first] * size + rows[:, second]
    return numbers


def fit_pair(
    rows: np.ndarray, size: int, first: int, second: int, truths: Sequence[Truth], rare: int
) -> tuple[Pair, np.ndarray]:
    """Fit on training rows; give also their own columns `(n, classes)` float32, each row's without its fold.

    Levels that met fewer than `rare` times say nothing together, which is 0.
    """
    keys, place = np.unique(meeting(rows, first, second, size), return_inverse=True)
    whole, own = np.empty((len(keys), len(truths))), np.empty((len(rows), len(truths)))
    met = np.zeros(len(keys), np.int64)
    for column, truth in enumerate(truths):
        count, hits = truth.counted(place, len(keys))
        expected = truth.rate()
        for field, level in ((first, keys // size), (second, keys % size)):
            expected = expected + truth.alone(rows[:, field], size)[level]
        expected = np.clip(sigmoid(expected), _LEAST_RATE, 1 - _LEAST_RATE)
        together = (hits + PRIOR_ROWS * expected) / (count + PRIOR_ROWS)
        beyond = np.where(count < rare, 0.0, log_odds(together) - log_odds(expected))
        whole[:, column], own[:, column] = beyond[:, 0], beyond[place, 1 + truth.fold]
        met = np.maximum(met, count[:, 0])
    scale, kept = np.maximum(own.std(axis=0), 1e-6), met >= rare
    pair = Pair(first, second, keys[kept], (whole[kept] / scale).astype(np.float32))
    return pair, (own / scale).astype(np.float32)


def log_odds(rate: np.ndarray) -> np.ndarray:
    bounded = np.clip(rate, _LEAST_RATE, 1 - _LEAST_RATE)
    odds: np.ndarray = np.log(bounded) - np.log1p(-bounded)
    return odds


def sigmoid(margin: np.ndarray) -> np.ndarray:
    rates: np.ndarray = 1 / (1 + np.exp(-np.clip(margin, -30, 30)))
    return rates
