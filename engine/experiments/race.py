"""Which variants go on to more rows: those that may yet be the best, at a stated risk of dropping it.

What a variant's loss will be on all rows is not known from a part of them. Three things stand between. On few
rows variants lie further apart than on many, by `WIDENING` for each time that the rows are still to double.
The validation rows are a sample, which is known from the rows' own losses. And another seed, or another part
of the training rows, would have given another network: each moves a difference between two variants by `WALK`
of its rows' deviation. The two constants were measured on public tables (docs/experiments.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

WALK = 0.03
WIDENING = 0.15
DRAWS = 8_000
GROWTH = 3
LEAST_ROWS = 1_000
LARGEST_PART = 1 / 2
EARLY_EPOCHS = 1 / 8
LEAST_EPOCHS = 5
USUAL_STOP = 3 / 8
SMALLEST_SHARE = 0.2


@dataclass(frozen=True)
class Rung:
    """A step of the race: shares of the training rows and of the epochs, 0 to 1; the last is all of both."""

    rows: float
    epochs: float

    @property
    def whole(self) -> bool:
        return self.rows == self.epochs == 1.0

    @property
    def cost(self) -> float:
        """In full evaluations: training on all rows commonly stops after three eighths of the epochs."""
        return self.rows * min(1.0, self.epochs / USUAL_STOP)

    @property
    def doublings(self) -> float:
        """How often its rows double until they are all."""
        return -math.log2(self.rows)

    @property
    def stretch(self) -> float:
        """How much further apart variants lie than they will on all rows."""
        return 1 + WIDENING * self.doublings


WHOLE = Rung(1.0, 1.0)


@dataclass(frozen=True)
class Dropped:
    """Which variants go on and which are dropped, each in order of loss, best first, by their places.

    `risk` is the chance that the best of all, by more than `tolerance`, is among those dropped.
    """

    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    risk: float
    tolerance: float


def rungs_for(rows: int, epochs: int, count: int) -> tuple[Rung, ...]:
    """Give up to `count` rungs for so many training rows, each of three times the rows of the one before.

    The first has at least 1,000 rows, for fewer tell nothing, and the last but one at most half of them. All
    but the last have an eighth of the epochs, and no fewer than five: more of them told no more.
    """
    first = max(GROWTH ** (1 - count), LEAST_ROWS / rows)
    shares = [first * GROWTH**step for step in range(count - 1)]
    early = min(1.0, max(EARLY_EPOCHS, LEAST_EPOCHS / epochs))
    return (*(Rung(one, early) for one in shares if one <= LARGEST_PART), WHOLE)


def drop(
    losses: np.ndarray, rung: Rung, allowance: float, *, tolerance: float | None = None, seeds: int = 1
) -> Dropped:
    """Drop as many as the allowance permits, the worst first.

    losses: of each variant on the same validation rows, `(variants, rows)` float64, lower is better.
    allowance: the most that `risk` may be.
    tolerance: a gain that does not matter; by default one standard error of a full evaluation.
    seeds: of each variant; the losses are their mean.

    Of variants that come to the same loss on every row the first goes on for all of them.

    What the losses will be is drawn 8,000 times, around what they are, as normal variables with the
    covariance of the rows' own losses; the risk is the share of draws in which it went wrong.
    """
    order = np.argsort(losses.mean(axis=1), kind="stable")
    first = _firsts(losses[order])
    distinct = losses[order[first]]
    gap = _tolerance(distinct, seeds) if tolerance is None else tolerance
    risks = _risks(distinct, rung, gap, seeds)
    allowed = np.flatnonzero(risks <= allowance)
    count = int(allowed[0]) + 1 if len(allowed) else len(distinct)
    risk = float(risks[count - 1]) if count < len(distinct) else 0.0
    kept = first[:count]
    return Dropped(tuple(order[kept].tolist()), tuple(np.delete(order, kept).tolist()), risk, gap)


def risk_of_keeping(losses: np.ndarray, rung: Rung, kept: int, tolerance: float, seeds: int = 1) -> float:
    """The risk of keeping only the `kept` best, whatever the evidence says."""
    ordered = losses[np.argsort(losses.mean(axis=1), kind="stable")]
    distinct = ordered[_firsts(ordered)]
    return float(_risks(distinct, rung, tolerance, seeds)[kept - 1]) if kept < len(distinct) else 0.0


def _firsts(losses: np.ndarray) -> np.ndarray:
    """Places of the variants that none before them is the same as, ascending: `(distinct,)` int64."""
    return np.sort(np.unique(losses, axis=0, return_index=True)[1])


def _tolerance(losses: np.ndarray, seeds: int) -> float:
    """One standard error of the difference of two full evaluations, of rows and of training, to the best."""
    if len(losses) < 2:
        return 0.0
    apart = (losses[1:] - losses[0]).std(axis=1)
    return float(np.median(apart)) * _error(WHOLE, losses.shape[1], seeds)


def _error(rung: Rung, rows: int, seeds: int) -> float:
    """Standard error of a difference on all rows, in deviations of the rows' differences.

    What a part of the rows has of its own is the same for all seeds on it.
    """
    part = 0.0 if rung.whole else WALK**2
    return math.sqrt(1 / (rows * rung.stretch**2) + part + WALK**2 / seeds)


def _risks(losses: np.ndarray, rung: Rung, gap: float, seeds: int) -> np.ndarray:
    """By how many are kept, from 1 on: the chance that one of the others is better by more than `gap`.

    Losses ascend.
    """
    count = len(losses)
    if count < 2:
        return np.zeros(count)
    means = losses.mean(axis=1) / rung.stretch
    spread = losses - losses.mean(axis=0)  # what all variants share of a row's loss tells none from another
    noise = np.cov(spread) * _error(rung, losses.shape[1], seeds) ** 2
    random = np.random.default_rng(0)
    drawn = _drawn(random, *_believed(means, noise))
    # One in as many as there are belongs to no such family, and is believed as it was seen.
    odd = random.random((DRAWS, count)) < 1 / count
    drawn = np.where(odd, _drawn(random, means, noise), drawn)
    best_kept = np.minimum.accumulate(drawn, axis=1)[:, :-1]
    best_dropped = np.minimum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1][:, 1:]
    wrong = (best_dropped < best_kept - gap).mean(axis=0)
    return np.append(wrong, 0.0)


def _drawn(random: np.random.Generator, centre: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Normal variables: `(draws, variants)` float64."""
    values, vectors = np.linalg.eigh(covariance)
    scale = vectors * np.sqrt(np.clip(values, 0.0, None))
    drawn: np.ndarray = centre + random.standard_normal((DRAWS, len(centre))) @ scale.T
    return drawn


def _believed(means: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the losses will be, given what they are and how far variants lie apart: mean and covariance.

    Empirical Bayes (Efron and Morris 1973): where the means spread no more than the noise alone would have
    them, the variants are as good as equal, and the best of them is so by chance. `means` ascend.

    The spread is that of the better half around the median, taken at the upper end of its 90 % interval;
    a mean further out on the worse side is believed as it stands.
    """
    middle = float(np.median(means))
    better = means[: max(1, len(means) // 2)]
    seen = float(((better - middle) ** 2).mean()) * _upper_factor(len(better))
    own = float(np.median(np.diag(noise)))
    spread = max(seen - own, SMALLEST_SHARE * own)
    apart = np.maximum(spread, np.where(means > middle, (means - middle) ** 2, 0.0))
    # θ ~ N(middle, apart), means ~ N(θ, noise)
    # Two that say the same of every row have no noise between them, and the sum no inverse.
    gain = np.diag(apart) @ np.linalg.pinv(noise + np.diag(apart), hermitian=True)
    centre = middle + gain @ (means - middle)
    covariance = np.diag(apart) - gain @ np.diag(apart)
    return centre, (covariance + covariance.T) / 2


def _upper_factor(count: int) -> float:
    """n over the 5 % point of χ² with n degrees of freedom: by how much a variance may be larger than seen.

    Wilson and Hilferty 1931; of one value nothing is known, and almost any variance may be.
    """
    if count < 2:
        return 1e6
    part = 2 / (9 * count)
    return float((1 - part - 1.645 * math.sqrt(part)) ** -3)
