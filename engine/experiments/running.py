"""Rung after rung of an experiment: its variants are run, and after each the weak are dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embeddings.errors import EmbeddingError
from engine.errors import OutputError, TandemError
from engine.experiments.outcome import Heat, Outcome
from engine.experiments.race import WHOLE, Rung, drop, risk_of_keeping, rungs_for
from engine.experiments.spending import Spending
from engine.experiments.standing import (
    BUDGET,
    EVIDENCE,
    FINISHED,
    Standing,
    furthest_first,
    ranked,
    simplest,
)
from engine.experiments.sweep import Sweep
from engine.experiments.trial import Workshop
from engine.experiments.variants import Variant
from engine.training.split import thinned
from engine.training.targets import LEAST_ROWS, MISSING, class_names
from rules.errors import CheckFailed, Problem

if TYPE_CHECKING:
    from engine.project import Project
    from engine.training.prepare import Prepared

Watch = Callable[[str, float, Sequence[Standing]], None]
"""Called with what is being done, the share done of a rung, and how all variants stand."""


class Running:
    """One running of an experiment: what is spent so far, and how every variant stands."""

    def __init__(
        self,
        sweep: Sweep,
        variants: Sequence[Variant],
        prepared: Prepared,
        shop: Workshop,
        watch: Watch,
    ) -> None:
        self.sweep, self.prepared, self.shop, self.watch = sweep, prepared, shop, watch
        self.seeds: tuple[int | None, ...] = sweep.seeds or (None,)
        self.seeded = {(one.number, seed): one.seeded(seed) for one in variants for seed in self.seeds}
        self.standings = {one.number: Standing(one) for one in variants}
        self.rungs = _rungs(sweep, variants[0].project, prepared)
        self.spending = Spending(sweep, self.seeded, shop)
        self.embedded_rows = 0

    def run(self) -> Outcome:
        alive = [number for some in self.spending.sharing(list(self.standings)) for number in some]
        heats: list[Heat] = []
        left = self.sweep.race.risk if self.sweep.race else 0.0
        full = self.spending.cost(alive, WHOLE)
        while len(heats) < len(self.rungs):
            at = len(heats)
            if len(self.spending.sharing(alive)) == 1:
                # One embedding has nothing to race against; in full all of its variants cost what one does.
                self.rungs = (*self.rungs[:at], WHOLE)
            rung = self.rungs[at]
            alive, unpaid = self.spending.affordable(alive, self.rungs[at:])
            self._fate(unpaid, BUDGET)
            alive, late = self._run_all(alive, at)
            heat = Heat(rung, tuple(alive), budget=(*unpaid, *late))
            if not rung.whole:
                heat, alive = self._after(heat, left / (len(self.rungs) - 1 - at), self.rungs[at + 1 :])
                left -= heat.risk
            heats.append(heat)
        self._fate(alive, FINISHED)
        self._check_minutes(alive)
        measure = self.sweep.measure
        finalists = ranked([self.standings[number] for number in alive], measure)
        return Outcome(
            self.sweep,
            tuple(furthest_first(self.standings.values(), measure)),
            tuple(heats),
            simplest(finalists, measure),
            finalists[0],
            self.prepared,
            self.spending.evaluations,
            full,
            self.spending.seconds,
            self.embedded_rows,
            self.shop,
            self.standings[0].variant,
        )

    def _check_minutes(self, finalists: Sequence[int]) -> None:
        """Refuse a budget that was over before a second variant could run."""
        minutes = self.sweep.budget.minutes
        over = minutes is not None and self.spending.seconds > minutes * 60
        left = [one for one in self.standings.values() if one.fate == BUDGET]
        if over and len(finalists) == 1 and len(left) == len(self.standings) - 1:
            raise self.spending.too_small([left[0].variant.number], [WHOLE], "a second run")

    def _run_all(self, numbers: Sequence[int], at: int) -> tuple[list[int], list[int]]:
        """Run variants on a rung until the minutes are over: those that ran, and those that did not."""
        for place, number in enumerate(numbers):
            if place and self.sweep.budget.minutes is not None:
                here = self.spending.cost([number], self.rungs[at])
                needed = here + self.spending.of_rest(numbers[0], self.rungs[at + 1 :])
                if needed > (self.spending.left() or 0.0):
                    self._fate(numbers[place:], BUDGET)
                    return list(numbers[:place]), list(numbers[place:])
            self._run(number, at)
        return list(numbers), []

    def _run(self, number: int, at: int) -> None:
        """Run every seed of a variant on a rung."""
        rung, before = self.rungs[at], self.standings[number]
        trials = []
        for seed in self.seeds:
            variant = self.seeded[number, seed]
            what = before.variant.name if seed is None else f"{before.variant.name}, seed {seed}"
            said = f"rung {at + 1} of {len(self.rungs)}: {what}"

            def tell(_: str, share: float, said: str = said) -> None:
                self.watch(said, share, list(self.standings.values()))

            tell("", 0.0)
            try:
                trial = self.shop.run(variant, rung, tell)
            except (TandemError, EmbeddingError) as error:
                if not variant.changes or isinstance(error, OutputError):
                    raise
                raise CheckFailed([wrong_with(self.sweep, variant, error)]) from error
            if self.sweep.measure not in trial.rows:
                raise _no_measure(self.sweep)
            self.spending.pay(number, seed, rung, trial)
            self.embedded_rows += trial.embedded_rows
            trials.append(trial)
        self.standings[number] = Standing(before.variant, tuple(trials), at + 1)
        self.watch(f"rung {at + 1} of {len(self.rungs)}", 1.0, list(self.standings.values()))

    def _after(self, heat: Heat, allowance: float, rest: Sequence[Rung]) -> tuple[Heat, list[int]]:
        """Drop what the evidence is against, then what the rest of the budget has no room for.

        Embeddings race: each stands by the best of the variants that share it, and they share its fate.
        """
        measure = self.sweep.measure
        ran = ranked([self.standings[number] for number in heat.ran], measure)
        groups = self.spending.sharing([one.variant.number for one in ran])
        losses = np.stack([self.standings[group[0]].losses(measure) for group in groups])
        seeds, race = len(self.seeds), self.sweep.race
        found = drop(losses, heat.rung, allowance, tolerance=race.tolerance if race else None, seeds=seeds)
        kept, dropped = ([one for at in some for one in groups[at]] for some in (found.kept, found.dropped))
        going, unpaid = self.spending.affordable(kept, rest)
        paid = len(self.spending.sharing(going))
        forced = risk_of_keeping(losses, heat.rung, paid, found.tolerance, seeds) if unpaid else 0.0
        self._fate(dropped, EVIDENCE)
        self._fate(unpaid, BUDGET)
        return (
            Heat(
                heat.rung, heat.ran, tuple(dropped), (*heat.budget, *unpaid), found.risk, forced,
                found.tolerance,
            ),
            going,
        )  # fmt: skip

    def _fate(self, numbers: Sequence[int], fate: str) -> None:
        for number in numbers:
            before = self.standings[number]
            self.standings[number] = Standing(before.variant, before.trials, before.rung, fate)


def wrong_with(sweep: Sweep, variant: Variant, error: Exception, section: str = "") -> Problem:
    """Say what is wrong with a variant, by its name and at its place."""
    place, told = variant.place_of(section), str(error)
    message = told if f"'{variant.name}'" in told else f"variant '{variant.name}': {told}"
    return sweep.document.problem(place, message, key=True)


def _rungs(sweep: Sweep, project: Project, prepared: Prepared) -> tuple[Rung, ...]:
    """The rungs of a race: those on which every class of every label has enough rows to learn from."""
    if sweep.race is None:
        return (WHOLE,)
    strata = next(iter(prepared.rows.codes.values()))
    found = []
    for rung in rungs_for(len(prepared.parts.train), project.embedding.epochs, sweep.race.rungs):
        rows = thinned(prepared.parts, rung.rows, strata, project.split.seed).train
        counts = [
            np.bincount(codes[rows][codes[rows] != MISSING], minlength=len(class_names(project.labels[name])))
            for name, codes in prepared.rows.codes.items()
        ]
        if rung.whole or min(int(count.min()) for count in counts) >= LEAST_ROWS:
            found.append(rung)
    return tuple(found)


def _no_measure(sweep: Sweep) -> CheckFailed:
    """Say that what is to be compared cannot be had."""
    why: Mapping[str, str] = {
        "value_per_row": "project.yaml has no evaluation.value, or no validation row gives one",
        "auc": "a class has no validation row",
    }
    message = f"'{sweep.measure}' cannot be measured: {why.get(sweep.measure, 'no rows')}"
    return CheckFailed([sweep.document.problem(("measure",), message)])
