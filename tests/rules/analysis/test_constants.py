"""What reads nothing of a record is worked out before a condition is analysed."""

from __future__ import annotations

import pytest

from rules.analysis.constants import folded
from rules.cel import Checker
from rules.expression import BOOL, Literal, Variable
from rules.spelling import spell

CHECKER = Checker((Variable("amount", "double"), Variable("count", "int")), {})


def fold(text: str) -> str:
    """Fold a condition, and write what is left of it."""
    return spell(folded(CHECKER.check(text).node))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("-7 / 2 == -4", "false"),
        ("-7 / 2 == -3", "true"),
        ("'a' + 'b' == 'ab'", "true"),
        ("'%d'.format([3]) == '3'", "true"),
        ("duration('1h') + duration('30m') > duration('80m')", "true"),
        ("amount > 2.0 * 500.0", "amount > 1000"),
        ("count in [1 + 1, 7 % 4]", "count in [2, 3]"),
        ("amount > 1.0 && 1 < 2", "amount > 1 && true"),
        ("count > 1 / 0", "count > 1 / 0"),
        ("amount > 1.0", "amount > 1"),
    ],
)
def test_constant_parts_become_their_values(text: str, left: str) -> None:
    """By the reference evaluator; what has no value stays as it is."""
    assert fold(text) == left


def test_a_constant_condition_without_a_value_is_neither() -> None:
    """It is a literal of no value."""
    assert folded(CHECKER.check("1 / 0 > 2").node) == Literal(BOOL, None)
