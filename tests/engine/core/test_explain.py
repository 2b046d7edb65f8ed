"""Explaining: what fired and on what, what stayed open and why, and what would have been without it."""

from __future__ import annotations

import json

from engine.decide import decide_record
from engine.explain import Explanation, explain_record
from tests.engine.core.tiny import NOW, RULES, runtime, table

RECORD = {"amount": 950, "is_new": True, "channel": "web", "at_time": "2026-03-01T12:00:00Z", "memo": "gift"}


def explained(**more: object) -> Explanation:
    return explain_record(runtime(), {**RECORD, **more}, now=NOW)


def test_the_decision_explained_is_the_decision_made() -> None:
    """Explaining decides as deciding does, for every row of a table."""
    for record in table(60).to_pylist():
        decision = decide_record(runtime(), record, now=NOW)
        explanation = explain_record(runtime(), record, now=NOW)
        assert explanation.decision == decision
        assert [rule.id for rule in explanation.fired] == list(decision.fired)
        assert [rule.id for rule in explanation.unknown] == list(decision.unknown)
        json.loads(explanation.to_json())


def test_a_fired_rule_tells_what_it_saw() -> None:
    """Each fired rule comes with its text, its effect and the values of its names."""
    rule = next(rule for rule in explained(age_days=400).fired if rule.id == "new-large")
    assert rule.when == "amount > 500 && is_new"
    assert rule.values == {"amount": 950.0, "is_new": True}
    assert rule.effect == "decide review, tag large, tag new"
    assert rule.reason == "LARGE"


def test_without_a_rule_is_the_decision_of_the_bundle_without_it() -> None:
    """`without` is what a bundle that lacks the rule decides."""
    lines = RULES.splitlines(keepends=True)
    for rule_id in ("new-large", "embargo", "watched", "young", "trusted"):
        other = runtime(b"".join(line for line in lines if f"id: {rule_id},".encode() not in line))
        for record in table(80).to_pylist():
            for rule in explain_record(runtime(), record, now=NOW).fired:
                if rule.id == rule_id:
                    assert rule.without == decide_record(other, record, now=NOW).outcome


def test_an_open_rule_names_what_is_missing() -> None:
    """A rule that stayed unknown names the fields without a value."""
    (rule,) = [
        rule for rule in explained(age_days=None, amount=0.1, is_new=False).unknown if rule.id == "open-age"
    ]
    assert rule.missing == ("age_days",)


def test_the_policy_row_that_proposed_is_told() -> None:
    """`proposed_by` is the condition of the first row that held; none where the model was not run."""
    explanation = explained()
    assert explanation.proposed_by in {
        "scores.fraud >= 0.7",
        "scores.fraud >= 0.5 || scores.grade.c > 0.6",
        "true",
    }
    assert explained(country="KP").proposed_by is None


def test_it_reads_as_text() -> None:
    """The text names outcome, decider, scores, rules and the digest; a moment is ISO 8601."""
    text = str(explained(country="NG", at_time="2026-03-01T01:00:00Z"))
    assert "decided by new-large" in text.splitlines()[0]
    assert "saw at_time = 2026-03-01T01:00:00Z" in text
    assert "is_new = true" in text
    assert "  score fraud = " in text
    assert runtime().digest in text


def test_a_rule_without_effect_tells_what_kept_it() -> None:
    """An exception is told with its reason, owner and end; a rollout with its share; a trial as one."""
    explanation = explained(country="GB")
    (spared,) = explanation.suppressed
    assert spared.because == "except channel: 'web': cleared (ops, until 2026-06-01T00:00:00Z)"
    assert "suppressed spared: amount > 20" in str(explanation)
    assert explanation.to_dict()["suppressed"][0]["without"] == explanation.decision.outcome
    because = {rule.id: rule.because for rule in explained(country=None, channel="shop").shadow}
    assert because["part"] == "not in its rollout of 50 % by country"
    assert because.get("trial", "on trial") == "on trial"


def test_the_text_holds_nothing_against_a_record_of_the_mildest_outcome() -> None:
    """Not the rule that let it through either; of every other outcome it says what counted most."""
    outcomes = set()
    for record in table(80).to_pylist():
        explanation = explain_record(runtime(), record, now=NOW)
        outcomes.add(explanation.decision.outcome)
        told = "most against it" in explanation.text()
        mild = explanation.decision.outcome == runtime().outcomes[0]
        assert told == (not mild and bool(explanation.adverse_reasons()))
    assert len(outcomes) > 1
