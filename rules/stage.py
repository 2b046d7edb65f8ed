"""The rules of one stage, laid out for deciding: which conditions hold in, the verdict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Any

from rules import turns
from rules.acts import Act, act_of
from rules.checked_rules import CheckedRule, CheckedRules
from rules.checked_tables import CheckedTable
from rules.expression import BOOL, Call, CheckedExpression
from rules.hit_policy import REVIEW, VIOLATED
from rules.table_acts import TableActs
from rules.verdict import Verdict

MAX_KEPT = 4096


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


@dataclass(frozen=True, slots=True)
class TableMember:
    """A table of a stage: how many rules stand before it, and the position of its first row."""

    before: int
    position: int
    acts: TableActs


class Stage:
    """One stage's rules in file order, `off` ones left out.

    `conditions` are the rules' own, one for each of `acts`, and after them those that suppress rules. Beyond
    them, `tables` has what the rows of tables do, each with the position of its first row.
    """

    def __init__(self, checked_rules: CheckedRules, stage: str) -> None:
        chosen: list[tuple[int, CheckedRule]] = []
        tables: list[tuple[int, CheckedTable, int]] = []
        index = 0
        for member in checked_rules.members():
            if isinstance(member, CheckedTable):
                if member.table.stage == stage and member.table.mode != "off":
                    tables.append((len(chosen), member, index))
                index += len(member.table.rows)
                continue
            if member.rule.stage == stage and member.rule.mode != "off":
                chosen.append((index, member))
            index += 1
        acts: list[Act] = []
        exceptions: list[CheckedExpression] = []
        for index, checked in chosen:
            turns.step()
            at = len(chosen) + len(exceptions) if checked.suppressions else -1
            acts.append(act_of(index, checked, at))
            if checked.suppressions:
                exceptions.append(any_of([one.condition for one in checked.suppressions]))
        made = []
        for before, table, first in tables:
            at = len(chosen) + len(exceptions) if table.suppressions else -1
            made.append((before, TableActs(table, first, at)))
            if table.suppressions:
                exceptions.append(any_of([one.condition for one in table.suppressions]))
        self.acts = tuple(acts)
        self.conditions: tuple[CheckedExpression, ...] = (
            *(checked.condition for _, checked in chosen),
            *exceptions,
        )
        position = len(self.conditions)
        placed = []
        for before, acting in made:
            placed.append(TableMember(before, position, acting))
            position += acting.size
        self.tables: tuple[TableMember, ...] = tuple(placed)
        # A table tells as many combinations as it has rows.
        self._most = MAX_KEPT + 2 * (position - len(self.conditions))
        self._rollouts = {at: act.rollout for at, act in enumerate(acts) if act.rollout}
        self._table_rollouts = [
            (one.position, one.position + one.acts.size, one.acts.checked.table)
            for one in placed
            if one.acts.checked.table.rollout is not None
        ]
        self._rolls_out = bool(self._rollouts or self._table_rollouts)
        self._kept: dict[tuple[tuple[int, ...], ...], Combination] = {}

    @property
    def every_act(self) -> tuple[Act, ...]:
        """What the rules do, and for each kind of row of a table one that does it."""
        return (*self.acts, *(act for member in self.tables for act in member.acts.examples))

    def verdict(self, held: Sequence[int], unknown: Sequence[int], values: Mapping[str, Any]) -> Verdict:
        """Give the verdict on a record: `held` and `unknown` are positions of conditions and rows."""
        key = (tuple(held), tuple(unknown), self._outside(held, unknown, values) if self._rolls_out else ())
        found = self._kept.get(key)
        if found is None:
            # Records fire few combinations of rules; a new one is worked out once.
            if len(self._kept) >= self._most:
                self._kept.clear()
            found = self._kept[key] = self._work_out(*key)
        return _adjusted(found, values) if found.bounds else found.verdict

    def _outside(
        self, held: Sequence[int], unknown: Sequence[int], values: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """Give the rules, and rows of tables, that act and whose rollout the record is not in."""
        rollouts = self._rollouts
        acting = [*held, *(at for at in unknown if at < len(self.acts) and self.acts[at].fires_on_unknown)]
        outside = [at for at in acting if at in rollouts and not rollouts[at].holds(values)]
        for first, end, table in self._table_rollouts:
            fires = held if table.on_unknown == "skip" else (*held, *unknown)
            rows = [at for at in fires if first <= at < end]
            if rows and table.rollout is not None and not table.rollout.holds(values):
                outside += rows
        return tuple(outside)

    def _work_out(
        self, held: tuple[int, ...], unknown: tuple[int, ...], outside: tuple[int, ...]
    ) -> Combination:
        holding, left_open, rules = set(held), set(unknown), len(self.acts)
        fired: list[tuple[Act, bool]] = []  # and whether it asks for review
        shadow, suppressed, unknown_ids = [], [], []
        acting = [(self.acts[at], at) for at in holding | left_open if at < rules]
        for member in self.tables:
            end = member.position + member.acts.size
            rows = [at for at in holding | left_open if member.position <= at < end]
            acting += [(member.acts.act(at - member.position), at) for at in rows]
        for act, at in sorted(acting, key=_index):
            is_open = at in left_open
            if is_open and not act.shadow:
                unknown_ids.append(act.id)
            if is_open and not act.fires_on_unknown:
                continue
            if act.exception in holding:
                suppressed.append(act.id)
            elif act.shadow or at in outside:
                shadow.append(act.id)
            else:
                fired.append((act, is_open and act.reviews_on_unknown))
                if act.stop:
                    break
        decider = min(fired, key=_rank, default=None)
        if decider is not None and _outcome(*decider) is None:
            decider = None
        leading = [decider, *fired] if decider else fired
        reasons = [act.reason for act, _ in leading if act.reason]
        verdict = Verdict(
            outcome=_outcome(*decider) if decider else None,
            decided_by=decider[0].id if decider else None,
            reasons=tuple(dict.fromkeys([*reasons, *([VIOLATED] if _violated(fired) else [])])),
            fired=tuple(act.id for act, _ in fired),
            shadow=tuple(shadow),
            suppressed=tuple(suppressed),
            unknown=tuple(unknown_ids),
            tags=tuple(dict.fromkeys(tag for act, _ in fired for tag in act.tags)),
        )
        return Combination(verdict, _bounds([act for act, reviews in fired if not reviews]), {})


def any_of(conditions: Sequence[CheckedExpression]) -> CheckedExpression:
    """Join conditions by `||`, as a tree of little depth."""
    if len(conditions) == 1:
        return conditions[0]
    from rules.checked import express

    half = len(conditions) // 2
    one, other = any_of(conditions[:half]), any_of(conditions[half:])
    return express(f"{one.text} || {other.text}", Call("logical_or", (one.node, other.node), BOOL))


def _outcome(act: Act, reviews: bool) -> str | None:
    return REVIEW if reviews else act.decide


def _index(acting: tuple[Act, int]) -> int:
    return acting[0].index


def _rank(fired: tuple[Act, bool]) -> float:
    """Give what orders deciding; a rule that does not decide comes last."""
    act, reviews = fired
    if _outcome(act, reviews) is None:
        return inf
    return act.open_rank if reviews else act.rank


def _violated(fired: Sequence[tuple[Act, bool]]) -> bool:
    """Say whether more than one rule of a file decides where at most one may."""
    files = [act.file for act, reviews in fired if act.unique and _outcome(act, reviews) is not None]
    return len(files) > len(set(files))


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
    reasons = found.verdict.reasons
    if found.verdict.outcome is None and first.reason:
        reasons = tuple(dict.fromkeys([first.reason, *reasons]))
    return replace(found.verdict, adjusted=MappingProxyType(adjusted), adjusted_by=first.id, reasons=reasons)
