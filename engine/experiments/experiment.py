"""A sweep and labelled rows become an outcome: variants raced over rungs, finalists compared, one winner.

Only the validation rows choose. Test rows are looked at once, for the winner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.experiments.cache import CACHE, Cache
from engine.experiments.courses import Note
from engine.experiments.idle import idle
from engine.experiments.outcome import Outcome
from engine.experiments.running import Running, Watch, wrong_with
from engine.experiments.standing import Standing
from engine.experiments.sweep import Sweep, unknown_label
from engine.experiments.trial import Workshop, same_rows
from engine.experiments.variants import Variant, variants_of
from rules.errors import CheckFailed, Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.project import Project
    from engine.training.prepare import Prepared

FOLDER = Path("experiments")


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
    outcome = Running(sweep, variants, prepared, shop, watch or _nobody).run()
    return replace(outcome, notes=tuple(notes))


def _check_variants(sweep: Sweep, shop: Workshop, prepared: Prepared, variants: Sequence[Variant]) -> None:
    """Check the rules and the rows of every variant; raises CheckFailed with all that is wrong with them.

    It is told at its place in the sweep: a variant's files are nowhere to look into.
    """
    alike: dict[tuple[Any, ...], list[Problem]] = {}
    for variant in variants:
        try:
            shop.checked(variant)
        except CheckFailed as failed:
            if not variant.changes:
                raise
            place = variant.place_of("rules")
            for one in failed.problems:
                told = sweep.document.problem(place, f"{variant.name}: {one.message}", one.hint)
                alike.setdefault((place, one.message, one.hint), []).append(told)
        try:
            same_rows(prepared, shop.prepared(variant.project), variant.name)
        except InputError as error:
            if not variant.changes:
                raise
            told = wrong_with(sweep, variant, error, "fields")
            same = told.message.replace(f"'{variant.name}'", "", 1)
            alike.setdefault((told.line, told.column, same), []).append(told)
    if alike:
        raise CheckFailed(_once(same) for same in alike.values())


def _once(alike: Sequence[Problem]) -> Problem:
    """A problem that several variants have, told of the first of them, with how many more there are."""
    first, *more = alike
    if not more:
        return first
    others = f"{len(more):,} other variant{'s' if len(more) > 1 else ''}"
    return replace(first, message=f"{first.message} (and so in {others})")


def _nobody(_: str, __: float, ___: Sequence[Standing]) -> None:
    """Tell nobody."""
