"""What a transformer learns from: labels as people hold them → class codes, and rows kept to judge by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from embeddings.errors import TrainingError

MISSING = -1
MOST_CLASSES = 1_000


def class_codes(y: Any, rows: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Read labels: `(n,)` one, `(n, k)` one a column → codes `(n,)` int64 and classes, by label.

    None and NaN are missing labels, code -1. Raises `TrainingError` for labels that nothing can be learned
    from.
    """
    if hasattr(y, "iloc") and getattr(y, "ndim", 1) == 2:
        names = [str(name) for name in y.columns]
        columns = [y.iloc[:, place].to_numpy() for place in range(len(names))]
    else:
        array = np.asarray(y)
        if array.ndim not in (1, 2):
            raise TrainingError(
                f"y should be a 1d array, or one with a column for each label; got {array.shape}"
            )
        columns = [array] if array.ndim == 1 else list(array.T)
        names = ["y"] if len(columns) == 1 else [f"y{place}" for place in range(len(columns))]
    codes, classes = {}, {}
    for name, column in zip(names, columns, strict=True):
        if len(column) != rows:
            raise TrainingError(f"X has {rows} rows and label '{name}' {len(column)}: inconsistent lengths")
        codes[name], classes[name] = _codes(name, column)
    return codes, classes


def row_weights(given: Any, rows: int) -> np.ndarray | None:
    """Read how much each of n rows counts: `(n,)` float64, 1 on average; None where all count alike.

    Raises `TrainingError` for what is no number from 0 on for each row, or 0 for all.
    """
    if given is None:
        return None
    try:
        weights = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"sample_weight holds what is no number: {error}") from error
    if weights.shape != (rows,):
        raise TrainingError(f"sample_weight has the shape {weights.shape}, and X has {rows} rows")
    if not (np.isfinite(weights).all() and weights.min() >= 0):
        raise TrainingError("sample_weight must be finite numbers from 0 on")
    if weights.max() == 0:
        raise TrainingError("Sample weights must contain at least one non-zero number")
    weights = weights / weights.max()
    return None if weights.min() == 1 else np.asarray(weights / weights.mean())


def validation_rows(codes: Mapping[str, np.ndarray], share: float, seed: int) -> np.ndarray:
    """Draw rows to judge by, the same share of each class of the first label; some of each class stay.

    Gives row numbers in ascending order; none where no class can spare a row.
    """
    first = next(iter(codes.values()))
    order = np.random.default_rng(seed).permutation(len(first))
    drawn = np.zeros(len(first), bool)
    for code in np.unique(first):
        mine = order[first[order] == code]
        drawn[mine[: min(round(share * len(mine)), len(mine) - 1)]] = True
    if not drawn.any():
        drawn[[row for row in order if np.sum(first == first[row]) > 1][:1]] = True
    for other in codes.values():
        left = np.unique(other[~drawn])
        drawn &= np.isin(other, left)
    return np.flatnonzero(drawn)


def _codes(name: str, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    missing = np.array([value is None or value != value for value in column.tolist()], bool)
    known = column[~missing]
    if column.dtype.kind == "f" and np.isinf(known).any():
        raise TrainingError(f"Input y contains infinity (label '{name}')")
    if column.dtype.kind == "f" and (known != np.floor(known)).any():
        raise TrainingError(
            f"Unknown label type: continuous (label '{name}'); an encoder learns from classes: "
            "cut the numbers into a few ranges first"
        )
    try:
        classes, places = np.unique(known, return_inverse=True)
    except TypeError as error:
        raise TrainingError(f"label '{name}' holds classes of several types: {error}") from error
    if len(classes) < 2:
        raise TrainingError(
            f"label '{name}' has {len(classes)} class; at least two are needed, as in n_classes=2"
        )
    if len(classes) > MOST_CLASSES:
        raise TrainingError(f"label '{name}' has {len(classes)} classes, more than {MOST_CLASSES}")
    codes = np.full(len(column), MISSING, np.int64)
    codes[~missing] = places
    return codes, classes
