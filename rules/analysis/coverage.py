"""What the inline tests cover: rules seen to fire and not to, and each test of a condition seen both ways.

Of a table, what is to be seen is that each row fires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.analysis.formula import GaveUp, Search
from rules.analysis.report import place_of
from rules.analysis.space import Space
from rules.cases import CaseResult
from rules.checked_rules import CheckedRule, CheckedRules
from rules.checked_tables import CheckedTable
from rules.expression import BOOL, Call, Literal, Node
from rules.scalar import compile_value
from rules.spelling import spell
from rules.table_cases import table_results

_LOGIC = ("logical_not", "logical_and", "logical_or", "conditional")


@dataclass(frozen=True)
class Branch:
    """One test of a condition, its place in the file, and what it was seen to be.

    `possible` are the results it can have; a test that is never true need not be seen so.
    """

    text: str
    line: int
    column: int
    seen: frozenset[bool | None]
    possible: frozenset[bool]
    file: str = ""  # of a row of a CSV file

    @property
    def missed(self) -> tuple[bool, ...]:
        """The results it can have and was not seen to have."""
        return tuple(result for result in (True, False) if result in self.possible - self.seen)


@dataclass(frozen=True)
class RuleCoverage:
    """What the tests of one rule, or of one table, show of it."""

    rule: str
    file: str
    line: int
    tests: int
    fires: bool
    rests: bool
    branches: tuple[Branch, ...]

    @property
    def covered(self) -> int:
        """How many results of its tests were seen."""
        return sum(len(branch.possible & branch.seen) for branch in self.branches)

    @property
    def coverable(self) -> int:
        """How many results its tests can have."""
        return sum(len(branch.possible) for branch in self.branches)


def measure(checked: CheckedRules, results: Mapping[str, Sequence[CaseResult]]) -> tuple[RuleCoverage, ...]:
    """Give the coverage of every rule and table, in order; `results` are those of the rules' inline tests."""
    lists: Mapping[str, Any] = checked.list_entries
    space = Space([rule.condition.node for rule in checked.rules], checked.variables, lists)
    return tuple(
        _of_table(member, checked)
        if isinstance(member, CheckedTable)
        else _of_rule(member, results.get(member.id, ()), space, lists)
        for member in checked.members()
    )


def _of_table(table: CheckedTable, checked: CheckedRules) -> RuleCoverage:
    """Give the coverage of a table: each row is a branch that a test has made fire, or not."""
    results = list(table_results(table, checked))
    fired = {row for result in results for row in result.rows}
    branches = []
    for row, name in enumerate(table.ids):
        at = table.table.problem(table.document, row, "id", 0, "")
        seen = frozenset({True} if row in fired else ())
        branches.append(Branch(name, at.line, at.column, seen, frozenset({True}), at.file))
    return RuleCoverage(
        rule=table.id,
        file=table.document.file,
        line=table.document.position((*table.table.path, "id"))[0],
        tests=len(results),
        fires=bool(fired),
        rests=any(not result.rows for result in results),
        branches=tuple(branches),
    )


def _of_rule(
    rule: CheckedRule, results: Sequence[CaseResult], space: Space, lists: Mapping[str, Any]
) -> RuleCoverage:
    branches = []
    for node in _tests(rule.condition.node):
        line, column = place_of(rule, node)
        at = rule.document.problem_in_text((*rule.rule.path, "when"), line, column, "")
        value = compile_value(_expression(rule, node), lists)
        seen = frozenset(_truth(value(result.values)) for result in results)
        possible = frozenset(result for result in (True, False) if _possible(space, node, result))
        branches.append(Branch(spell(node), at.line, at.column, seen, possible))
    line = rule.document.position((*rule.rule.path, "id"))[0]
    return RuleCoverage(
        rule=rule.id,
        file=rule.document.file,
        line=line,
        tests=len(results),
        fires=any(result.fires for result in results),
        rests=any(not result.fires for result in results),
        branches=tuple(branches),
    )


def _tests(node: Node) -> list[Node]:
    """Give the tests that a condition is made of, in the order of its text."""
    if isinstance(node, Literal):
        return []
    if isinstance(node, Call) and node.overload in _LOGIC and node.type == BOOL:
        return [test for part in node.arguments for test in _tests(part)]
    return [node]


def _expression(rule: CheckedRule, node: Node) -> Any:
    from rules.checked import express

    return express(rule.condition.text, node)


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _possible(space: Space, node: Node, result: bool) -> bool:
    formula = space.true(node) if result else space.false(node)
    try:
        return next(Search([formula], space.full).boxes(), None) is not None
    except GaveUp:
        return True
