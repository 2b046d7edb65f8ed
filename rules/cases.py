"""Inline tests: what a rule must do with a few given values, typed when checked and run on every change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules import turns
from rules.checked_rules import CheckedCase, CheckedRule, CheckedRules
from rules.errors import Problem
from rules.expression import Call, Node, Quantifier, Variable, walk
from rules.files import Case, Rule
from rules.given import given_values
from rules.reader import Document
from rules.spelling import spell

if TYPE_CHECKING:
    from rules.columnar import Conditions as Columns
    from rules.scalar import Conditions

NONE, FIRE, UNKNOWN, SUPPRESSED, SHADOW = "none", "fire", "unknown", "suppressed", "shadow"
WORDS = (NONE, FIRE, UNKNOWN, SUPPRESSED, SHADOW)
TOGETHER = 16  # rules compiled as one: each test runs all of them
MANY, BATCHED = 64, 256  # rules from which on tests are looked at as columns, and rules of one batch
SHOWN = 8  # parts of a condition whose results are told

_BESIDE = frozenset(("id", "description", "when", "tag", "priority", "reason", "owner", "effective", "tests"))
"""Keys that change nothing about what a test may expect of a rule."""

Held = tuple[bool, bool]  # whether a condition is true, and whether it is unknown


def check_case(
    case: Case, rule: Rule, document: Document, variables: Mapping[str, Variable], outcomes: Sequence[str]
) -> tuple[CheckedCase, list[Problem]]:
    """Type one test against the variables that its rule may use, and refuse an outcome it can never have.

    Where something is wrong with the rule, it may be meant to give any of the `outcomes`.
    """
    values, problems = given_values(case, rule.stage, document, variables)
    possible = _possible(rule)
    unsettled = rule.unread - _BESIDE or not (rule.decide is None or rule.decide in outcomes)
    meant = (*outcomes, *WORDS) if unsettled else ()
    if case.expect and case.expect not in (*possible, *meant):
        message = f"the rule '{rule.id}' cannot give '{case.expect}'"
        problems.append(
            document.problem((*case.path, "expect"), message, f"it can give {', '.join(possible)}")
        )
    return CheckedCase(values, case.expect, case.path), problems


@dataclass(frozen=True)
class CaseResult:
    """What one inline test gave: whether the condition holds, is unknown, and the rule fires.

    A rule that an exception suppresses, or whose rollout leaves the record out, does not fire.

    `values` are the fields that the condition reads, None for what the test leaves out.
    """

    case: CheckedCase
    values: Mapping[str, Any]
    holds: bool
    unknown: bool
    fires: bool
    got: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.case.expect in self.got


def case_results(
    checked: CheckedRules, evaluator: Columns | None = None
) -> dict[str, tuple[CaseResult, ...]]:
    """Run every inline test, each against its own rule alone; gives the results by rule id.

    `evaluator` holds the conditions of all rules in order, if that is there already.
    """
    from rules.scalar import compile_conditions

    rules = [rule for rule in checked.rules if rule.cases]
    held = _held_together(checked, evaluator) if evaluator is not None or len(rules) >= MANY else {}
    singly = [rule for rule in rules if rule.id not in held]
    for start in range(0, len(singly), TOGETHER):
        some = singly[start : start + TOGETHER]
        conditions = compile_conditions([rule.condition for rule in some], checked.list_entries)
        for index, rule in enumerate(some):
            held[rule.id] = [_held(rule, case, index, conditions) for case in rule.cases]
    return {rule.id: _of_rule(rule, held[rule.id], checked.list_entries) for rule in rules}


def _held(rule: CheckedRule, case: CheckedCase, index: int, conditions: Conditions) -> Held:
    # What the other conditions read may be left out: it is missing.
    true, unknown = conditions({**dict.fromkeys(rule.condition.variables), **case.values})
    return index in true, index in unknown


def _held_together(checked: CheckedRules, evaluator: Columns | None) -> dict[str, list[Held]]:
    """Look at the tests of many rules as columns, which takes a third of the time that compiling them does.

    Every test meets every condition of its batch. Rules whose conditions loop, or leave the columns, and
    those whose tests no column holds, are left out.
    """
    import pyarrow as pa

    from rules.arrays import column
    from rules.columnar import conditions

    fit = [(number, rule) for number, rule in enumerate(checked.rules) if rule.cases and _is_plain(rule)]
    within = [rule for _, rule in fit] if evaluator is None else checked.rules
    used = {name for rule in within for name in rule.condition.variables}
    read = [one for one in checked.variables if one.name in used]
    if len(read) < len(used) or not used:
        return {}
    if evaluator is None:
        evaluator = conditions([rule.condition for rule in within], checked.list_entries)
        fit = list(enumerate(within))
    held: dict[str, list[Held]] = {}
    for start in range(0, len(fit), BATCHED):
        some = [rule for _, rule in fit[start : start + BATCHED]]
        given = [case.values for rule in some for case in rule.cases]
        columns = {one.name: column(one.type, [values.get(one.name) for values in given]) for one in read}
        batch = pa.RecordBatch.from_pydict(columns)
        hits = evaluator.evaluate(batch, [number for number, _ in fit[start : start + BATCHED]])
        first = 0
        for number, rule in enumerate(some):
            true, unknown = (set(rows[number].tolist()) for rows in (hits.true, hits.unknown))
            places = range(first, first + len(rule.cases))
            held[rule.id] = [(place in true, place in unknown) for place in places]
            first += len(rule.cases)
    return held


def _is_plain(rule: CheckedRule) -> bool:
    condition = rule.condition
    if condition.row_by_row or any(isinstance(node, Quantifier) for node in walk(condition.node)):
        return False
    return all(
        type(value) is not int or -(2**63) <= value < 2**63
        for case in rule.cases
        for value in case.values.values()
    )


def _of_rule(rule: CheckedRule, held: Sequence[Held], lists: Mapping[str, Any]) -> tuple[CaseResult, ...]:
    """Give the results of a rule's tests; `held` says of each whether the condition is true, and unknown."""
    from rules.scalar import compile_conditions

    turns.step()
    exceptions = (
        compile_conditions([one.condition for one in rule.suppressions], lists) if rule.suppressions else None
    )
    given = []
    for case, (holds, unknown) in zip(rule.cases, held, strict=True):
        values = {**dict.fromkeys(name for one in rule.expressions for name in one.variables), **case.values}
        got = _results(rule.rule, holds=holds, unknown=unknown)
        if FIRE in got and exceptions is not None and exceptions(values)[0]:
            got = (SUPPRESSED,)
        elif FIRE in got and not _rolled_out(rule.rule, values):
            got = (SHADOW,)
        read = {name: values[name] for name in rule.condition.variables}
        given.append(CaseResult(case, read, holds, unknown, FIRE in got, got))
    return tuple(given)


def run_cases(checked: CheckedRules) -> tuple[Problem, ...]:
    """Run every inline test and give the failed ones as problems."""
    return failures(checked, case_results(checked))


def failures(checked: CheckedRules, results: Mapping[str, Sequence[CaseResult]]) -> tuple[Problem, ...]:
    """Give the failed tests as problems, in file order; the tests of tables are run here."""
    from rules.table_cases import run_table_cases

    rules = {rule.id: rule for rule in checked.rules}
    failed = [
        _failed(rules[name], result, checked.list_entries)
        for name, some in results.items()
        for result in some
        if not result.passed
    ]
    failed += [problem for table in checked.tables for problem in run_table_cases(table, checked)]
    return tuple(sorted(failed))


def _rolled_out(rule: Rule, values: Mapping[str, Any]) -> bool:
    """Say whether a record is in the rule's rollout; a test without a key asks what the rule does in it."""
    rollout = rule.rollout
    return rollout is None or values[rollout.key] is None or rollout.holds(values)


def _failed(rule: CheckedRule, result: CaseResult, lists: Mapping[str, Any]) -> Problem:
    """Say what was expected, what came, what was missing, and what each part of the condition gave."""
    message = f"test of '{rule.id}' failed: expected {result.case.expect}, got {result.got[0]}"
    missing = sorted(name for name in rule.condition.variables if result.values[name] is None)
    hints = [f"missing here: {', '.join(missing)}"] if missing else []
    parts = _parts(rule.condition.node)
    if len(parts) > 1:
        hints.append(", ".join(f"{spell(part)} is {_outcome(part, result, lists)}" for part in parts[:SHOWN]))
    return rule.document.problem((*result.case.path, "expect"), message, "; ".join(hints))


def _parts(node: Node) -> list[Node]:
    """Give the parts that a condition's top-level && or || joins."""
    if not (isinstance(node, Call) and node.overload in ("logical_and", "logical_or")):
        return [node]
    parts = []
    for side in node.arguments:
        same = isinstance(side, Call) and side.overload == node.overload
        parts += _parts(side) if same else [side]
    return parts


def _outcome(part: Node, result: CaseResult, lists: Mapping[str, Any]) -> str:
    from rules.checked import express
    from rules.scalar import compile_value

    value = compile_value(express("", part), lists)(result.values)
    return {True: "true", False: "false"}.get(value, UNKNOWN) if isinstance(value, bool) else UNKNOWN


def _results(rule: Rule, *, holds: bool, unknown: bool) -> tuple[str, ...]:
    """Give what a test may call this result, the plainest name first."""
    fires = (rule.decide, FIRE) if rule.decide else (FIRE,)
    if holds:
        return fires
    if not unknown:
        return (NONE,)
    if rule.on_unknown == "fire":
        return (*fires, UNKNOWN)
    return ("review", FIRE, UNKNOWN) if rule.on_unknown == "review" else (UNKNOWN,)


def _possible(rule: Rule) -> tuple[str, ...]:
    every = (
        *_results(rule, holds=True, unknown=False),
        *_results(rule, holds=False, unknown=True),
        NONE,
        UNKNOWN,
        *([SUPPRESSED] if rule.suppressions else []),
        *([SHADOW] if rule.rollout else []),
    )
    return tuple(dict.fromkeys(every))
