"""A sweep and labelled rows become an outcome: variants raced over rungs, finalists compared, one winner.

Only the validation rows choose. Test rows are looked at once, for the winner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embeddings.errors import EmbeddingError
from engine.errors import InputError, OutputError, TandemError
from engine.experiments.cache import CACHE, Cache
from engine.experiments.courses import Note
from engine.experiments.idle import idle
from engine.experiments.judge import LOWER_IS_BETTER
from engine.experiments.race import WHOLE, Rung, drop, risk_of_keeping, rungs_for
from engine.experiments.sweep import Sweep, unknown_label
from engine.experiments.trial import Trial, Workshop, same_rows
from engine.experiments.variants import Variant, variants_of
from engine.project.reading import KINDS
from engine.training.split import thinned
from engine.training.targets import LEAST_ROWS, MISSING, class_names
from rules.errors import CheckFailed, Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.bundle import Bundle
    from engine.project import Project
    from engine.training.build import Prepared

FOLDER = Path("experiments")
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


@dataclass(frozen=True)
class Heat:
    """One rung as it was run: which variants, and which of them were dropped after it.

    risk: of having dropped the best, on evidence; forced: the same, where the budget dropped more.
    """

    rung: Rung
    ran: tuple[int, ...]
    evidence: tuple[int, ...] = ()
    budget: tuple[int, ...] = ()
    risk: float = 0.0
    forced: float = 0.0
    tolerance: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Everything an experiment came to. `standings` are the best first; `winner` is one of them.

    evaluations: spent, of `full` that all variants in full would have cost.
    """

    sweep: Sweep
    standings: tuple[Standing, ...]
    heats: tuple[Heat, ...]
    winner: Standing
    best: Standing
    prepared: Prepared = field(repr=False)
    evaluations: float
    full: float
    spent_s: float
    embedded_rows: int
    shop: Workshop = field(repr=False)
    base: Variant = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def risk(self) -> float:
        """The chance that the best, by more than the tolerance, was dropped on evidence."""
        return sum(heat.risk for heat in self.heats)


def winner_bundle(outcome: Outcome) -> tuple[Variant, Bundle]:
    """The winner with the first of its seeds, and its bundle, from what is remembered."""
    variant = outcome.winner.variant.seeded(next(iter(outcome.sweep.seeds), None))
    bundle = outcome.shop.bundle(variant)
    if bundle.digest != outcome.winner.delivered.digest:
        raise AssertionError(f"{variant.name} gave {outcome.winner.delivered.digest}, now {bundle.digest}")
    return variant, bundle


Watch = Callable[[str, float, Sequence[Standing]], None]
"""Called with what is being done, the share done of a rung, and how all variants stand."""


def run_experiment(
    sweep: Sweep,
    project: Project,
    train: pa.Table,
    test: pa.Table | None,
    watch: Watch | None = None,
    note: Note = lambda _: None,
) -> Outcome:
    """Run what has not been run yet, and say what all of it comes to.

    `project` is the one that variants are made of; `note` hears what is worth knowing before it runs.
    Deterministic: the same sweep, rows and seeds give the same outcome, whether it ran at once, was killed
    and run again, or finds all of it in the cache.

    Raises CheckFailed for a sweep or rules with mistakes, InputError for rows that cannot be learned from and
    for a budget too small for one run.
    """
    if sweep.label is not None and sweep.label not in project.labels:
        raise unknown_label(sweep, project.labels)
    cache = Cache(sweep.project / CACHE)
    shop = Workshop(
        train, test, cache=cache, folder=sweep.project / FOLDER / sweep.name / "trials", label=sweep.label
    )
    variants = variants_of(sweep)
    prepared = shop.prepared(project)
    _check_variants(sweep, shop, prepared, variants)
    notes = [str(replace(one, source="")) for one in idle(sweep, variants, shop.model)]
    for told in notes:
        note(told)
    outcome = _Course(sweep, variants, prepared, shop, watch or _nobody).run()
    return replace(outcome, notes=tuple(notes))


def _check_variants(sweep: Sweep, shop: Workshop, prepared: Prepared, variants: Sequence[Variant]) -> None:
    """Check the rules and the rows of every variant; raises CheckFailed with all that is wrong with them.

    It is told at its place in the sweep: a variant's files are nowhere to look into.
    """
    problems: list[Problem] = []
    for variant in variants:
        try:
            shop.checked(variant)
        except CheckFailed as failed:
            if not variant.changes:
                raise
            place = variant.place_of("rules")
            problems += [
                sweep.document.problem(place, f"{variant.name}: {one.message}", one.hint)
                for one in failed.problems
            ]
        try:
            same_rows(prepared, shop.prepared(variant.project), variant.name)
        except InputError as error:
            if not variant.changes:
                raise
            problems.append(_wrong(sweep, variant, error, "fields"))
    if problems:
        raise CheckFailed(problems)


def _wrong(sweep: Sweep, variant: Variant, error: Exception, section: str = "") -> Problem:
    """Say what is wrong with a variant, by its name and at its place."""
    place, told = variant.place_of(section), str(error)
    message = told if f"'{variant.name}'" in told else f"variant '{variant.name}': {told}"
    return sweep.document.problem(place, message, key=True)


def _nobody(_: str, __: float, ___: Sequence[Standing]) -> None:
    """Tell nobody."""


class _Course:
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
        self.embeddings: dict[str, float] = {}  # what was paid for, in full evaluations
        self.keys: dict[tuple[int, int | None, Rung], str] = {}
        self.spent_s = 0.0
        self.embedded_rows = 0

    def run(self) -> Outcome:
        alive = [number for some in self._sharing(list(self.standings)) for number in some]
        heats: list[Heat] = []
        left = self.sweep.race.risk if self.sweep.race else 0.0
        full = self._cost(alive, WHOLE)
        while len(heats) < len(self.rungs):
            at = len(heats)
            if len(self._sharing(alive)) == 1:
                # One embedding has nothing to race against; in full all of its variants cost what one does.
                self.rungs = (*self.rungs[:at], WHOLE)
            rung = self.rungs[at]
            alive, unpaid = self._paid(alive, self.rungs[at:])
            self._fate(unpaid, BUDGET)
            alive, late = self._run_all(alive, at)
            heat = Heat(rung, tuple(alive), budget=(*unpaid, *late))
            if not rung.whole:
                heat, alive = self._after(heat, left / (len(self.rungs) - 1 - at), self.rungs[at + 1 :])
                left -= heat.risk
            heats.append(heat)
        self._fate(alive, FINISHED)
        self._check_minutes(alive)
        finalists = self._ranked(alive)
        winner = self._simplest(finalists)
        return Outcome(
            self.sweep,
            tuple(self._ranked_all()),
            tuple(heats),
            winner,
            finalists[0],
            self.prepared,
            sum(self.embeddings.values()),
            full,
            self.spent_s,
            self.embedded_rows,
            self.shop,
            self.standings[0].variant,
        )

    def _check_minutes(self, finalists: Sequence[int]) -> None:
        """Refuse a budget that was over before a second variant could run."""
        minutes = self.sweep.budget.minutes
        over = minutes is not None and self.spent_s > minutes * 60
        left = [one for one in self.standings.values() if one.fate == BUDGET]
        if over and len(finalists) == 1 and len(left) == len(self.standings) - 1:
            raise self._too_small([left[0].variant.number], [WHOLE], "a second run")

    def _run_all(self, numbers: Sequence[int], at: int) -> tuple[list[int], list[int]]:
        """Run variants on a rung until the minutes are over: those that ran, and those that did not."""
        for place, number in enumerate(numbers):
            if place and self.sweep.budget.minutes is not None:
                needed = self._cost([number], self.rungs[at]) + self._rest(numbers[0], self.rungs[at + 1 :])
                if needed > (self._left() or 0.0):
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
                raise CheckFailed([_wrong(self.sweep, variant, error)]) from error
            if self.sweep.measure not in trial.rows:
                raise _no_measure(self.sweep)
            self.embeddings.setdefault(self._key(number, seed, rung), rung.cost)
            self.spent_s += trial.spent_s
            self.embedded_rows += trial.embedded_rows
            trials.append(trial)
        self.standings[number] = Standing(before.variant, tuple(trials), at + 1)
        self.watch(f"rung {at + 1} of {len(self.rungs)}", 1.0, list(self.standings.values()))

    def _after(self, heat: Heat, allowance: float, rest: Sequence[Rung]) -> tuple[Heat, list[int]]:
        """Drop what the evidence is against, then what the rest of the budget has no room for.

        Embeddings race: each stands by the best of the variants that share it, and they share its fate.
        """
        groups = self._sharing([one.variant.number for one in self._ranked(heat.ran)])
        losses = np.stack([self._losses(group[0]) for group in groups])
        seeds, race = len(self.seeds), self.sweep.race
        found = drop(losses, heat.rung, allowance, tolerance=race.tolerance if race else None, seeds=seeds)
        kept, dropped = ([one for at in some for one in groups[at]] for some in (found.kept, found.dropped))
        going, unpaid = self._paid(kept, rest)
        paid = len(self._sharing(going))
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

    def _sharing(self, numbers: Sequence[int]) -> list[list[int]]:
        """The variants of each embedding together, in the order of the first of them."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for number in numbers:
            keys = tuple(self._key(number, seed, WHOLE) for seed in self.seeds)
            groups.setdefault(keys, []).append(number)
        return list(groups.values())

    def _paid(self, numbers: Sequence[int], rungs: Sequence[Rung]) -> tuple[list[int], list[int]]:
        """As many, from the first on, as the rest of the budget takes, if one of them goes to the end."""
        left = self._left()
        if left is None:
            return list(numbers), []
        for count in range(len(numbers), 0, -1):
            some = numbers[:count]
            if (
                self._cost(some, rungs[0]) + sum(self._cost(some[:1], one) for one in rungs[1:])
                <= left + 1e-9
            ):
                return list(some), list(numbers[count:])
        raise self._too_small(numbers, rungs)

    def _rest(self, number: int, rungs: Sequence[Rung]) -> float:
        """Of taking one variant through these rungs."""
        return sum(self._cost([number], rung) for rung in rungs)

    def _left(self) -> float | None:
        """What is left of the budget, in full evaluations; minutes count at the pace so far."""
        budget, spent = self.sweep.budget, sum(self.embeddings.values())
        bounds = []
        if budget.evaluations is not None:
            bounds.append(budget.evaluations * len(self.seeds) - spent)
        if budget.minutes is not None and spent > 0:
            bounds.append((budget.minutes * 60 - self.spent_s) / (self.spent_s / spent))
        return min(bounds) if bounds else None

    def _cost(self, numbers: Sequence[int], rung: Rung) -> float:
        """Of running these on a rung: an embedding that several share, or that is there, costs once."""
        keys = {self._key(number, seed, rung) for number in numbers for seed in self.seeds}
        return rung.cost * len(keys - self.embeddings.keys())

    def _key(self, number: int, seed: int | None, rung: Rung) -> str:
        """The embedding's key of a variant and seed on a rung, worked out once."""
        place = number, seed, rung
        if place not in self.keys:
            self.keys[place] = self.shop.embedding(self.seeded[number, seed], rung)
        return self.keys[place]

    def _too_small(self, numbers: Sequence[int], rungs: Sequence[Rung], runs: str = "one run") -> InputError:
        budget, file = self.sweep.budget, self.sweep.document.file
        paid = sum(self.embeddings.values())
        needed = sum(self._cost(numbers[:1], rung) for rung in rungs)
        if budget.minutes is not None and self.spent_s:
            more_s = needed * self.spent_s / max(paid, 1e-9)
            return InputError(
                f"{file}: a budget of {budget.minutes:g} minutes is too small for {runs}: "
                f"{self.spent_s:.1f} s are spent, one variant on all rows takes about {more_s:.0f} s more; "
                f"give {(self.spent_s + more_s) / 60:.2g} minutes or more (what is finished is kept)"
            )
        least = math.ceil((needed + paid) / len(self.seeds) * 100) / 100
        return InputError(
            f"{file}: a budget of {budget.evaluations:g} evaluations is too small for one run over "
            f"{len(rungs)} rungs: give {least:g} or more, or say race: false"
        )

    def _fate(self, numbers: Sequence[int], fate: str) -> None:
        for number in numbers:
            before = self.standings[number]
            self.standings[number] = Standing(before.variant, before.trials, before.rung, fate)

    def _losses(self, number: int) -> np.ndarray:
        """The measure of each row, turned so that lower is better."""
        rows = self.standings[number].rows(self.sweep.measure)
        return rows if self.sweep.measure in LOWER_IS_BETTER else -rows

    def _ranked(self, numbers: Sequence[int]) -> list[Standing]:
        """The best first; equals in the order of the sweep."""
        ordered = sorted(numbers, key=lambda number: (float(self._losses(number).mean()), number))
        return [self.standings[number] for number in ordered]

    def _ranked_all(self) -> list[Standing]:
        """Those that came furthest first, and among them the best."""
        ran = [number for number, one in self.standings.items() if one.trials]
        ranked = {one.variant.number: place for place, one in enumerate(self._ranked(ran))}
        return sorted(
            self.standings.values(),
            key=lambda one: (-one.rung, ranked.get(one.variant.number, 0), one.variant.number),
        )

    def _simplest(self, finalists: Sequence[Standing]) -> Standing:
        """The simplest within one standard error of the best, of the difference row by row."""
        best = self._losses(finalists[0].variant.number)
        within = [finalists[0]]
        for one in finalists[1:]:
            apart = self._losses(one.variant.number) - best
            if apart.mean() <= max(float(apart.std(ddof=1)) / math.sqrt(len(apart)), NEGLIGIBLE):
                within.append(one)
        chosen = min(within, key=lambda one: one.simplicity)
        # Another setting that comes to the same decisions is no reason to change anything.
        same = [one for one in finalists if one.delivered.decides == chosen.delivered.decides]
        return min(same, key=lambda one: one.variant.number)


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
