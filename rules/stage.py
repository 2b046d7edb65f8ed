"""The rules of one stage, laid out for deciding: which rules acted in, the verdict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """What the fired rules do to one score: the lowest cap, the highest floor, and whose they are."""

    score: str
    variable: str
    cap: float | None
    cap_by: Act | None
    floor: float | None
    floor_by: Act | None


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
        self._kept: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Verdict, tuple[Bound, ...]]] = {}

    def verdict(self, held: Sequence[int], unknown: Sequence[int], values: Mapping[str, Any]) -> Verdict:
        """Give the verdict on a record: `held` and `unknown` are indices of `conditions`, in order."""
        key = (tuple(held), tuple(unknown))
        found = self._kept.get(key)
        if found is None:
            # Records fire few combinations of rules; a new one is worked out once.
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            found = self._kept[key] = self._work_out(*key)
        verdict, bounds = found
        return _adjusted(verdict, bounds, values) if bounds else verdict

    def _work_out(self, held: tuple[int, ...], unknown: tuple[int, ...]) -> tuple[Verdict, tuple[Bound, ...]]:
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
        return verdict, _bounds([act for act in fired if act.index not in reviewed])


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
        cap = cap_by.caps[score] if cap_by else None
        floor = floor_by.floors[score] if floor_by else None
        bounds.append(Bound(score, f"scores.{score}", cap, cap_by, floor, floor_by))
    return tuple(bounds)


def _adjusted(verdict: Verdict, bounds: Sequence[Bound], values: Mapping[str, Any]) -> Verdict:
    """Apply the caps, then the floors, to the scores that are there: a floor wins over a cap."""
    adjusted = {}
    makers = []
    for bound in bounds:
        raw = score = values[bound.variable]
        if raw is None:
            continue
        maker = None
        if bound.cap is not None and bound.cap < score:
            score, maker = bound.cap, bound.cap_by
        if bound.floor is not None and bound.floor > score:
            score, maker = bound.floor, bound.floor_by
        if maker is not None and score != raw:
            adjusted[bound.score] = score
            makers.append(maker)
    if not adjusted:
        return verdict
    first = min(makers, key=lambda act: act.index)
    return Verdict(
        verdict.outcome, verdict.decided_by, adjusted, first.id,
        verdict.reasons, verdict.fired, verdict.shadow, verdict.unknown, verdict.tags,
    )  # fmt: skip
