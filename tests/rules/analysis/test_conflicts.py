"""Rules of one file that decide differently on one record: found, proven apart, or said to be open."""

from __future__ import annotations

import pytest

from tests.rules.analysis.told import rules, told

PAIRS = (
    ("amount > 3", "size(country) > 5"),
    ("amount < 30", "country == 'KP'"),
    ("payments_last_day >= 12 && amount < 5", "country != currency && account_age_days > 90"),
    ("amount + 1.0 > 5.0", "country.startsWith('K') && payments_last_day > account_age_days"),
    ("event_time.getHours() < 5", "size(memo) > 100 && tier == 'gold'"),
)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_plain_conflict_is_found(one: str, other: str) -> None:
    """However few rules there are."""
    text = rules(f"e: {one} | decide: decline", f"f: {other} | decide: approve")
    assert told(text, "conflict") == ["'f' would decide approve where 'e' decides decline"]


def test_every_rule_with_a_conflict_is_told() -> None:
    """Also where many are."""
    words = [f"r{n}: country == 'c{n}' | decide: {('approve', 'decline')[n % 2]}" for n in range(30)]
    text = rules("first: amount > 3 | decide: review", *words)
    assert len(told(text, "conflict")) == 30


def test_rules_that_exclude_each_other_are_told_nothing_of() -> None:
    """Proof ends the question."""
    text = rules("e: amount > 3 | decide: decline", "f: amount < 2 | decide: approve")
    assert told(text, "conflict") == []


def test_what_nobody_settles_is_open() -> None:
    """Without a solver nothing proves that two tests between fields exclude each other."""
    below, above = (f"payments_last_day {sign} account_age_days" for sign in "<>")
    text = rules(f"e: {below} | decide: decline", f"f: {above} | decide: approve")
    assert told(text, "conflict", solve=False) == [
        "undecided: whether 'f' would decide a record that 'e' decides"
    ]
