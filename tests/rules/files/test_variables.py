"""Variables: named expressions of a rule file, put in where its conditions name them."""

from __future__ import annotations

import pytest

from rules.analysis import analyse
from rules.cel import Checker, decode
from rules.checked_rules import CheckedRules
from rules.errors import CheckFailed
from rules.expression import Variable
from rules.ruleset import RuleSet
from tests.rules.files.conftest import VARIABLES, Check

FILE = """
variables:
  limit: 1000
  big: amount > variables.limit
  ratio: amount / (double(count) + 1.0)
lists: {embargoed: [KP, IR]}
rules:
  - {id: large, when: "variables.big && country in embargoed", tag: x}
  - {id: ratio, when: "variables.ratio > 2 || !variables.big", tag: x}
  - id: foreign
    when: "[variables.ratio].exists_one(x, x > 1.0) && '%s'.format([variables.big]) == 'true'"
    tag: x
"""


def test_a_variable_is_its_expression(check: Check) -> None:
    """A condition with variables is the condition with their texts in brackets, and its bytes the same."""
    conditions = {rule.id: rule.condition for rule in check(FILE).rules}
    lists = {"embargoed": "string"}
    checker = Checker([*VARIABLES, Variable("scores.fraud", "double", nullable=False)], lists)
    big, ratio = "(amount > 1000)", "(amount / (double(count) + 1.0))"
    written = {
        "large": f"{big} && country in embargoed",
        "ratio": f"{ratio} > 2 || !{big}",
    }
    for rule, text in written.items():
        expected = checker.check(text)
        assert conditions[rule].node == expected.node
        assert conditions[rule].checked == expected.checked
        assert decode("", conditions[rule].checked).node == expected.node
    foreign = conditions["foreign"]
    assert decode("", foreign.checked).node == foreign.node
    assert [why for _, why in foreign.row_by_row] == [
        "a loop other than all() and exists()",
        "a list as a value",
    ]


def test_rules_with_variables_decide(check: Check) -> None:
    """They hold and are open as written out."""
    rules = RuleSet.compile(check(FILE))
    assert rules.after({"amount": 2000.0, "country": "KP", "count": 1, "proposed": "approve"}).fired == (
        "large",
        "ratio",
        "foreign",
    )
    assert rules.after({"amount": None, "country": "KP", "count": 1, "proposed": "approve"}).unknown == (
        "large",
        "ratio",
        "foreign",
    )


@pytest.mark.parametrize(
    ("variables", "when", "said"),
    [
        (
            "{a: variables.b, b: amount}",
            "variables.a > 1",
            "1:16: 'variables.b' is written below, on line 1; a variable may use those above it",
        ),
        ("{a: variables.a + 1}", "variables.a > 1", "1:16: 'variables.a' uses itself"),
        (
            "{a: amount}",
            "variables.aa > 1",
            "3:20: unknown field 'variables.aa'; did you mean 'variables.a'?",
        ),
        ("{a: amout}", "variables.a > 1", "1:16: unknown field 'amout'; did you mean 'amount'?"),
        ("{a: '[1]'}", "amount > 1.0", "1:17: a list stands alone; lists belong on the right of 'in'"),
        (
            "{a: amount, 'b c': amount}",
            "variables.a > 1",
            "1:24: 'b c' cannot name a variable; use letters, digits and '_'",
        ),
        ("{a: proposed}", "variables.a == 'aprove'", None),
        (
            "{a: count}",
            "[1].map(count, count + variables.a).exists(x, x > 1)",
            "3:62: 'variables.a' reads 'count', which is a loop's variable here; rename that",
        ),
    ],
)
def test_mistakes_in_variables_have_their_place(check: Check, variables: str, when: str, said: str) -> None:
    """Order, cycles, unknown names and hidden ones are told where they stand, and once."""
    text = f'variables: {variables}\nrules:\n  - {{id: r, when: "{when}", tag: x}}'
    if said is None:
        check(text)
        return
    with pytest.raises(CheckFailed) as failed:
        check(text)
    assert [str(problem).splitlines()[0] for problem in failed.value.problems] == [f"rules/cards.yaml:{said}"]


def test_variables_of_variables_do_not_grow_without_end(check: Check) -> None:
    """A thousand million laughs are refused where they begin to be too many."""
    lines = ["  v0: amount + amount"]
    lines += [f"  v{i}: variables.v{i - 1} + variables.v{i - 1}" for i in range(1, 30)]
    text = "variables:\n" + "\n".join(lines) + "\nrules:\n  - {id: r, when: variables.v29 > 1.0, tag: x}"
    with pytest.raises(CheckFailed, match=r"yaml:13:17: with its variables put in this has .* at most 5,000"):
        check(text)


def test_variables_are_of_their_file(check: Check) -> None:
    """Another file does not see them, and one that nothing uses is reported."""
    rule = "rules:\n  - {id: %s, when: '%s', tag: x}"
    one = "variables: {a: amount, b: amount}\n" + rule % ("one", "variables.a > 1.0")
    with pytest.raises(CheckFailed, match=r"rules/two.yaml:2:22: unknown field 'variables.a'"):
        check({"one": one, "two": rule % ("two", "variables.a > 1.0")})
    checked: CheckedRules = check(one)
    codes = [(one.code, one.line, one.column) for one in analyse(checked).findings]
    assert ("unused-variable", 1, 24) in codes


def test_long_lists_are_not_looped_over(check: Check) -> None:
    """The runtime makes 10,000 rounds at most: longer loops are refused where they are written."""
    numbers = "\n".join(map(str, range(10_001)))
    text = "lists: {numbers: {file: lists/n.txt, type: int}}\nrules:\n  - {id: r, when: '%s', tag: x}"
    lists = {"lists/n.txt": numbers.encode()}
    check(text % "count in numbers", lists=lists)
    for when in ("numbers.exists(n, n == count)", "numbers.exists_one(n, n == count)"):
        with pytest.raises(CheckFailed, match=r"loops over 'numbers' \(10,001 entries\); at most 10,000"):
            check(text % when, lists=lists)
