"""Questions that need a solver: tests between fields, and sums of whole numbers."""

from __future__ import annotations

import pytest

from rules.analysis import analyse
from rules.check import check_rules
from rules.expression import Variable

VARIABLES = (
    Variable("low", "double"),
    Variable("high", "double"),
    Variable("count", "int", minimum=0),
    Variable("other", "int"),
    Variable("country", "string"),
    Variable("home", "string"),
)


def said(when: str, *, solve: bool = True) -> str:
    """What is said of a rule's firing: the code of a finding, `undecided`, or nothing."""
    text = f'rules: [{{id: a, when: "{when}", tag: b, tests: []}}]'.encode()
    checked = check_rules(
        {"rules/a.yaml": text}, variables=VARIABLES, scores=(), outcomes=("x",), read_list={}.__getitem__
    )
    found = analyse(checked, solve=solve)
    codes = [one.code for one in found.findings if one.code in ("never-fires", "always-fires")]
    return codes[0] if codes else "undecided" if found.undecided else ""


NEVER = (
    "low < high && high < low",
    "country == home && country == 'FR' && home == 'GB'",
    "country == home && country == null && home != null",
    "count + other < 0 && other >= 0",
    "count - other == 1 && count == other",
    "country == home && country in ['FR', 'GB'] && home in ['DE']",
)


@pytest.mark.parametrize("when", NEVER)
def test_the_solver_proves_what_cells_leave_open(when: str) -> None:
    """Without it, the question is undecided."""
    assert said(when) == "never-fires"
    assert said(when, solve=False) == "undecided"


def test_overflow_is_not_wrapped() -> None:
    """A sum beyond 64 bits is no value: it is not below the numbers summed, and not above either."""
    assert said("count + 9223372036854775807 < count") == "never-fires"


@pytest.mark.parametrize("when", ["low < high && high < low + 1.0", "count * other == 391 && count > 1"])
def test_what_can_be_is_shown(when: str) -> None:
    """A record that the solver gives is tried like any other."""
    assert said(when) == ""
