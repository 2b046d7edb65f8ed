"""Which kind of classifier gets the place: the simplest whose log-loss is within one standard error of the
best.

Candidates are compared on validation rows. One that was refused is out of the running, with the reason kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.errors import TandemError
from engine.project.classifiers import RAW
from engine.training.candidate import NEGLIGIBLE, Candidate, best_candidate, finite
from engine.training.simplest import paired_difference, simplest


@dataclass(frozen=True)
class Choice:
    """The chosen candidate among all that ran."""

    chosen: Candidate
    candidates: tuple[Candidate, ...]

    def table(self) -> list[dict[str, Any]]:
        """One row a candidate, JSON-able: loss, distance to the best in standard errors, parity, why
        refused.
        """
        best = best_candidate([one for one in self.candidates if not one.refused])
        return [self._row(one, best) for one in self.candidates]

    def _row(self, one: Candidate, best: Candidate) -> dict[str, Any]:
        difference, error = paired_difference(one.losses, best.losses)
        return {
            "kind": one.kind,
            "settings": dict(one.fitted.settings),
            "log_loss": finite(float(one.losses.mean())),
            "behind_best": finite(difference),
            "standard_error": finite(error),
            "calibration": asdict(one.calibration),
            "parity": one.parity,
            "refused": one.refused or None,
            "chosen": one is self.chosen,
        }


class NoCandidate(TandemError):
    """Every candidate of a classifier was refused; the message lists the reasons."""


def choose(candidates: Sequence[Candidate]) -> Choice:
    """Take the simplest candidate within one standard error of the best; candidates come simplest first.

    Raises NoCandidate if all were refused.
    """
    running = [one for one in candidates if not one.refused]
    if not running:
        raise NoCandidate("; ".join(f"{one.kind}: {one.refused}" for one in candidates))
    place = simplest([one.losses for one in running], NEGLIGIBLE)
    return Choice(running[place], tuple(candidates))


def choose_best(candidates: Sequence[Candidate]) -> Choice:
    """Take the candidate of least loss, the baseline only where there is no other.

    For models on a part of the rows, which are compared and never served: there the baseline is within one
    standard error of most, and what it says is the same of all of them. Raises NoCandidate.
    """
    running = [one for one in candidates if not one.refused]
    if not running:
        raise NoCandidate("; ".join(f"{one.kind}: {one.refused}" for one in candidates))
    return Choice(best_candidate([one for one in running if one.kind != RAW] or running), tuple(candidates))


def refuse(candidates: Sequence[Candidate], refused: Candidate, reason: str) -> list[Candidate]:
    """The same candidates, one of them out of the running."""
    return [replace(one, refused=reason) if one is refused else one for one in candidates]
