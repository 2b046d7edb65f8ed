"""What an experiment came to: its rungs as they were run, its standings, the winner and its bundle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.experiments.race import Rung
from engine.experiments.standing import Standing
from engine.experiments.sweep import Sweep
from engine.experiments.trial import Workshop
from engine.experiments.variants import Variant

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from engine.training.prepare import Prepared


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

    evaluations: spent, of `full` that all variants in full would have cost, each with all of its seeds.
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
