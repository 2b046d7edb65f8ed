"""How good a learned model is on validation rows, as one figure a row whose mean is the measure.

So that two models can be compared row by row: the difference of their measures has the standard error of
the rows' differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.deciding import together
from engine.evaluation.evaluate import values_of
from engine.training.targets import MISSING, class_names

if TYPE_CHECKING:
    from engine.decide import Runtime
    from engine.experiments.memory import Chosen
    from engine.project import Project
    from engine.training.rows import Labelled

Floats = NDArray[np.float64]

LOWER_IS_BETTER = frozenset({"log_loss"})


@dataclass(frozen=True)
class Judged:
    """`rows` `(n,)` float64 by measure; a measure that the rows or the project cannot give is left out."""

    rows: Mapping[str, Floats] = field(repr=False)

    def figures(self) -> dict[str, float]:
        """Each measure, over all rows."""
        return {name: float(values.mean()) for name, values in self.rows.items()}


def judge(
    project: Project, chosen: Mapping[str, Chosen], runtime: Runtime, validation: Labelled, label: str | None
) -> Judged:
    """Judge a model by every measure.

    label: whose classifiers count for log-loss and AUC; all of them, equally, where None.

    Log-loss is of calibrations fitted without the row, AUC of margins; both go by the label's weights. Value
    is of the decisions that the bundle makes of these rows, which its calibration has seen; a decision is not
    of one label, and counts once.
    """
    counted = [
        (chosen[name], spec.label, _counting(validation, spec.label))
        for name, spec in project.classifiers.items()
        if label in (None, spec.label)
    ]
    rows = {"log_loss": _mean([_spread(one.losses, codes != MISSING) for one, _, codes in counted])}
    areas = [
        _areas(one.margins, codes, len(class_names(project.labels[name])), validation.weights.get(name))
        for one, name, codes in counted
    ]
    if all(area is not None for area in areas):
        rows["auc"] = _mean([area for area in areas if area is not None])
    way, _ = together(runtime, validation.fields)
    worth = values_of(project, validation, way, runtime.outcomes)
    if worth is not None and worth[1].any():
        values, valid = worth
        rows["value_per_row"] = _spread(values[valid], valid)
    return Judged(rows)


def _counting(validation: Labelled, label: str) -> np.ndarray:
    """Class codes, missing where a row does not count for the label: `(n,)` int64."""
    return np.where(validation.counted(label), validation.codes[label], MISSING)


def _mean(each: list[Floats]) -> Floats:
    mean: Floats = np.mean(each, axis=0)
    return mean


def _spread(values: Floats, known: np.ndarray) -> Floats:
    """Figures of the known rows → of all rows, with the same mean: `(known,)`, `(n,)` bool → `(n,)`.

    A row without a figure stands at the mean, and the others count so much more.
    """
    mean = values.mean()
    spread = np.full(len(known), mean)
    spread[known] += (values - mean) * (len(known) / len(values))
    return spread


def _areas(margins: Floats, codes: np.ndarray, classes: int, weights: Floats | None = None) -> Floats | None:
    """Each row's share in the AUC, of several classes the mean of one against the rest: `(n,)` float64.

    `margins` are of the rows with a label alone; `weights` `(n,)` say how much a row counts.

    DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver
    operating characteristic curves", section 2: a positive row's is the share of negatives below it, a
    negative row's that of positives above it.
    """
    known = codes != MISSING
    labelled = codes[known]
    counts = np.ones(len(labelled)) if weights is None else weights[known]
    leaning = [(margins[:, 0], labelled == 1)] if classes == 2 else [
        (margins[:, code], labelled == code) for code in range(classes)
    ]  # fmt: skip
    parts = []
    for scores, positive in leaning:
        if positive.all() or not positive.any():
            return None
        parts.append(_area(scores, positive, counts))
    return _spread(_mean(parts), known)


def _area(scores: Floats, positive: np.ndarray, counts: Floats) -> Floats:
    """Shares of one class against the rest, whose mean is the AUC: `(n,)` float64, `(n,)` bool → `(n,)`."""
    share = np.empty(len(scores))
    share[positive] = _below(scores[~positive], counts[~positive], scores[positive])
    share[~positive] = 1.0 - _below(scores[positive], counts[positive], scores[~positive])
    area = np.average(share[positive], weights=counts[positive])
    own = np.where(positive, counts[positive].sum(), counts[~positive].sum())
    return np.asarray(area + (share - area) * counts * (len(scores) / own))


def _below(values: Floats, counts: Floats, scores: Floats) -> Floats:
    """Share of the values, by what they count, that are below each score, ties counting half."""
    order = np.argsort(values, kind="stable")
    ordered, up_to = values[order], np.append(0.0, np.cumsum(counts[order]))
    lower = up_to[np.searchsorted(ordered, scores, "left")]
    upper = up_to[np.searchsorted(ordered, scores, "right")]
    return np.asarray((lower + upper) / (2 * up_to[-1]))
