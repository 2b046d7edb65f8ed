"""What the bounds of the analysis leave out is said to be undecided, with the reason."""

from __future__ import annotations

from rules.analysis import analyse
from rules.analysis.overview import Analysis
from rules.analysis.solver import MOST_NODES, Solver
from rules.analysis.space import MOST_WIDE, WIDE
from rules.check import check_rules
from rules.checked_rules import CheckedRules
from rules.expression import Variable

VARIABLES = (Variable("count", "int"),)


def checked(*conditions: str) -> CheckedRules:
    rules = [f'  - {{id: r{place}, when: "{one}", decide: review}}\n' for place, one in enumerate(conditions)]
    text = "filters: wide\nhit_policy: first\nrules:\n" + "".join(rules)
    return check_rules(
        {"rules/wide.yaml": text.encode()},
        variables=VARIABLES,
        scores=(),
        outcomes=("approve", "review"),
        read_list={}.__getitem__,
    )


def wide(start: int, tests: int) -> str:
    return "||".join(f"count=={start + at}" for at in range(tests))


def undecided(analysis: Analysis) -> list[tuple[str, int]]:
    return [(one.code, one.line) for one in analysis.undecided]


def test_a_rule_beyond_the_bound_of_wide_conditions_is_undecided() -> None:
    """The first rules have what there is; a narrow rule is looked into wherever it stands."""
    many = MOST_WIDE // 1_000
    conditions = [wide(place * 1_000, 1_000) for place in range(many + 1)]
    analysis = analyse(checked(*conditions, "count > 5 && count < 3"))
    assert undecided(analysis) == [("too-wide", 4 + many)]
    assert f"{MOST_WIDE:,} in all conditions of over {WIDE}" in analysis.undecided[0].message
    assert [one.line for one in analysis.findings if one.code == "never-fires"] == [5 + many]


def test_within_the_bound_nothing_is_left_out() -> None:
    assert undecided(analyse(checked(wide(0, WIDE + 1), wide(100, 300)))) == []


def test_a_solver_does_not_know_of_a_question_that_is_too_long() -> None:
    (rule,) = checked(wide(0, 1_000)).rules
    assert Solver(VARIABLES, {}).ask([(rule.condition.node, "true")] * (MOST_NODES // 1_000)) is None
