"""One decision explained: made again, with what moved its scores and what each rule saw and changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.contributions import Contributions
from engine.decide import decide_values
from engine.decision import POLICY, Decision
from engine.explanation import Explanation, RuleSeen
from engine.runtime import Runtime, identity
from engine.values import EPOCH, MICROSECOND
from rules.checked_rules import CheckedRule
from rules.expression import Name
from rules.scalar import compile_conditions

__all__ = ["Explanation", "RuleSeen", "explain_record"]

NOT_RUN = "a rule decided before the model was asked"
NO_REFERENCES = (
    "this bundle keeps no reference rows; 'tandem fit' keeps them (data: references in project.yaml)"
)
_SCORES = "scores."


def explain_record(runtime: Runtime, record: Mapping[str, Any], *, now: datetime) -> Explanation:
    """Decide a record and explain it. Raises RecordError as deciding does."""
    values = runtime.schema.read(record)
    name = None if runtime.id_column is None else identity(record.get(runtime.id_column))
    decision = decide_values(runtime, seen := dict(values), name, now)
    policy, checked = runtime.policy, runtime.rules.checked
    row = None if decision.proposed is None else policy.first(seen)
    contributions, unexplained = _contributions(runtime, decision, values)

    def rules(ids: tuple[str, ...], *, enforced: bool) -> tuple[RuleSeen, ...]:
        found = []
        for rule_id in ids:
            rule = runtime.rules.rule(rule_id)
            without = _without(runtime, rule_id, values, decision) if enforced else decision.outcome
            because = "" if enforced else _because(rule, seen, checked.list_entries)
            found.append(replace(_rule_seen(rule, seen, without), because=because))
        return tuple(found)

    return Explanation(
        decision=decision,
        record={field.name: _shown(values[field.name], field.type) for field in runtime.schema.fields},
        proposed_by=None if row is None else policy.conditions[row].text,
        fired=rules(decision.fired, enforced=True),
        shadow=rules(decision.shadow, enforced=False),
        suppressed=rules(decision.suppressed, enforced=False),
        unknown=rules(decision.unknown, enforced=True),
        contributions=contributions,
        unexplained=unexplained,
        decided_on=tuple(dict.fromkeys(_decided_on(runtime, decision, row))),
        reason_codes=runtime.reasons,
        mildest=decision.outcome == runtime.outcomes[0],
    )


def _contributions(
    runtime: Runtime, decision: Decision, values: Mapping[str, Any]
) -> tuple[Mapping[str, Contributions], str]:
    """What moved each score; where nothing can be said, why."""
    if decision.proposed is None:
        return {}, NOT_RUN
    explainer = runtime.model.explainer()
    return ({}, NO_REFERENCES) if explainer is None else (explainer.explain(values), "")


def _decided_on(runtime: Runtime, decision: Decision, row: int | None) -> Iterator[str]:
    """The scores that decided: those of the rule's condition, and of the policy where it was asked.

    A line of the policy that asks for nothing was reached because no line before it held: they decided.
    """
    if row is None:
        return
    asked_policy = decision.decided_by == POLICY
    if not asked_policy:
        names = runtime.rules.rule(decision.decided_by).condition.names
        yield from _scores(names)
        # A rule against what the model proposed was not led by what the model held against the record.
        mildest = decision.proposed == runtime.outcomes[0]
        asked_policy = not mildest and any(name.name == "proposed" for name in names)
    if asked_policy:
        conditions = runtime.policy.conditions
        if own := list(_scores(conditions[row].names)):
            yield from own
        else:
            for condition in conditions[:row]:
                yield from _scores(condition.names)


def _scores(names: Iterable[Name]) -> Iterator[str]:
    return (name.name.removeprefix(_SCORES) for name in names if name.name.startswith(_SCORES))


def _without(runtime: Runtime, rule_id: str, values: Mapping[str, Any], decision: Decision) -> str:
    """Decide again with one rule taken out."""
    other = replace(runtime, rules=runtime.rules.without(rule_id))
    scores = None if decision.proposed is None else list(decision.scores.values())
    return decide_values(other, dict(values), None, decision.at, scores).outcome


def _rule_seen(checked: CheckedRule, seen: Mapping[str, Any], without: str) -> RuleSeen:
    rule = checked.rule
    types = {name.name: name.type for name in checked.condition.names}
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


def _shown(value: Any, kind: str) -> Any:
    """Give a value in normal form for people: a timestamp as ISO 8601 text."""
    if kind == "timestamp" and value is not None:
        return (EPOCH + value * MICROSECOND).isoformat().replace("+00:00", "Z")
    return value
