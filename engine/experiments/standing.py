"""How far a variant came and how good it is there; the order of variants; which finalist wins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.experiments.judge import LOWER_IS_BETTER
from engine.experiments.trial import Trial
from engine.experiments.variants import Variant
from engine.project.classifiers import KINDS

NEGLIGIBLE = 1e-4
INTERVAL = 1.96  # standard errors to either side: 95 %

EVIDENCE, BUDGET, FINISHED = "dropped on evidence", "dropped for the budget", "ran in full"


@dataclass(frozen=True)
class Standing:
    """How far one variant came: its trials on the last rung it ran, one a seed.

    fate: why it went no further. rung: its number from 1, 0 where it never ran.
    """

    variant: Variant
    trials: tuple[Trial, ...] = field(repr=False, default=())
    rung: int = 0
    fate: str = ""

    def rows(self, measure: str) -> np.ndarray:
        """The measure of each validation row, the mean over seeds: `(n,)` float64."""
        mean: np.ndarray = np.mean([trial.rows[measure] for trial in self.trials], axis=0)
        return mean

    def losses(self, measure: str) -> np.ndarray:
        """The measure of each row, turned so that lower is better."""
        return self.rows(measure) if measure in LOWER_IS_BETTER else -self.rows(measure)

    def quality(self, measure: str) -> float:
        return float(self.rows(measure).mean())

    def error(self, measure: str) -> float:
        """Standard error of the measure: of the rows, and of the seeds where there are several."""
        rows = self.rows(measure)
        squared = float(rows.var(ddof=1)) / len(rows)
        if len(self.trials) > 1:
            means = [trial.rows[measure].mean() for trial in self.trials]
            squared += float(np.var(means, ddof=1)) / len(means)
        return math.sqrt(squared)

    @property
    def simplicity(self) -> tuple[int, int, int]:
        """What settles a tie: the kinds' places in the order of simplicity, the models' size, the number.

        Of all seeds, for all of them are in the measure.
        """
        # A classifier of the project's own stands behind all of ours.
        places = [
            KINDS.index(kind) if kind in KINDS else len(KINDS)
            for trial in self.trials
            for kind in trial.kinds.values()
        ]
        return sum(places), sum(trial.model_bytes for trial in self.trials), self.variant.number

    @property
    def delivered(self) -> Trial:
        """The trial of the bundle that it is fitted to: that of its first seed."""
        return self.trials[0]


def ranked(standings: Iterable[Standing], measure: str) -> list[Standing]:
    """The best first; equals in the order of the sweep."""
    return sorted(standings, key=lambda one: (float(one.losses(measure).mean()), one.variant.number))


def furthest_first(standings: Iterable[Standing], measure: str) -> list[Standing]:
    """Those that came furthest first, and among them the best."""
    every = list(standings)
    ran = ranked([one for one in every if one.trials], measure)
    places = {one.variant.number: place for place, one in enumerate(ran)}

    def rank(one: Standing) -> tuple[int, int, int]:
        number = one.variant.number
        return -one.rung, places.get(number, 0), number

    return sorted(every, key=rank)


def simplest(finalists: Sequence[Standing], measure: str) -> Standing:
    """The simplest within one standard error of the first, of the difference row by row.

    Where one before it in the sweep decides the same, that one: a setting that changes nothing stays.
    """
    best = finalists[0].losses(measure)
    within = [finalists[0]]
    for one in finalists[1:]:
        apart = one.losses(measure) - best
        if apart.mean() <= max(float(apart.std(ddof=1)) / math.sqrt(len(apart)), NEGLIGIBLE):
            within.append(one)
    return first_alike(min(within, key=lambda one: one.simplicity), finalists)


def first_alike(one: Standing, finalists: Iterable[Standing]) -> Standing:
    """The first of the sweep's variants whose bundle decides as that of `one` does, or `one` itself."""
    same = [other for other in finalists if other.delivered.decides == one.delivered.decides]
    return min(same, key=lambda other: other.variant.number)
