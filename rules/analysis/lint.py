"""What a rule or a file lacks: tests, an owner, a word on missing values; and lists that nothing uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.analysis.questions import Questioner
from rules.analysis.report import Report
from rules.analysis.wants import NOT_TRUE, UNKNOWN, Subject, Want
from rules.cases import CaseResult
from rules.checked_rules import CheckedRule
from rules.checked_tables import CheckedTable
from rules.errors import Problem
from rules.expression import BOOL, Literal
from rules.findings import WARNING
from rules.functions.clock import format_timestamp
from rules.list_lines import seems_commented
from rules.variables import unused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def report_lacking(
    report: Report, rules: Sequence[CheckedRule], results: Mapping[str, Sequence[CaseResult]]
) -> None:
    """Report rules that run without a positive and a negative test, and enforced ones without an owner."""
    for rule in rules:
        if rule.rule.mode == "off":
            continue
        got = results.get(rule.id, ())
        lacking = []
        if not any(result.fires for result in got):
            lacking.append("fires")
        always = rule.condition.node == Literal(BOOL, True)
        if not always and not any(not result.fires for result in got):
            lacking.append("does not fire")
        if lacking:
            key = "tests" if rule.rule.tests else "id"
            message = f"'{rule.id}' has no test in which it {' and none in which it '.join(lacking)}"
            report.about(rule, "untested", WARNING, message, "add one under 'tests'", key=key)
        if rule.rule.mode == "enforce" and not rule.rule.owner:
            message = f"'{rule.id}' is enforced and has no owner"
            report.about(
                rule, "no-owner", WARNING, message, "say who answers for it: 'owner: TEAM'", key="id"
            )


def report_unstated(report: Report, questioner: Questioner, subjects: Sequence[Subject]) -> None:
    """Report rules that decide the most severe outcome, may be unknown, and do not say what follows then."""
    for subject in unstated(report, subjects):
        rule = subject.checked.rule
        answer = questioner.ask([Want(subject.number, UNKNOWN), Want(subject.number, NOT_TRUE)])
        if answer.record is not None:
            message = f"'{rule.id}' decides {rule.decide}, and a missing value leaves it open"
            report.about(
                subject,
                "on-unknown",
                WARNING,
                message,
                "say what follows: 'on_unknown: skip', fire or review",
                key="decide",
                record=answer.record,
            )
        elif not answer.impossible:
            report.open(subject, "on-unknown", f"whether a missing value leaves '{rule.id}' open")


def unstated(report: Report, subjects: Sequence[Subject]) -> list[Subject]:
    """Give the rules that decide the most severe outcome without a word on missing values."""
    severest = report.checked.outcomes[-1:]
    return [
        one
        for one in subjects
        if one.checked.rule.decide in severest and not _written(one.checked, "on_unknown")
    ]


def report_unused_lists(report: Report, used: frozenset[str]) -> None:
    """Report lists that no condition looks anything up in."""
    for filters in report.checked.filters:
        for source in filters.lists:
            if source.name not in used:
                message = f"nothing uses the list '{source.name}'"
                report.at(
                    filters.document, source.path, "unused-list", WARNING, message, "delete it", key=True
                )


def report_list_comments(report: Report) -> None:
    """Report text lists in which an entry seems to end with a comment: there it is part of the entry."""
    for filters in report.checked.filters:
        for source in filters.lists:
            data = report.checked.list_files.get(source.file or "")
            if data is None or source.column is not None or source.type != "string":
                continue
            if (found := seems_commented(data)) is not None:
                line, column, text, entries = found
                more = f", and so have {entries - 1:,} more" if entries > 1 else ""
                message = (
                    f"this entry of '{source.name}' has ' # ' in it{more}: it is looked up with all of it"
                )
                hint = "put comments on lines of their own, or the entries into a column of a CSV file"
                placed = Problem(source.file or "", line, column, message, hint, text[:200])
                report.add(placed, "list-comment", WARNING)


def report_unused_variables(report: Report) -> None:
    """Report variables that no condition of their file uses."""
    for filters in report.checked.filters:
        for written in unused(filters):
            message = f"nothing uses 'variables.{written.name}'"
            report.at(
                filters.document, written.path, "unused-variable", WARNING, message, "delete it", key=True
            )


def report_expired(report: Report, rules: Sequence[CheckedRule | CheckedTable], now: datetime) -> None:
    """Report exceptions whose end has passed: they keep the rule from nothing any more."""
    moment = (now - _EPOCH) // timedelta(microseconds=1)
    for rule in rules:
        for checked in rule.suppressions:
            one = checked.suppression
            if one.expires is not None and one.expires <= moment:
                day = format_timestamp(one.expires).split("T")[0]
                message = f"the exception of '{rule.id}' for {one.text} expired on {day}"
                path = (*one.path, "expires")
                report.at(rule.document, path, "expired", WARNING, message, f"delete it, or ask {one.owner}")


def _written(rule: CheckedRule, key: str) -> bool:
    """Say whether a rule states a key itself."""
    place: Any = rule.document.root
    try:
        for step in rule.rule.path:
            place = place[step]
    except (KeyError, IndexError, TypeError):
        return False
    return isinstance(place, Mapping) and key in place
