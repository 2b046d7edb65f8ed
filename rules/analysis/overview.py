"""Checked rules in, everything that can be proven or shown about them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rules.analysis.deciding import report_conflicts, report_duplicates
from rules.analysis.facts import Facts
from rules.analysis.firing import report_dead_parts, report_firing, report_ranges, report_row_by_row
from rules.analysis.formula import Formula
from rules.analysis.lint import (
    report_expired,
    report_lacking,
    report_list_comments,
    report_unstated,
    report_unused_lists,
    report_unused_variables,
    unstated,
)
from rules.analysis.questions import Questioner
from rules.analysis.report import Report, Undecided
from rules.analysis.shadow import report_shadowed
from rules.analysis.solver import solver
from rules.analysis.space import MOST_TESTS, MOST_WIDE, WIDE, Space
from rules.analysis.tables import report_tables
from rules.analysis.wants import UNKNOWN, Subject, Want
from rules.analysis.wants import subjects as subjects_of
from rules.cases import CaseResult, case_results
from rules.checked_rules import CheckedRules
from rules.columnar import Conditions, conditions
from rules.findings import Finding

SEED = 7


@dataclass(frozen=True)
class Analysis:
    """What was found, in file order, and which questions were left open."""

    findings: tuple[Finding, ...]
    undecided: tuple[Undecided, ...]


def analyse(
    checked: CheckedRules,
    *,
    now: datetime | None = None,
    results: Mapping[str, Sequence[CaseResult]] | None = None,
    evaluator: Conditions | None = None,
    solve: bool = True,
    notes: bool = True,
    seed: int = SEED,
) -> Analysis:
    """Analyse rules that checked.

    Exceptions that have expired by `now` are reported, if it is given. `results` are those of the inline
    tests, and `evaluator` holds the conditions in order, if these are there already. With `solve`, a solver
    is asked what cells leave open, if it is installed; `notes` adds what need not be changed. The same rules
    and seed give the same analysis.
    """
    rules = checked.rules
    lists = checked.list_entries
    evaluator = evaluator or conditions([rule.condition for rule in rules], lists)
    results = case_results(checked, evaluator) if results is None else results
    report = Report(checked)
    space = Space([rule.condition.node for rule in rules], checked.variables, lists, evaluator.keys)
    subjects = _within_bounds(report, subjects_of(checked), space)
    facts = Facts([rule.condition for rule in rules], space, checked.variables, evaluator, seed)
    questioner = Questioner([rule.condition for rule in rules], space, facts, lists, _solver(checked, solve))
    aims: list[Formula] = [questioner.formula(one.fires) for one in subjects]
    aims += [questioner.formula(Want(one.number, UNKNOWN)) for one in unstated(report, subjects)]
    facts.gather([case.values for rule in rules for case in rule.cases], aims)
    never = report_firing(report, questioner, subjects, space)
    fires = [one for one in subjects if one.number not in never]
    duplicates = report_duplicates(report, questioner, fires)
    report_shadowed(report, questioner, fires, duplicates)
    report_conflicts(report, questioner, fires, notes=notes)
    report_unstated(report, questioner, fires)
    report_ranges(report, rules, space)
    report_dead_parts(report, rules, space, never)
    report_row_by_row(report, rules)
    report_lacking(report, rules, results)
    report_tables(report, notes=notes)
    if now is not None:
        report_expired(report, (*rules, *checked.tables), now)
    report_unused_lists(report, _used_lists(checked))
    report_list_comments(report)
    report_unused_variables(report)
    return Analysis(tuple(sorted(report.findings)), tuple(sorted(report.undecided)))


def _within_bounds(report: Report, subjects: Sequence[Subject], space: Space) -> tuple[Subject, ...]:
    """Leave out the rules whose conditions the bounds of the analysis leave out, and say so of each."""
    for one in subjects:
        if one.number in space.beyond:
            why = (
                f"up to {MOST_TESTS:,} tests are looked into, {MOST_WIDE:,} in all conditions of over {WIDE}"
            )
            message = f"whether '{one.id}' fires and decides, and whether it leaves others to: {why}"
            report.open(one, "too-wide", message)
    return tuple(one for one in subjects if one.number not in space.beyond)


def _solver(checked: CheckedRules, solve: bool) -> Any:
    return solver(checked.variables, checked.list_entries) if solve else None


def _used_lists(checked: CheckedRules) -> frozenset[str]:
    read = [one for rule in checked.rules for one in rule.expressions]
    read += [one for table in checked.tables for one in table.reads]
    found = {name for expression in read for name in expression.lists}
    in_cells = {
        cell.list for table in checked.tables for column in table.cells for cell in column if cell.list
    }
    return frozenset(found | in_cells)
