"""What makes figures doubtful: an evaluation's own figures and the rows' classes → one sentence each.

Few rows of a class, scores no better than chance or than the base rate, a policy that does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.evaluation.metrics import base_rate_loss, chance_auc

FEW = 20  # rows of a class: an AUC then has a standard error of about 0.06
ERRORS = 2.0  # standard errors that an AUC must be above chance


def doubts_of_classifier(
    name: str, figures: Mapping[str, Any], counts: np.ndarray, classes: Sequence[str]
) -> list[str]:
    """`counts` `(classes,)` are the labelled rows of each class; `figures` as an evaluation has them."""
    rows = int(counts.sum())
    if not rows:
        return []
    place = f"classifier '{name}'"
    least = int(counts.argmin())
    if np.count_nonzero(counts) == 1:
        only = classes[int(counts.argmax())]
        return [f"{place}: all {rows:,} labelled rows are of class '{only}', so that there is no AUC"]
    found = []
    if counts[least] < FEW:
        are = "is" if counts[least] == 1 else "are"
        few = f"only {counts[least]} of {rows:,} rows {are} of class '{classes[least]}'"
        found.append(f"{place}: {few}: its figures say little")
    return [*found, *_no_better(place, figures, counts)]


def doubts_of_policy(
    way: Mapping[str, Any], acted: Sequence[str], positives: int, conditional: bool
) -> list[str]:
    """`way` are the figures of the model alone; `conditional` is whether its policy asks anything at all."""
    outcomes = {name: count for name, count in way["outcomes"].items() if count}
    rows = sum(outcomes.values())
    if rows < FEW or not conditional:
        return []
    if not way["acted"] and positives:
        none = (
            f"the policy acts ({' or '.join(acted)}) on none of {rows:,} rows, {positives:,} of them positive"
        )
        return [f"{none}: no score reaches where it would"]
    if len(outcomes) == 1:
        return [f"the policy decides '{next(iter(outcomes))}' for all {rows:,} rows: no score changes it"]
    return []


def _no_better(place: str, figures: Mapping[str, Any], counts: np.ndarray) -> list[str]:
    loss, area = figures.get("log_loss"), figures.get("auc")
    base = None if figures.get("weighted") else base_rate_loss(counts)
    beyond = ERRORS * chance_auc(counts)
    lucky = area is not None and len(counts) == 2 and area - beyond <= 0.5
    worse = loss is not None and base is not None and loss >= base
    if lucky and worse:
        told = f"AUC {area:.4f}, log-loss {loss:.4f}, of the base rate alone {base:.4f}"
        return [f"{place}: no better than the base rate on these rows: {told}"]
    if lucky:
        return [f"{place}: AUC {area:.4f} on these rows may be chance, which gives 0.5 ± {beyond:.2f}"]
    if worse:
        told = f"log-loss {loss:.4f}, of the base rate alone {base:.4f}"
        return [f"{place}: its probabilities are no better than the base rate on these rows: {told}"]
    return []
