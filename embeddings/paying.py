"""Which pairs of categories pay: those that tell of the labels, out of fold, what the fields alone do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from embeddings.pairs import Truth, fit_pair, sigmoid

MOST_PAIRS = 3
LEAST_OF_A_CLASS = 50
_MOST_FIELDS = 8
_LEAST_ERRORS = 3.0
_LEAST_SHARE = 0.005
_MOST_COUNTED, _MOST_JUDGED = 500_000, 50_000
_STEPS = 6
_PENALTY = 1e-3

Places = tuple[int, int]
Columns = Mapping[Places, np.ndarray]


def paying_pairs(
    rows: np.ndarray,
    size: int,
    levels: Mapping[int, int],
    truths: Sequence[Truth],
    rare: int,
    seed: int,
    matrix: Callable[[np.ndarray], Any],
) -> tuple[Places, ...]:
    """Choose among the pairs of places `levels` (with how many each has), on training rows.

    A pair pays where what it says lowers the log-loss, out of fold, by more than three standard errors of the
    rows' paired differences and by a two-hundredth: beside what each category's levels say, and then beside
    a logistic model on all fields, which `matrix` gives of the rows asked for. Of those that pay, the one
    that gains most is taken, and the others are judged anew beside it: three at most.

    A class that fewer than 50 training rows are of, or are not, takes no part. Of fields the eight with most
    levels are tried; 500,000 rows at most are counted, and losses are of 50,000 of these.
    """
    drawn = _drawn(len(rows), _MOST_COUNTED, seed)
    truths = [truth.of(drawn) for truth in truths]
    truths = [truth for truth in truths if _enough(truth)]
    rows = rows[drawn]
    fields = sorted(sorted(levels, key=lambda place: (-levels[place], place))[:_MOST_FIELDS])
    if not truths or len(fields) < 2:
        return ()
    judged = _drawn(len(rows), _MOST_JUDGED, seed)
    margins = [_beside(_alone(rows, size, fields, truth, judged), truth, judged, 0.0) for truth in truths]
    columns = {
        pair: fit_pair(rows, size, *pair, truths, rare)[1][judged].astype(np.float64)
        for pair in combinations(fields, 2)
    }
    columns = {
        pair: column for pair, column in columns.items() if _best({pair: column}, truths, judged, margins)
    }
    if not columns:
        return ()
    margins = [
        _beside(_out_of_fold(matrix(drawn[judged]), truth, judged), truth, judged, 0.0) for truth in truths
    ]
    chosen: list[Places] = []
    while len(chosen) < MOST_PAIRS and (best := _best(columns, truths, judged, margins)):
        pair, margins = best
        chosen.append(pair)
        columns = {other: column for other, column in columns.items() if other != pair}
    return tuple(chosen)


def _enough(truth: Truth) -> bool:
    of_class = int((truth.positive & truth.known).sum())
    return min(of_class, int(truth.known.sum()) - of_class) >= LEAST_OF_A_CLASS


def _drawn(count: int, most: int, seed: int) -> np.ndarray:
    """Row numbers: all, or a draw of so many in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def _alone(
    rows: np.ndarray, size: int, fields: Sequence[int], truth: Truth, judged: np.ndarray
) -> np.ndarray:
    """What the level of each field says, out of fold: `(n, fields)`."""
    fold = 1 + truth.fold[judged]
    return np.column_stack([truth.alone(rows[:, field], size)[rows[judged, field], fold] for field in fields])


def _best(
    columns: Columns, truths: Sequence[Truth], judged: np.ndarray, margins: Sequence[np.ndarray]
) -> tuple[Places, list[np.ndarray]] | None:
    """The pair that gains most of those that pay, and the margins with it."""
    known = [truth.known[judged] for truth in truths]
    before = [_losses(margin, truth, judged) for margin, truth in zip(margins, truths, strict=True)]
    whole = sum(float(loss[rows].sum()) for loss, rows in zip(before, known, strict=True))
    found: tuple[Places, list[np.ndarray]] | None = None
    most = _LEAST_SHARE * whole
    for pair, column in columns.items():
        moved = [
            _beside(column[:, [place]], truth, judged, margins[place]) for place, truth in enumerate(truths)
        ]
        gains = np.zeros(len(judged))
        for place, truth in enumerate(truths):
            gains += np.where(known[place], before[place] - _losses(moved[place], truth, judged), 0.0)
        error = float(gains.std()) * len(gains) ** 0.5
        if gains.sum() > max(most, _LEAST_ERRORS * error):
            found, most = (pair, moved), float(gains.sum())
    return found


def _losses(margin: np.ndarray, truth: Truth, judged: np.ndarray) -> np.ndarray:
    losses: np.ndarray = np.logaddexp(0, margin) - truth.positive[judged] * margin
    return losses


def _beside(columns: np.ndarray, truth: Truth, judged: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
    """Margins of a logistic model on a few columns `(n, columns)`, added to an offset: `(n,)`."""
    given = np.column_stack([np.ones(len(columns)), columns])
    start = np.broadcast_to(offset, len(columns))
    known = truth.known[judged]
    rows, begun, codes = given[known], start[known], truth.positive[judged][known].astype(np.float64)
    weights = np.zeros(given.shape[1])
    ridge = _PENALTY * np.eye(len(weights))
    for _ in range(_STEPS):
        said = sigmoid(begun + rows @ weights)
        slope = rows.T @ (codes - said) - _PENALTY * weights
        weights = weights + np.linalg.solve((rows * (said * (1 - said))[:, None]).T @ rows + ridge, slope)
    margins: np.ndarray = start + given @ weights
    return margins


def _out_of_fold(matrix: Any, truth: Truth, judged: np.ndarray) -> np.ndarray:
    """Margins of a logistic model on rows `(n, columns)`, each row's fitted without its fold: `(n, 1)`."""
    from sklearn.linear_model import LogisticRegression

    fold, known, codes = truth.fold[judged], truth.known[judged], truth.positive[judged]
    margins = np.zeros((len(judged), 1))
    for number in range(truth.folds):
        out, rest = fold == number, known & (fold != number)
        if out.any() and len(np.unique(codes[rest])) == 2:
            model = LogisticRegression(C=1.0, max_iter=1_000).fit(matrix[rest], codes[rest])
            margins[out, 0] = model.decision_function(matrix[out])
    return margins
