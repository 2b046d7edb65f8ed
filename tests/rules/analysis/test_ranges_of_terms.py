"""Comparisons that the range of a term settles, wherever they stand in a condition."""

from __future__ import annotations

import pytest

from tests.rules.analysis.told import rules, told

SETTLED = {
    "event_time.getMonth() == 12": "never true: event_time.getMonth() is from 0 to 11",
    "event_time.getHours() > 23": "never true: event_time.getHours() is from 0 to 23",
    "size(memo) < 0": "never true: size(memo) is at least 0",
    "event_time.getDayOfWeek() <= 6": "always true: event_time.getDayOfWeek() is from 0 to 6",
}


@pytest.mark.parametrize("part", SETTLED)
def test_a_part_that_its_term_settles_is_told(part: str) -> None:
    """Also beside another part by which the rule can fire."""
    text = rules(f"a: amount > 5 || {part} | decide: review")
    assert told(text, "out-of-range") == [f"{part} is {SETTLED[part]}"]


def test_what_the_term_may_give_is_not_told() -> None:
    """December is 11."""
    assert told(rules("a: event_time.getMonth() == 11 | decide: review"), "out-of-range") == []


def test_an_alternative_whose_parts_exclude_each_other_is_told() -> None:
    """Of a rule that fires by another; one whose parts meet is not told."""
    dead = "country == 'DE' && country == 'FR'"
    text = rules(f"a: amount > 5 || ({dead}) | decide: review")
    assert told(text, "out-of-range") == [f"{dead} is never true"]
    text = rules("a: amount > 5 || (country == 'DE' && n > 3) | decide: review")
    assert told(text, "out-of-range") == []
