"""How well each classifier's scores tell the classes apart, and how honest they are as probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.evaluation.metrics import (
    accuracy,
    auc,
    average_precision,
    brier,
    calibration_error,
    log_loss,
    perfect_error,
)

MISSING = -1


def judge_classifiers(
    classifiers: Iterable[Mapping[str, Any]],
    names: Sequence[str],
    scores: np.ndarray,
    codes: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray] | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge each classifier on the rows whose label is known.

    `classifiers` as model/scores.json describes them; `names` of the columns of `scores` `(n, scores)`
    float64; `codes` `(n,)` int64 by label; `weights` `(n,)` float64 for the labels that have weights.
    """
    judged = {}
    weighed = weights or {}
    for one in classifiers:
        known = codes[one["label"]] != MISSING
        own = scores[:, [names.index(name) for name in one["scores"]]][known]
        figures = _binary if len(one["classes"]) == 2 else _several
        counted = weighed[one["label"]][known] if one["label"] in weighed else None
        judged[str(one["name"])] = {
            "kind": one["kind"],
            "label": one["label"],
            "rows": int(known.sum()),
            **({} if counted is None else {"weighted": True}),
            **figures(own, codes[one["label"]][known], one["classes"], counted),
        }
    return judged


def _binary(
    scores: np.ndarray, codes: np.ndarray, _: Sequence[str], weights: np.ndarray | None
) -> dict[str, Any]:
    """`(n, 1)` scores."""
    positive = codes == 1
    probabilities = np.column_stack([1.0 - scores[:, 0], scores[:, 0]])
    return {
        "positive_share": float(positive.mean()) if len(codes) else None,
        "auc": auc(scores[:, 0], positive, weights),
        "average_precision": average_precision(scores[:, 0], positive, weights),
        "log_loss": log_loss(probabilities, codes, weights),
        "brier": brier(scores[:, 0], positive, weights),
        "calibration_error": calibration_error(probabilities, codes, weights),
        "perfect_calibration_error": perfect_error(probabilities, weights),
        "accuracy": accuracy(probabilities, codes, weights),
    }


def _several(
    scores: np.ndarray, codes: np.ndarray, classes: Sequence[str], weights: np.ndarray | None
) -> dict[str, Any]:
    """`(n, classes)` scores; the AUC is the mean over classes of one against the rest."""
    each = {name: auc(scores[:, place], codes == place, weights) for place, name in enumerate(classes)}
    known = [value for value in each.values() if value is not None]
    return {
        "auc": float(np.mean(known)) if known else None,
        "auc_by_class": each,
        "log_loss": log_loss(scores, codes, weights),
        "calibration_error": calibration_error(scores, codes, weights),
        "perfect_calibration_error": perfect_error(scores, weights),
        "accuracy": accuracy(scores, codes, weights),
    }
