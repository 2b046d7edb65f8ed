"""An explanation: a decision, what moved its scores, the rules that mattered; as data and as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from engine.contributions import Contributions
from engine.decision import Decision
from engine.reasons import AdverseReason, ReasonCodes, against, moved_against
from rules.verdict import COUNTED

PRINCIPAL = 4  # reasons told of an adverse decision
FIELDS_SHOWN = 5
LARGE = 0.1  # an error to be told of: as a share of the contributions' root mean square


@dataclass(frozen=True, slots=True)
class RuleSeen:
    """One rule of an explanation.

    `values` are what its condition saw, `missing` the names among them without a value. `without` is what the
    outcome would have been without the rule; for one that had no effect (shadow, suppressed) it is the
    outcome as it is, and `because` says what kept it from having one.
    """

    id: str
    stage: str
    when: str
    effect: str
    reason: str
    owner: str
    values: Mapping[str, Any]
    missing: tuple[str, ...]
    without: str
    because: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give the rule as plain data."""
        return {name: getattr(self, name) for name in self.__slots__} | {"missing": list(self.missing)}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and why.

    `proposed_by` is the policy's row that proposed. `contributions` say of each score which fields moved it;
    where there are none, `unexplained` says why. `decided_on` are the scores that the deciding rule, or the
    policy, looked at. `fired`, `shadow`, `suppressed` and `unknown` are rules, as in the decision. `mildest`
    says whether no milder outcome could have been.
    """

    decision: Decision
    record: Mapping[str, Any]
    proposed_by: str | None
    fired: tuple[RuleSeen, ...]
    shadow: tuple[RuleSeen, ...]
    suppressed: tuple[RuleSeen, ...]
    unknown: tuple[RuleSeen, ...]
    contributions: Mapping[str, Contributions]
    unexplained: str
    decided_on: tuple[str, ...]
    reason_codes: Mapping[str, ReasonCodes]
    mildest: bool

    def adverse_reasons(self, n: int = PRINCIPAL, *, score: str | None = None) -> tuple[AdverseReason, ...]:
        """Give the principal reasons against the record, at most `n`, the strongest first.

        A rule that decided comes first. Then, if what decided looked at a score, the fields that moved it
        towards its adverse end: of several scores the one that is furthest there, or the one named. Whether
        the outcome is adverse is for the caller to say. Raises KeyError for a score that is not explained.
        """
        rules = [one for one in (*self.fired, *self.unknown) if one.id == self.decision.decided_by]
        found = [
            AdverseReason(
                one.reason or one.id, tuple(filter(self.record.__contains__, one.values)), rule=one.id
            )
            for one in rules[:1]
        ]
        if score is not None:
            chosen = [(self.contributions[score], self._codes(score))]
        else:
            decided_on = [one for one in self.decided_on if one in self.contributions]
            chosen = [(self.contributions[one], self._codes(one)) for one in decided_on]
        if chosen:
            found += against(*max(chosen, key=lambda one: moved_against(*one)))
        return tuple(found[:n])

    def _codes(self, score: str) -> ReasonCodes:
        return self.reason_codes.get(score, ReasonCodes())

    def to_dict(self) -> dict[str, Any]:
        """Give the explanation as plain data."""
        return {
            "decision": self.decision.to_dict(),
            "record": dict(self.record),
            "contributions": {name: asdict(one) for name, one in self.contributions.items()},
            "unexplained": self.unexplained,
            "decided_on": list(self.decided_on),
            "adverse_reasons": [one.to_dict() for one in self.adverse_reasons()],
            "proposed_by": self.proposed_by,
            **{name: [rule.to_dict() for rule in getattr(self, name)] for name in COUNTED},
        }

    def to_json(self) -> str:
        """Give the explanation as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        return self.text()

    def text(self, *, fields: int = FIELDS_SHOWN) -> str:
        """Give the explanation as text: of each score that was decided on, at most so many fields."""
        decision = self.decision
        lines = [f"{decision.outcome}, decided by {decision.decided_by}"]
        for name, score in decision.scores.items():
            lines += self._score(name, score, fields)
        if self.unexplained:
            lines.append(f"  which fields moved the scores: {self.unexplained}")
        lines += [f"  score {name} became {_number(score)}" for name, score in decision.adjusted.items()]
        if decision.proposed is not None:
            because = "no earlier line of the policy held" if self.proposed_by == "true" else self.proposed_by
            lines.append(f"  the model alone: {decision.proposed}, because {because}")
        for word in COUNTED:
            for rule in getattr(self, word):
                lines += _told(word, rule)
        if not self.mildest and (reasons := self.adverse_reasons()):
            lines.append(f"  most against it: {', '.join(map(_reason, reasons))}")
        return "\n".join([*lines, f"  bundle {decision.bundle}"])

    def _score(self, name: str, score: float | None, most: int) -> list[str]:
        moved = self.contributions.get(name)
        if moved is None or not (name in self.decided_on or len(self.contributions) == 1):
            return [f"  score {name} = {_number(score)}"]
        odds = f"log-odds {moved.log_odds:.2f}, of reference rows {moved.base:.2f} on average"
        lines = [f"  score {name} = {_number(score)}; {odds}"]
        shown = list(moved.fields.items())
        rest = shown[most:]
        lines += [
            f"    {added:+.2f} {field} = {as_written(self.record[field])}" for field, added in shown[:most]
        ]
        if rest:
            others = f"{len(rest)} other field{'s' if len(rest) > 1 else ''}"
            lines.append(f"    {sum(added for _, added in rest):+.2f} {others}")
        size = sqrt(sum(added**2 for _, added in shown) / max(1, len(shown)))
        if moved.error is not None and moved.error > LARGE * size:
            lines.append(f"    each is an estimate, off by some {moved.error:.2g}: the fields are entangled")
        return lines


def as_written(value: Any) -> str:
    """A value as a rule would write it, text without its quotes."""
    if value is None:
        return "missing"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _reason(reason: AdverseReason) -> str:
    if reason.rule is not None:
        return f"{reason.code} (rule {reason.rule})"
    return f"{reason.code} ({', '.join(reason.fields)} {reason.added:+.2f})"


def _told(word: str, rule: RuleSeen) -> list[str]:
    saw = ", ".join(f"{name} = {as_written(value)}" for name, value in rule.values.items())
    lines = [f"  {word} {rule.id}: {rule.when}", f"    saw {saw or 'no values'}; effect: {rule.effect}"]
    if word == "unknown":
        lines[1:] = [f"    missing: {', '.join(rule.missing) or 'a value that could be worked out'}"]
    return [*lines, f"    no effect: {rule.because}" if rule.because else f"    without it: {rule.without}"]
