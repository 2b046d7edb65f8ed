"""How well each classifier's scores tell the classes apart, and how honest they are as probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.evaluation.metrics import accuracy, auc, brier, log_loss

MISSING = -1


def judge_classifiers(
    classifiers: Iterable[Mapping[str, Any]],
    names: Sequence[str],
    scores: np.ndarray,
    codes: Mapping[str, np.ndarray],
) -> dict[str, dict[str, Any]]:
    """Judge each classifier on the rows whose label is known.

    `classifiers` as model/scores.json describes them; `names` of the columns of `scores` `(n, scores)`
    float64; `codes` `(n,)` int64 by label.
    """
    judged = {}
    for one in classifiers:
        known = codes[one["label"]] != MISSING
        own = scores[:, [names.index(name) for name in one["scores"]]][known]
        figures = _binary if len(one["classes"]) == 2 else _several
        judged[str(one["name"])] = {
            "kind": one["kind"],
            "label": one["label"],
            "rows": int(known.sum()),
            **figures(own, codes[one["label"]][known], one["classes"]),
        }
    return judged


def _binary(scores: np.ndarray, codes: np.ndarray, _: Sequence[str]) -> dict[str, Any]:
    """`(n, 1)` scores."""
    positive = codes == 1
    probabilities = np.column_stack([1.0 - scores[:, 0], scores[:, 0]])
    return {
        "positive_share": float(positive.mean()) if len(codes) else None,
        "auc": auc(scores[:, 0], positive),
        "log_loss": log_loss(probabilities, codes),
        "brier": brier(scores[:, 0], positive),
        "accuracy": accuracy(probabilities, codes),
    }


def _several(scores: np.ndarray, codes: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """`(n, classes)` scores; the AUC is the mean over classes of one against the rest."""
    each = {name: auc(scores[:, place], codes == place) for place, name in enumerate(classes)}
    known = [value for value in each.values() if value is not None]
    return {
        "auc": float(np.mean(known)) if known else None,
        "auc_by_class": each,
        "log_loss": log_loss(scores, codes),
        "accuracy": accuracy(scores, codes),
    }
