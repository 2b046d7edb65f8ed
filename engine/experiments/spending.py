"""What an experiment has spent and may still spend: full evaluations, of which an embedding counts once.

One is a variant with all of its seeds on all rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from engine.errors import InputError
from engine.experiments.race import WHOLE, Rung
from engine.experiments.sweep import Sweep
from engine.experiments.trial import Trial, Workshop
from engine.experiments.variants import Variant

Seeded = Mapping[tuple[int, int | None], Variant]
"""Every variant with every seed, by its number and the seed."""


class Spending:
    """What was paid for so far, and what the sweep's budget leaves."""

    def __init__(self, sweep: Sweep, seeded: Seeded, shop: Workshop) -> None:
        self._sweep, self._seeded, self._shop = sweep, seeded, shop
        self._seeds = tuple(dict.fromkeys(seed for _, seed in seeded))
        self._paid: dict[str, float] = {}  # by embedding, in full evaluations with one seed
        self._keys: dict[tuple[int, int | None, Rung], str] = {}
        self.seconds = 0.0

    @property
    def evaluations(self) -> float:
        return sum(self._paid.values()) / len(self._seeds)

    def pay(self, number: int, seed: int | None, rung: Rung, trial: Trial) -> None:
        """A variant ran with a seed on a rung."""
        self._paid.setdefault(self._key(number, seed, rung), rung.cost)
        self.seconds += trial.spent_s

    def sharing(self, numbers: Sequence[int]) -> list[list[int]]:
        """The variants of each embedding together, in the order of the first of them."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for number in numbers:
            keys = tuple(self._key(number, seed, WHOLE) for seed in self._seeds)
            groups.setdefault(keys, []).append(number)
        return list(groups.values())

    def affordable(self, numbers: Sequence[int], rungs: Sequence[Rung]) -> tuple[list[int], list[int]]:
        """As many, from the first on, as the rest of the budget takes, if one of them goes to the end."""
        left = self.left()
        if left is None:
            return list(numbers), []
        for count in range(len(numbers), 0, -1):
            some = numbers[:count]
            if self.cost(some, rungs[0]) + sum(self.cost(some[:1], one) for one in rungs[1:]) <= left + 1e-9:
                return list(some), list(numbers[count:])
        raise self.too_small(numbers, rungs)

    def of_rest(self, number: int, rungs: Sequence[Rung]) -> float:
        """Of taking one variant through these rungs."""
        return sum(self.cost([number], rung) for rung in rungs)

    def left(self) -> float | None:
        """What is left of the budget, in full evaluations; minutes count at the pace so far."""
        budget, spent = self._sweep.budget, self.evaluations
        bounds = []
        if budget.evaluations is not None:
            bounds.append(budget.evaluations - spent)
        if budget.minutes is not None and spent > 0:
            bounds.append((budget.minutes * 60 - self.seconds) / (self.seconds / spent))
        return min(bounds) if bounds else None

    def cost(self, numbers: Sequence[int], rung: Rung) -> float:
        """Of running these on a rung: an embedding that several share, or that is there, costs once."""
        keys = {self._key(number, seed, rung) for number in numbers for seed in self._seeds}
        return rung.cost * len(keys - self._paid.keys()) / len(self._seeds)

    def _key(self, number: int, seed: int | None, rung: Rung) -> str:
        """The embedding's key of a variant and seed on a rung, worked out once."""
        place = number, seed, rung
        if place not in self._keys:
            self._keys[place] = self._shop.embedding(self._seeded[number, seed], rung)
        return self._keys[place]

    def too_small(self, numbers: Sequence[int], rungs: Sequence[Rung], runs: str = "one run") -> InputError:
        budget, file = self._sweep.budget, self._sweep.document.file
        paid = self.evaluations
        needed = sum(self.cost(numbers[:1], rung) for rung in rungs)
        if budget.minutes is not None and self.seconds:
            more_s = needed * self.seconds / max(paid, 1e-9)
            return InputError(
                f"{file}: a budget of {budget.minutes:g} minutes is too small for {runs}: "
                f"{self.seconds:.1f} s are spent, one variant on all rows takes about {more_s:.0f} s more; "
                f"give {(self.seconds + more_s) / 60:.2g} minutes or more (what is finished is kept)"
            )
        least = math.ceil((needed + paid - 1e-9) * 100) / 100
        return InputError(
            f"{file}: a budget of {budget.evaluations:g} evaluations is too small for one run over "
            f"{len(rungs)} rungs: give {least:g} or more, or say race: false"
        )
