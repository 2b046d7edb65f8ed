"""Test files: every mistake in one is told at its place, and cases judge the whole set."""

from __future__ import annotations

import pytest

from rules.errors import CheckFailed
from rules.ruleset import RuleSet
from rules.suites import by_rules, read_suites, run_suites
from tests.rules.files.conftest import check_files

RULES = RuleSet.compile(
    check_files(
        {
            "a": "rules:\n"
            "- {id: korea, stage: before, when: country == 'KP', decide: block, reason: K}\n"
            "- {id: large, when: amount > 100, decide: review, reason: L, tag: [x, y]}\n"
            "- {id: sure, when: scores.fraud > 0.9, cap: {fraud: 0.5}}\n"
        }
    )
)


def told(text: str) -> list[str]:
    """Read a test file and run it; give what is wrong, without the quoted lines."""
    checked = RULES.checked
    try:
        cases = read_suites(
            {"t.yaml": text.encode()},
            variables=checked.variables,
            outcomes=checked.outcomes,
            rules=RULES.rules,
        )
    except CheckFailed as failed:
        problems = failed.problems
    else:
        names = [variable.name for variable in checked.variables]
        results = run_suites(cases, by_rules(RULES), names)
        problems = tuple(problem for result in results for problem in result.problems)
    return [str(problem).splitlines()[0] for problem in problems]


def case(given: str, expect: str) -> str:
    return f"cases:\n  - name: c\n    given: {given}\n    expect: {expect}\n"


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ("{amount: 200}", "review"),
        ("{amount: 200}", "{outcome: review, decided_by: large, fired: [large], tags: [y, x]}"),
        ("{country: KP, amount: 200}", "{decided_by: korea, fired: [korea]}"),
        ("{amount: 5, scores: {fraud: 0.95}}", "{outcome: none, adjusted: {fraud: 0.5}, decided_by: none}"),
        ("{}", "{outcome: none, unknown: [sure, large], adjusted: {}}"),
    ],
)
def test_a_case_passes_on_the_whole_set(given: str, expect: str) -> None:
    """Both stages speak; only what is mentioned is compared; lists are in any order."""
    assert told(case(given, expect)) == []


def test_a_case_that_fails_is_told_part_by_part() -> None:
    """Each part at its own place, with what is missing and what was not expected."""
    assert told(case("{amount: 200}", "{outcome: block, fired: [sure], tags: [x], reasons: [L]}")) == [
        (
            "t.yaml:4:23: case 'c' failed: outcome: expected block, got review; decided by large"
            "; fired: large; unknown: sure"
        ),
        (
            "t.yaml:4:37: case 'c' failed: fired: expected [sure], got [large]"
            "; missing: sure; not expected: large"
        ),
        "t.yaml:4:51: case 'c' failed: tags: expected [x], got [x, y]; not expected: y",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "t.yaml:1:1: the file must be keys and values, got nothing"),
        ("fixtures: {}", "t.yaml:1:1: the file has no cases; write 'cases:' and a list of them"),
        ("cases: []\ncasse: []", "t.yaml:2:1: unknown key 'casse'; did you mean 'cases'?"),
        ("cases: [{name: a}]", "t.yaml:1:9: a case needs 'expect'"),
        ("cases:\n- {name: a, expect: none}\n- {name: a, expect: none}",
         "t.yaml:3:10: the name 'a' is taken; first on line 2"),
        (case("{amout: 1}", "none"), "t.yaml:3:13: unknown field 'amout'; did you mean 'amount'?"),
        (case("{amount: x}", "none"), "t.yaml:3:21: 'amount' must be a number, got 'x'"),
        (case("{}", "reveiw"), "t.yaml:4:13: there is no 'reveiw'; did you mean 'review'?"),
        (case("{}", "{}"), "t.yaml:4:13: 'expect' is empty; as expect: review, or {fired: [ID]}"),
        (case("{}", "{fird: []}"), "t.yaml:4:14: unknown key 'fird'; did you mean 'fired'?"),
        (case("{}", "{fired: [larg]}"), "t.yaml:4:22: there is no 'larg'; did you mean 'large'?"),
        (case("{}", "{fired: large}"), "t.yaml:4:21: 'fired' must be a list, got 'large'; as [large]"),
        ("fixtures: {a: {}}\ncases: [{name: c, use: b, expect: none}]",
         "t.yaml:2:24: unknown fixture 'b'; known: a"),
        ("now: 2026-01-01\ncases: []",
         ("t.yaml:1:1: 'now' needs a timestamp field 'event_time' that holds the event's time; "
         "give each case its time under its own field")),
        ("cases: [", "t.yaml:1:9: the file ends inside a value; close every bracket and quote"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(text: str, problem: str) -> None:
    """What a test file may not hold."""
    assert told(text) == [problem]
