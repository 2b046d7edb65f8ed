"""The simplest of several by losses on the same rows: within one standard error of the best is as good."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def simplest(losses: Sequence[np.ndarray], negligible: float = 0.0) -> int:
    """The place of the first whose mean loss is within one standard error of the least.

    Losses `(n,)` of the same rows, simplest first; a difference of `negligible` counts as none.

    >>> simplest([np.array([1.0, 3.0]), np.array([2.0, 1.0]), np.array([1.0, 1.0])])
    0
    """
    best = losses[least(losses)]
    for place, one in enumerate(losses):
        behind, error = paired_difference(one, best)
        if behind <= max(error, negligible):
            return place
    raise AssertionError("the best is within one standard error of itself")


def least(losses: Sequence[np.ndarray]) -> int:
    """The place of the least mean; a loss that is no number is worse than any."""
    means = [float(one.mean()) for one in losses]
    return min(range(len(means)), key=lambda place: (means[place] != means[place], means[place]))


def paired_difference(losses: np.ndarray, best: np.ndarray) -> tuple[float, float]:
    """Mean of the row-by-row difference and its standard error, sd/√n: both models are judged on the same
    rows.
    """
    difference = losses - best
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return float(difference.mean()), spread / float(np.sqrt(len(difference)))
