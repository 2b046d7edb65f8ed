"""What records settle: fields that are only compared with fields have values too, and all fit the schema."""

from __future__ import annotations

import pytest

from tests.rules.analysis.told import analysed, rules, told

BETWEEN_FIELDS = ("country != currency", "country == currency", "country == 'KP' && currency == country")


@pytest.mark.parametrize("when", BETWEEN_FIELDS)
def test_a_field_only_compared_with_a_field_has_values(when: str) -> None:
    """The conflict with it is found, and no question of the other rule is left open."""
    text = rules("e: country == 'KP' | decide: decline", f"f: {when} | decide: approve")
    assert told(text, "conflict") == ["'f' would decide approve where 'e' decides decline"]
    assert not analysed(text).undecided


def test_numbers_compared_with_each_other_have_values() -> None:
    """A test of two fields leaves the facts of the other rules as they are."""
    text = rules(
        "e: amount > 3 | decide: decline", "f: payments_last_day == account_age_days | decide: approve"
    )
    assert told(text, "conflict") == ["'f' would decide approve where 'e' decides decline"]
    assert not analysed(text).undecided


def test_a_bool_shown_is_a_bool() -> None:
    """Past `false` lies `true`, not 1."""
    text = rules(
        "q1: g == true && n > 2 | decide: review",
        "q2: f != g | decide: review",
        "q3: g | decide: approve",
        "q4: n > 7 && f != g | decide: decline",
    )
    assert told(text, "shadowed") == [
        "'q4' never decides: wherever it would, 'q2' would too, and is stronger"
    ]
