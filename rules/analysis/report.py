"""Findings in the making: where they stand, and what could not be decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.analysis.wants import Subject
from rules.checked_rules import CheckedRule, CheckedRules
from rules.errors import Problem
from rules.expression import Node
from rules.findings import SEVERITIES, Finding, record_of
from rules.reader import Document
from rules.spelling import start


@dataclass(frozen=True, order=True)
class Undecided:
    """A question that neither a record nor a proof has answered."""

    file: str
    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: undecided[{self.code}]: {self.message}"


@dataclass
class Report:
    """Collects what is found about one set of checked rules."""

    checked: CheckedRules
    findings: list[Finding] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)

    def about(
        self,
        rule: Subject | CheckedRule,
        code: str,
        severity: str,
        message: str,
        hint: str = "",
        *,
        key: str = "when",
        record: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a finding at a key of a rule; at the rule where it has no such key."""
        checked = rule.checked if isinstance(rule, Subject) else rule
        self.at(checked.document, (*checked.rule.path, key), code, severity, message, hint, record=record)

    def at(
        self,
        document: Document,
        path: tuple[str | int, ...],
        code: str,
        severity: str,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a finding at a place of a file."""
        placed = document.problem(path, message, hint, key=key)
        self.add(placed, code, severity, record)

    def in_condition(
        self, rule: CheckedRule, node: Node, code: str, severity: str, message: str, hint: str = ""
    ) -> None:
        """Add a finding at a part of a rule's condition."""
        line, column = place_of(rule, node)
        placed = rule.document.problem_in_text((*rule.rule.path, "when"), line, column, message, hint)
        self.add(placed, code, severity)

    def open(self, rule: Subject, code: str, message: str) -> None:
        """Add a question that was left open."""
        checked = rule.checked
        self.open_at(checked.document, (*checked.rule.path, "when"), code, message)

    def open_at(self, document: Document, path: tuple[str | int, ...], code: str, message: str) -> None:
        """Add a question about what stands at a place of a file."""
        self.undecided.append(Undecided(document.file, *document.position(path), code, message))

    def add(self, placed: Problem, code: str, severity: str, record: Mapping[str, Any] | None = None) -> None:
        """Add a finding that has its place and its message already."""
        if severity not in SEVERITIES:
            raise ValueError(severity)
        shown = None
        if record is not None:
            shown = record_of(record, {variable.name: variable.type for variable in self.checked.variables})
        self.findings.append(
            Finding(
                placed.file,
                placed.line,
                placed.column,
                code,
                severity,
                placed.message,
                placed.hint,
                placed.source,
                shown,
            )
        )


def place_of(rule: CheckedRule, node: Node) -> tuple[int, int]:
    """Give the line and column, from 1 within the condition's text, at which a part of it begins."""
    text = rule.condition.text
    at = max(start(node), 0)
    # A dotted name stands at its dot: go back to where it begins.
    while at > 0 and text[at - 1 : at].isascii() and (text[at - 1].isalnum() or text[at - 1] in "_."):
        at -= 1
    until = text[:at]
    return until.count("\n") + 1, len(until) - (until.rfind("\n") + 1) + 1


def listed(ids: Iterable[str], most: int = 3) -> str:
    """Write rule ids: `'a', 'b' and 4 more`."""
    names = [f"'{name}'" for name in ids]
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
