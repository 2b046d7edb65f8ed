"""Rules that others stop, with exceptions, or rolled out to a share: nothing passes in silence."""

from __future__ import annotations

import pytest

from tests.rules.analysis.told import analysed, rules, told

STOP = "s: memo == 'q' | tag: seen | stop: true"
EXCEPT = "except: [{when: country == 'DE', owner: o, reason: r, expires: 2027-01-01}]"
ROLLOUT = "rollout: {percent: 10, key: country}"


def test_a_stop_before_both_hides_neither_shadow_nor_conflict() -> None:
    """What stops the one stops the other."""
    text = rules(STOP, "a: amount > 10 | decide: decline", "b: amount > 20 | decide: approve")
    assert told(text, "shadowed") == ["'b' never decides: wherever it would, 'a' would too, and is stronger"]
    assert told(text, "conflict") == ["'b' would decide approve where 'a' decides decline"]


def test_a_rule_that_is_always_stopped_never_decides() -> None:
    """The rule that stops it is named."""
    stop = "s: payments_last_day > 10 | tag: seen | stop: true"
    text = rules(stop, "a: payments_last_day > 20 | decide: decline")
    assert told(text, "shadowed") == ["'a' never decides: wherever it would, 's' fires and stops it"]


def test_a_stop_and_a_stronger_rule_leave_nothing_between_them() -> None:
    """Both are needed for the proof."""
    stop = "s: n > 5 | tag: seen | stop: true"
    text = rules(stop, "a: n > 2 && n < 6 | decide: decline", "b: n > 3 | decide: approve")
    assert told(text, "shadowed") == [
        "'b' never decides: wherever it would, one of 'a' and 's' would too or stops it"
    ]


def test_what_may_decide_where_no_rule_stops_is_not_told() -> None:
    """Nor is a rule that the stronger one leaves some records to, since it is stopped there."""
    text = rules(
        "a: amount > 20 | decide: approve | priority: 1",
        "s: memo == 'q' | tag: seen | stop: true",
        "b: amount > 10 | decide: decline | priority: 9",
        policy="priority",
    )
    assert told(text, "shadowed") == []


@pytest.mark.parametrize("effect", [EXCEPT, ROLLOUT])
def test_a_rule_that_does_not_reach_all_leaves_the_question_open(effect: str) -> None:
    """Whether it acts on a record is not its condition alone."""
    text = rules(f"a: amount > 10 | decide: decline | {effect}", "b: n > 2 | decide: approve")
    assert told(text, "conflict") == ["undecided: whether 'b' would decide a record that 'a' decides"]


def test_rules_apart_are_settled_also_with_exceptions() -> None:
    """No exception makes conditions meet."""
    text = rules(f"a: n > 5 | decide: decline | {EXCEPT}", "b: n < 3 | decide: approve")
    assert told(text, "conflict") == []


def test_priority_is_no_advice_where_it_plays_no_part() -> None:
    """Under `collect` the most severe outcome decides."""
    text = rules("a: amount > 5 | decide: decline", "b: amount > 7 | decide: review", policy="collect")
    (hint,) = [one.hint for one in analysed(text).findings if one.code == "shadowed"]
    assert hint == "let it decide something more severe, or delete it"
