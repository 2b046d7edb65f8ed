"""The explanation of one decision: the scores, each rule that mattered, what it saw, and what if not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.decide import decide_values
from engine.decision import Decision
from engine.runtime import Runtime, identity
from engine.values import EPOCH, MICROSECOND
from rules.checked_rules import CheckedRule
from rules.ruleset import RuleSet
from rules.scalar import compile_conditions
from rules.verdict import COUNTED


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


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and why: the policy's row that proposed, the rules that fired, would have, stayed open."""

    decision: Decision
    record: Mapping[str, Any]
    proposed_by: str | None
    fired: tuple[RuleSeen, ...]
    shadow: tuple[RuleSeen, ...]
    suppressed: tuple[RuleSeen, ...]
    unknown: tuple[RuleSeen, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the explanation as plain data."""
        return {
            "decision": self.decision.to_dict(),
            "record": dict(self.record),
            "proposed_by": self.proposed_by,
            **{name: [_plain(rule) for rule in getattr(self, name)] for name in COUNTED},
        }

    def to_json(self) -> str:
        """Give the explanation as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        decision = self.decision
        lines = [f"{decision.outcome}, decided by {decision.decided_by}"]
        lines += [f"  score {name} = {_number(score)}" for name, score in decision.scores.items()]
        lines += [f"  score {name} became {_number(score)}" for name, score in decision.adjusted.items()]
        if decision.proposed is not None:
            because = "no earlier line of the policy held" if self.proposed_by == "true" else self.proposed_by
            lines.append(f"  the model alone: {decision.proposed}, because {because}")
        for word in COUNTED:
            for rule in getattr(self, word):
                lines += _told(word, rule)
        return "\n".join([*lines, f"  bundle {decision.bundle}"])


def explain_record(runtime: Runtime, record: Mapping[str, Any], *, now: datetime) -> Explanation:
    """Decide a record and explain it. Raises RecordError as deciding does."""
    values = runtime.schema.read(record)
    name = None if runtime.id_column is None else identity(record.get(runtime.id_column))
    decision = decide_values(runtime, seen := dict(values), name, now)
    policy, checked = runtime.policy, runtime.rules.checked

    def rules(ids: tuple[str, ...], *, enforced: bool) -> tuple[RuleSeen, ...]:
        found = []
        for rule_id in ids:
            rule = runtime.rules.rule(rule_id)
            without = _without(runtime, rule_id, values, now) if enforced else decision.outcome
            because = "" if enforced else _because(rule, seen, checked.list_entries)
            found.append(replace(_rule_seen(rule, seen, without), because=because))
        return tuple(found)

    return Explanation(
        decision=decision,
        record={field.name: _shown(values[field.name], field.type) for field in runtime.schema.fields},
        proposed_by=None if decision.proposed is None else policy.conditions[policy.first(seen)].text,
        fired=rules(decision.fired, enforced=True),
        shadow=rules(decision.shadow, enforced=False),
        suppressed=rules(decision.suppressed, enforced=False),
        unknown=rules(decision.unknown, enforced=True),
    )


def _without(runtime: Runtime, rule_id: str, values: Mapping[str, Any], now: datetime) -> str:
    """Decide again with one rule taken out."""
    other = replace(runtime, rules=RuleSet.compile(runtime.rules.checked.without(rule_id)))
    return decide_values(other, dict(values), None, now).outcome


def _rule_seen(checked: CheckedRule, seen: Mapping[str, Any], without: str) -> RuleSeen:
    rule = checked.rule
    types = {name.name: name.type for name in _names(checked)}
    values = {name: _shown(seen.get(name), kind) for name, kind in sorted(types.items())}
    return RuleSeen(
        id=rule.id,
        stage=rule.stage,
        when=rule.when,
        effect=rule.effect,
        reason=rule.reason,
        owner=rule.owner,
        values=values,
        missing=tuple(name for name, value in values.items() if value is None),
        without=without,
    )


def _because(checked: CheckedRule, seen: Mapping[str, Any], lists: Mapping[str, Any]) -> str:
    """Say what kept a rule that held from having an effect: an exception, being on trial, its rollout."""
    held, _ = compile_conditions([one.condition for one in checked.suppressions], lists)(seen)
    if held:
        one = checked.suppressions[held[0]].suppression
        until = _shown(one.expires, "timestamp")
        return f"except {one.text}: {one.reason} ({one.owner}, until {until})"
    rollout = checked.rule.rollout
    if checked.rule.mode == "shadow" or rollout is None:
        return "on trial"
    return f"not in its rollout of {rollout.places / 100:g} % by {rollout.key}"


def _names(checked: CheckedRule) -> list[Any]:
    from rules.expression import Name, walk

    return [node for node in walk(checked.condition.node) if isinstance(node, Name)]


def _shown(value: Any, kind: str) -> Any:
    """Give a value in normal form for people: a timestamp as ISO 8601 text."""
    if kind == "timestamp" and value is not None:
        return (EPOCH + value * MICROSECOND).isoformat().replace("+00:00", "Z")
    return value


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _as_written(value: Any) -> str:
    """A value as a rule would write it, text without its quotes."""
    if value is None:
        return "missing"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(rule: RuleSeen) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in RuleSeen.__slots__} | {"missing": list(rule.missing)}


def _told(word: str, rule: RuleSeen) -> list[str]:
    saw = ", ".join(f"{name} = {_as_written(value)}" for name, value in rule.values.items())
    lines = [f"  {word} {rule.id}: {rule.when}", f"    saw {saw or 'no values'}; effect: {rule.effect}"]
    if word == "unknown":
        lines[1:] = [f"    missing: {', '.join(rule.missing) or 'a value that could be worked out'}"]
    return [*lines, f"    no effect: {rule.because}" if rule.because else f"    without it: {rule.without}"]
