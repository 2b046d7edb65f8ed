"""Simulated races of 20 variants: what share of all in full is spent, and how often the best is dropped.

A variant's loss on all rows is that of the best and an excess, drawn. On a part of the rows it is higher, by
15 % of the excess and by a random walk for every doubling that is missing, as large as it was measured on
public tables (docs/experiments.md). Rows have a difficulty that all variants share, and a part of each
variant's own, seven tenths of which stays from rung to rung.

Races 0 to 199 are the ones reported. The race's constants are measured on tables, and what else was chosen
was chosen on races from 10,000 on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.experiments.race import Rung, drop, rungs_for

VARIANTS = 20
TRAIN_ROWS, VALIDATION_ROWS = 27_000, 2_000
EPOCHS, RUNGS = 40, 4
RISK = 0.05
SPREAD = 0.09  # deviation of the rows' differences between two variants
STAYS = 0.7
WALK = 0.03
EARLY_GAP = 0.15


@dataclass(frozen=True)
class Raced:
    """Of all races: the share of full evaluations spent; of races in which the best was dropped, by more than
    one standard error of a full evaluation, and by anything at all; the risk that the races stated; and how
    often what looks best in the end is behind the best by that error, after a race and after all in full.
    """

    spent: float
    dropped: float
    dropped_at_all: float
    stated: float
    missed: float
    missed_in_full: float


def _exponential(mean: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda random: random.exponential(mean, VARIANTS)


def _normal(spread: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda random: random.normal(0, spread, VARIANTS)


def _one_ahead(random: np.random.Generator) -> np.ndarray:
    """Nineteen as good as equal, and one ahead of them by little more than the tolerance."""
    excess = 0.005 + np.abs(random.normal(0, 0.002, VARIANTS))
    excess[0] = 0.0
    return excess


POPULATIONS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "wide sweep (mean excess 0.04)": _exponential(0.04),
    "sweep of middling width (0.02)": _exponential(0.02),
    "close sweep, as on real tables (0.003)": _exponential(0.003),
    "normal sweep (deviation 0.003)": _normal(0.003),
    "one ahead of equals (by 0.005)": _one_ahead,
}


def races(population: Callable[[np.random.Generator], np.ndarray], count: int, first: int = 0) -> Raced:
    """Run so many races, each with a seed of its own, from `first` on."""
    ran = np.array([_race(population, np.random.default_rng(first + seed)) for seed in range(count)])
    return Raced(*ran.mean(axis=0).tolist())


def _race(
    population: Callable[[np.random.Generator], np.ndarray], random: np.random.Generator
) -> tuple[float, bool, bool, float, bool, bool]:
    excess = population(random)
    excess = excess - excess.min()
    *early, whole = rungs_for(TRAIN_ROWS, EPOCHS, RUNGS)
    *walks, at_last = _walks(early, random)
    shared = random.exponential(0.3, VALIDATION_ROWS)
    own = random.normal(0, SPREAD / np.sqrt(2), (VARIANTS, VALIDATION_ROWS))
    alive = np.arange(VARIANTS)

    def losses(means: np.ndarray, ran: np.ndarray) -> np.ndarray:
        passing = random.normal(0, SPREAD / np.sqrt(2), (len(ran), VALIDATION_ROWS))
        rows = np.sqrt(STAYS) * own[ran] + np.sqrt(1 - STAYS) * passing
        seen: np.ndarray = shared + means[ran, None] + rows
        return seen

    spent = stated = 0.0
    for place, rung in enumerate(early):
        spent += rung.cost * len(alive)
        seen = losses(excess * (1 + EARLY_GAP * rung.doublings) + walks[place], alive)
        found = drop(seen, rung, (RISK - stated) / (len(early) - place))
        stated += found.risk
        alive = alive[list(found.kept)]
    spent += whole.cost * len(alive)
    error = SPREAD * np.sqrt(1 / VALIDATION_ROWS + WALK**2)
    lost = float(excess[alive].min())
    in_full = losses(excess + at_last, np.arange(VARIANTS)).mean(axis=1)
    missed, missed_in_full = excess[alive[in_full[alive].argmin()]], excess[in_full.argmin()]
    return (
        spent / (whole.cost * VARIANTS), lost > error, lost > 0, stated, missed > error,
        missed_in_full > error,
    )  # fmt: skip


def _walks(rungs: list[Rung], random: np.random.Generator) -> list[np.ndarray]:
    """How far each variant stands from where it should be, by rung and on all rows: ever less far."""
    step = WALK * SPREAD / np.sqrt(2)
    found = [random.normal(0, step, VARIANTS)]
    doublings = 0.0
    for rung in reversed(rungs):
        missing, doublings = rung.doublings - doublings, rung.doublings
        found.append(found[-1] + random.normal(0, step * np.sqrt(missing), VARIANTS))
    return found[::-1]
