"""Every proof and every counterexample is right: brute force over small domains says the same."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from rules import reference
from rules.analysis import analyse
from rules.check import check_rules
from rules.checked_rules import CheckedRules
from rules.errors import CheckFailed
from rules.expression import Variable
from rules.scalar import compile_conditions

OUTCOMES = ("approve", "review", "decline")
DOMAINS: dict[str, tuple[Any, ...]] = {
    "flag": (None, True, False),
    "count": (None, -1, 0, 1, 2, 3),
    "level": (0, 1, 2),
    "amount": (None, 0.0, 0.5, 1.0, 2.0, 2.5),
    "country": (None, "GB", "FR"),
    "other": ("GB", "FR"),
}
VARIABLES = (
    Variable("flag", "bool"),
    Variable("count", "int", minimum=-1, maximum=3),
    Variable("level", "int", nullable=False, minimum=0, maximum=2),
    Variable("amount", "double", minimum=0.0, maximum=2.5),
    Variable("country", "string", values=("GB", "FR")),
    Variable("other", "string", nullable=False, values=("GB", "FR")),
)
# The domain of `amount` is not finite: what brute force does not see must still be consistent with it.
RECORDS = [dict(zip(DOMAINS, values, strict=True)) for values in itertools.product(*DOMAINS.values())]

NUMBER = st.sampled_from(["-1", "0", "1", "2", "3", "0.5", "1.5", "2.5"])
WHOLE = st.sampled_from(["-1", "0", "1", "2", "3"])
ORDER = st.sampled_from(["<", "<=", ">", ">="])
EQUAL = st.sampled_from(["==", "!="])


def comparisons() -> st.SearchStrategy[str]:
    """Conditions of one comparison, most of them of the kinds that are cut into cells."""
    numbers = st.tuples(st.sampled_from(["count", "level", "amount"]), ORDER | EQUAL, NUMBER).map(" ".join)
    flipped = st.tuples(NUMBER, ORDER, st.sampled_from(["count", "level", "amount"])).map(" ".join)
    texts = st.tuples(st.just("country"), EQUAL, st.sampled_from(["'GB'", "'FR'", "null"])).map(" ".join)
    among = st.sampled_from(
        ["country in ['GB']", "country in ['GB', null]", "count in [0, 2]", "level in [0, 1, 2]",
         "country in home",
         "count in [1, 2.0, null]", "country == other", "country != other", "count == null", "amount != null"]
    )  # fmt: skip
    terms = st.sampled_from(
        ["count + level > 2", "count * 2 == 4", "level - 1 < 0", "-7 / 2 == -4", "1 / 0 > 2", "count > 2 - 1",
         "amount < 1.0 + 1.0", "amount * 2.0 > 3.0", "size(country) == 2",
         "count > level", "count == level", "amount > count", "10 / count > 4", "country.startsWith('G')",
         "country < 'G'", "amount + 1.0 <= 1.0", "double(count) == 1.0", "string(level) == '1'"]
    )  # fmt: skip
    return st.one_of(
        numbers, flipped, texts, among, terms, st.just("flag"), st.sampled_from(["true", "false"])
    )


CONDITIONS = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"!({text})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
    ),
    max_leaves=5,
)
RULES = st.tuples(
    CONDITIONS,
    st.sampled_from(["decide: approve", "decide: review", "decide: decline", "tag: t"]),
    st.sampled_from(["skip", "fire", "review"]),
    st.sampled_from(["enforce", "enforce", "shadow"]),
)


def checked_of(rules: list[tuple[str, str, str, str]], policy: str) -> CheckedRules:
    lines = ["filters: drawn", f"hit_policy: {policy}", "lists: {home: [GB]}", "rules:"]
    for number, (when, effect, unknown, mode) in enumerate(rules):
        lines += [f'  - {{id: r{number}, when: "{when}", {effect}, on_unknown: {unknown}, mode: {mode}}}']
    text = "\n".join(lines).encode()
    try:
        return check_rules(
            {"rules/a.yaml": text},
            variables=VARIABLES,
            scores=(),
            outcomes=OUTCOMES,
            read_list={}.__getitem__,
        )
    except CheckFailed:  # two rules that decide on one condition are refused before any analysis
        reject()


def results(checked: CheckedRules) -> list[list[bool | None]]:
    """What each condition gives on each record."""
    conditions = compile_conditions([rule.condition for rule in checked.rules], checked.list_entries)
    rows = []
    for record in RECORDS:
        true, unknown = conditions(record)
        rows.append(
            [True if n in true else None if n in unknown else False for n in range(len(checked.rules))]
        )
    return rows


def fires(checked: CheckedRules, number: int, value: bool | None) -> bool:
    return value is True or (value is None and checked.rules[number].rule.on_unknown != "skip")


def decides(checked: CheckedRules, number: int, value: bool | None) -> bool:
    rule = checked.rules[number].rule
    if rule.decide:
        return fires(checked, number, value)
    return value is None and rule.on_unknown == "review"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RULES, min_size=1, max_size=4), st.sampled_from(["first", "priority"]))
def test_what_is_found_is_so(rules: list[tuple[str, str, str, str]], policy: str) -> None:
    """No record of the domains contradicts a proof, and the reference agrees with every record shown."""
    checked = checked_of(rules, policy)
    rows = results(checked)
    found = analyse(checked)
    for finding in found.findings:
        if finding.code == "unused-list":
            continue
        number = finding.line - 5
        ids = [n for n in range(len(rules)) if n != number and f"'r{n}'" in finding.message]
        column = [row[number] for row in rows]
        match finding.code:
            case "never-fires":
                assert not any(fires(checked, number, value) for value in column)
            case "always-fires":
                assert all(fires(checked, number, value) for value in column)
            case "duplicate":
                assert all(
                    fires(checked, number, row[number]) == fires(checked, ids[0], row[ids[0]]) for row in rows
                )
            case "shadowed":
                assert all(
                    any(decides(checked, other, row[other]) for other in ids)
                    for row in rows
                    if decides(checked, number, row[number])
                )
            case "conflict":
                for one in (number, ids[0]):
                    assert decides(checked, one, value_of(checked, one, finding.record))
            case "on-unknown":
                assert value_of(checked, number, finding.record) is None


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RULES, min_size=1, max_size=3))
def test_what_is_so_is_found_or_said_to_be_open(rules: list[tuple[str, str, str, str]]) -> None:
    """A rule that no record fires, and one that fires on all, is reported or left open, and no other is."""
    checked = checked_of(rules, "first")
    rows = results(checked)
    found = analyse(checked)
    said = {(one.code, one.line - 5) for one in (*found.findings, *found.undecided)}
    for number in range(len(rules)):
        ever = {fires(checked, number, row[number]) for row in rows}
        if "amount" not in rules[number][0]:  # for the others, the records are not all there are
            assert (("never-fires", number) in said) >= (True not in ever)


def value_of(checked: CheckedRules, number: int, record: Any) -> bool | None:
    value = reference.evaluate(checked.rules[number].condition, dict(record or {}), checked.list_entries)
    return value if isinstance(value, bool) else None
