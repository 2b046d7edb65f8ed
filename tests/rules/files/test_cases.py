"""Inline tests: what each may expect, what failing says, and that they run for rules in any mode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.cases import MANY, case_results, run_cases


def failures(check, rule: str, *cases: str) -> list[str]:
    """Check one rule, given as YAML without its braces, with its tests; give the failed ones' messages."""
    checked = check(f"rules:\n  - {{id: a, {rule}, tests: [{', '.join(cases)}]}}\n")
    return [problem.message for problem in run_cases(checked)]


FIRES = "{given: {amount: 2000}, expect: %s}"
RESTS = "{given: {amount: 2}, expect: %s}"
OPEN = "{given: {}, expect: %s}"


@pytest.mark.parametrize(
    ("rule", "fires", "rests", "open_"),
    [
        ("decide: block", {"block", "fire"}, {"none"}, {"unknown"}),
        ("decide: block, on_unknown: fire", {"block", "fire"}, {"none"}, {"block", "fire", "unknown"}),
        ("decide: block, on_unknown: review", {"block", "fire"}, {"none"}, {"review", "fire", "unknown"}),
        ("tag: x", {"fire"}, {"none"}, {"unknown"}),
        ("cap: {fraud: 0.5}, on_unknown: fire", {"fire"}, {"none"}, {"fire", "unknown"}),
        ("decide: block, mode: 'off'", {"block", "fire"}, {"none"}, {"unknown"}),
        ("decide: block, mode: shadow", {"block", "fire"}, {"none"}, {"unknown"}),
    ],
)
def test_what_a_test_may_expect(check, rule: str, fires: set[str], rests: set[str], open_: set[str]) -> None:
    """Firing gives its outcome and `fire`, resting `none`; for an open rule `on_unknown` says."""
    possible = fires | rests | open_ | {"unknown"}
    for case, right in ((FIRES, fires), (RESTS, rests), (OPEN, open_)):
        for expect in sorted(possible):
            failed = failures(check, f"when: amount > 1000, {rule}", case % expect)
            assert bool(failed) == (expect not in right), (case, expect)


def test_a_failed_test_says_what_was_missing(check) -> None:
    """The problem stands at `expect` and names the fields that were not given."""
    checked = check(
        "rules:\n"
        "  - id: a\n"
        "    when: amount > 1000 && account_age_days < 7\n"
        "    decide: block\n"
        "    tests:\n"
        "      - {given: {amount: 2000}, expect: block}\n"
    )
    problem = run_cases(checked)[0]
    assert problem.message == "test of 'a' failed: expected block, got unknown"
    assert (problem.line, problem.column) == (6, 41)
    parts = "amount > 1000 is true, account_age_days < 7 is unknown"
    assert problem.hint == f"missing here: account_age_days; {parts}"


def test_given_values_are_of_the_record_s_types(check) -> None:
    """A whole number is a double where a double is wanted, a time is a moment, null is missing."""
    case = (
        "{given: {amount: 5, count: 3, country: GB, is_new: true, at: '2026-11-01', device: null, "
        "scores: {fraud: 1, grade: {a: 0.5}}, proposed: block}, expect: fire}"
    )
    rule = (
        "when: \"amount == 5.0 && count == 3 && country == 'GB' && is_new && device == null "
        "&& scores.fraud == 1.0 && scores.grade.a == 0.5 && proposed == 'block' "
        "&& at == timestamp('2026-11-01T00:00:00Z')\", tag: x"
    )
    assert failures(check, rule, case) == []


def test_a_time_without_a_zone_is_utc(check) -> None:
    """`2026-11-01T01:00:00+01:00` and `2026-11-01` are one moment."""
    rule = "when: \"at == timestamp('2026-11-01T00:00:00Z')\", tag: x"
    for written in ("2026-11-01", "2026-11-01T00:00:00", "2026-11-01T01:00:00+01:00", "2026-11-01 00:00:00Z"):
        assert failures(check, rule, f"{{given: {{at: '{written}'}}, expect: fire}}") == []


def test_each_case_tests_its_rule_alone(check) -> None:
    """A stronger rule that also fires does not change what the weaker one's test sees."""
    checked = check(
        "rules:\n"
        "  - {id: strong, when: 'true', decide: block}\n"
        "  - {id: weak, when: amount > 1, decide: review, tests: [{given: {amount: 2}, expect: review}]}\n"
    )
    assert run_cases(checked) == ()


def test_rules_without_tests_have_none_to_fail(check) -> None:
    """Nothing is compiled where nothing is tested."""
    assert run_cases(check("rules: [{id: a, when: amount > 1, decide: block}]")) == ()


def test_many_rules_together_give_what_each_gives_alone(check) -> None:
    """As columns or one by one: plain conditions, loops, what only CEL's runtime evaluates, and none."""
    kinds = (
        "amount > %d",
        "device == 'c%d' || amount == %d.0",
        "device.replace('c', 'd') == 'd%d'",
        "seen.exists(one, device.startsWith(one)) && amount < %d.5",
        "%d > 3",
        "amount / (amount - %d.0) > 2.0",
    )
    values = (
        "{}",
        "{amount: 7}",
        "{amount: 40, device: c9}",
        "{device: c2}",
        "{amount: 1.0e+300, device: ''}",
    )
    tests = ", ".join(f"{{given: {given}, expect: fire}}" for given in values)
    lines = ["lists: {seen: [c1, c2]}", "rules:"]
    for number in range(MANY + 20):
        when = kinds[number % len(kinds)].replace("%d", str(number))
        lines.append(f'  - {{id: r{number}, when: "{when}", tag: x, tests: [{tests}]}}')
    checked = check("\n".join([*lines, ""]))
    together = case_results(checked)
    assert list(together) == [rule.id for rule in checked.rules]
    for rule in checked.rules:
        assert together[rule.id] == case_results(replace(checked, rules=(rule,)))[rule.id], rule.rule.when
    every = {(result.holds, result.unknown) for results in together.values() for result in results}
    assert every == {(True, False), (False, True), (False, False)}
