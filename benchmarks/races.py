"""Simulated races of 20 variants: what share of all in full is spent, and how often the best is dropped.

A variant's loss on all rows is that of the best and an excess, drawn. On a part of the rows it is higher, by
15 % of the excess and by a random walk for every doubling that is missing, as large as it was measured on
public tables (docs/experiments.md). Rows have a difficulty that all variants share, and a part of each
variant's own, seven tenths of which stays from rung to rung.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.experiments.race import WALK, Rung, drop, rungs_for

VARIANTS = 20
TRAIN_ROWS, VALIDATION_ROWS = 27_000, 2_000
RISK = 0.05
SPREAD = 0.09  # deviation of the rows' differences between two variants
STAYS = 0.7
EARLY_GAP = 0.15


@dataclass(frozen=True)
class Raced:
    """Of all races: the share of full evaluations spent; of races in which the best was dropped, by more than
    one standard error of a full evaluation, and by anything at all; and the risk that the races stated.
    """

    spent: float
    dropped: float
    dropped_at_all: float
    stated: float


def _exponential(mean: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda random: random.exponential(mean, VARIANTS)


def _one_ahead(random: np.random.Generator) -> np.ndarray:
    """Nineteen as good as equal, and one ahead of them by little more than the tolerance."""
    excess = 0.005 + np.abs(random.normal(0, 0.002, VARIANTS))
    excess[0] = 0.0
    return excess


POPULATIONS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "wide sweep (mean excess 0.04)": _exponential(0.04),
    "sweep of middling width (0.02)": _exponential(0.02),
    "close sweep, as on real tables (0.003)": _exponential(0.003),
    "one ahead of equals (by 0.005)": _one_ahead,
}


def races(population: Callable[[np.random.Generator], np.ndarray], count: int) -> Raced:
    """Run so many races, each with a seed of its own."""
    ran = np.array([_race(population, np.random.default_rng(seed)) for seed in range(count)])
    return Raced(*ran.mean(axis=0).tolist())


def _race(
    population: Callable[[np.random.Generator], np.ndarray], random: np.random.Generator
) -> tuple[float, bool, bool, float]:
    excess = population(random)
    excess = excess - excess.min()
    *early, whole = rungs_for(TRAIN_ROWS, 4)
    walks = _walks(early, random)
    shared = random.exponential(0.3, VALIDATION_ROWS)
    own = random.normal(0, SPREAD / np.sqrt(2), (VARIANTS, VALIDATION_ROWS))
    alive = np.arange(VARIANTS)
    spent = stated = 0.0
    for place, rung in enumerate(early):
        spent += rung.cost * len(alive)
        passing = random.normal(0, SPREAD / np.sqrt(2), (len(alive), VALIDATION_ROWS))
        means = excess * (1 + EARLY_GAP * rung.doublings) + walks[place]
        rows = np.sqrt(STAYS) * own[alive] + np.sqrt(1 - STAYS) * passing
        found = drop(shared + means[alive, None] + rows, rung, (RISK - stated) / (len(early) - place))
        stated += found.risk
        alive = alive[list(found.kept)]
    spent += whole.cost * len(alive)
    error = SPREAD * np.sqrt(1 / VALIDATION_ROWS + WALK**2)
    lost = float(excess[alive].min())
    return spent / (whole.cost * VARIANTS), lost > error, lost > 0, stated


def _walks(rungs: list[Rung], random: np.random.Generator) -> list[np.ndarray]:
    """How far each variant stands from where it will be, by rung: the nearer to all rows, the less far."""
    step = WALK * SPREAD / np.sqrt(2)
    found: list[np.ndarray] = []
    at, doublings = random.normal(0, step, VARIANTS), 0.0
    for rung in reversed(rungs):
        at = at + random.normal(0, step * np.sqrt(rung.doublings - doublings), VARIANTS)
        doublings = rung.doublings
        found.append(at)
    return found[::-1]
