"""The rules of one stage, laid out for deciding: which rules acted in, the verdict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Any

from rules.checked_rules import CheckedRule
from rules.expression import CheckedExpression
from rules.verdict import Verdict

MAX_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Act:
    """What one rule does when its condition holds, and when it is unknown."""

    index: int  # among all rules of the set
    id: str
    rank: int
    decide: str | None
    caps: Mapping[str, float]
    floors: Mapping[str, float]
    reason: str
    tags: tuple[str, ...]
    shadow: bool
    fires_on_unknown: bool
    reviews_on_unknown: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """What the fired rules do to one score: lowest cap and highest floor, infinite for none, and whose."""

    score: str
    variable: str
    cap: float
    cap_by: Act | None
    floor: float
    floor_by: Act | None


@dataclass(frozen=True, slots=True)
class Combination:
    """What follows when certain rules hold and certain rules are open.

    `adjusted` keeps verdicts by which bound took hold of which score: there are few, bounds are constants.
    """

    verdict: Verdict
    bounds: tuple[Bound, ...]
    adjusted: dict[int, Verdict]


class Stage:
    """One stage's rules in file order, `off` ones left out."""

    def __init__(self, rules: Sequence[CheckedRule], stage: str) -> None:
        chosen = [
            (index, checked)
            for index, checked in enumerate(rules)
            if checked.rule.stage == stage and checked.rule.mode != "off"
        ]
        self.acts = tuple(_act(index, checked) for index, checked in chosen)
        self.conditions: tuple[CheckedExpression, ...] = tuple(checked.condition for _, checked in chosen)
        self._kept: dict[tuple[tuple[int, ...], tuple[int, ...]], Combination] = {}

    def verdict(self, held: Sequence[int], unknown: Sequence[int], values: Mapping[str, Any]) -> Verdict:
        """Give the verdict on a record: `held` and `unknown` are indices of `conditions`, in order."""
        key = (tuple(held), tuple(unknown))
        found = self._kept.get(key)
        if found is None:
            # Records fire few combinations of rules; a new one is worked out once.
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            found = self._kept[key] = self._work_out(*key)
        return _adjusted(found, values) if found.bounds else found.verdict

    def _work_out(self, held: tuple[int, ...], unknown: tuple[int, ...]) -> Combination:
        acts = self.acts
        holding = set(held)
        open_fires = [index for index in unknown if acts[index].fires_on_unknown]
        active = [acts[index] for index in sorted([*held, *open_fires])]
        fired = [act for act in active if not act.shadow]
        open_ids = [acts[index].id for index in unknown if not acts[index].shadow]
        reviewed = {acts[i].index for i in unknown if acts[i].reviews_on_unknown and i not in holding}
        outcomes = {act.index: "review" if act.index in reviewed else act.decide for act in fired}
        decider = min((act for act in fired if outcomes[act.index] is not None), key=_rank, default=None)
        leading = [decider, *fired] if decider else fired
        verdict = Verdict(
            outcome=outcomes[decider.index] if decider else None,
            decided_by=decider.id if decider else None,
            reasons=tuple(dict.fromkeys(act.reason for act in leading if act.reason)),
            fired=tuple(act.id for act in fired),
            shadow=tuple(act.id for act in active if act.shadow),
            unknown=tuple(open_ids),
            tags=tuple(dict.fromkeys(tag for act in fired for tag in act.tags)),
        )
        return Combination(verdict, _bounds([act for act in fired if act.index not in reviewed]), {})


def _act(index: int, checked: CheckedRule) -> Act:
    rule = checked.rule
    return Act(
        index=index,
        id=rule.id,
        rank=checked.rank,
        decide=rule.decide,
        caps=rule.cap,
        floors=rule.floor,
        reason=rule.reason,
        tags=rule.tags,
        shadow=rule.mode == "shadow",
        fires_on_unknown=rule.on_unknown in ("fire", "review"),
        reviews_on_unknown=rule.on_unknown == "review",
    )


def _rank(act: Act) -> int:
    return act.rank


def _bounds(fired: Sequence[Act]) -> tuple[Bound, ...]:
    """Give what remains of the fired rules' caps and floors, score by score; ties go to the first rule."""
    scores = dict.fromkeys(score for act in fired for score in (*act.caps, *act.floors))
    bounds = []
    for score in scores:
        cap_by = min(
            (act for act in fired if score in act.caps), key=lambda act: act.caps[score], default=None
        )
        floor_by = max(
            (act for act in fired if score in act.floors), key=lambda act: act.floors[score], default=None
        )
        cap = cap_by.caps[score] if cap_by else inf
        floor = floor_by.floors[score] if floor_by else -inf
        bounds.append(Bound(score, f"scores.{score}", cap, cap_by, floor, floor_by))
    return tuple(bounds)


def _adjusted(found: Combination, values: Mapping[str, Any]) -> Verdict:
    """Apply the caps, then the floors, to the scores that are there: a floor wins over a cap."""
    taken = 0  # in base 3, for each bound: 0 = the score as it was, 1 = the cap, 2 = the floor
    for bound in found.bounds:
        raw = score = values[bound.variable]
        digit = 0
        if raw is not None:
            if bound.cap < score:
                score, digit = bound.cap, 1
            if bound.floor > score:
                score, digit = bound.floor, 2
            if score == raw:
                digit = 0
        taken = taken * 3 + digit
    if not taken:
        return found.verdict
    verdict = found.adjusted.get(taken)
    if verdict is None:
        verdict = found.adjusted[taken] = _with_bounds(found, taken)
    return verdict


def _with_bounds(found: Combination, taken: int) -> Verdict:
    adjusted = {}
    makers = []
    for bound in reversed(found.bounds):
        taken, digit = divmod(taken, 3)
        if digit:
            adjusted[bound.score] = bound.cap if digit == 1 else bound.floor
            makers.append(bound.cap_by if digit == 1 else bound.floor_by)
    first = min((maker for maker in makers if maker), key=lambda act: act.index)
    return replace(found.verdict, adjusted=MappingProxyType(adjusted), adjusted_by=first.id)
