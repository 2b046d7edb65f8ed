"""Checked rules: every rule with its condition checked and its tests typed, ready to compile or to keep."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rules.expression import CheckedExpression, Variable
from rules.files import Filters, Rule
from rules.lists import ListValues
from rules.reader import Document


@dataclass(frozen=True)
class CheckedCase:
    """An inline test whose values are of the rule language's types; a field not given is missing."""

    values: Mapping[str, Any]
    expect: str
    path: tuple[str | int, ...]


@dataclass(frozen=True)
class CheckedRule:
    """A rule with its condition; `rank` orders deciding: the lowest rank of the fired rules wins."""

    rule: Rule
    document: Document
    condition: CheckedExpression
    cases: tuple[CheckedCase, ...]
    rank: int

    @property
    def id(self) -> str:
        return self.rule.id


@dataclass(frozen=True)
class CheckedRules:
    """All rule files of a project, checked together.

    `files` and `list_files` are the bytes as written, by path; `rules` are in file order, files in name
    order. `variables` are what conditions may use, scores and `proposed` included; none when restored.
    """

    files: Mapping[str, bytes]
    list_files: Mapping[str, bytes]
    filters: tuple[Filters, ...]
    rules: tuple[CheckedRule, ...]
    lists: Mapping[str, ListValues]
    scores: tuple[str, ...]
    outcomes: tuple[str, ...]
    variables: tuple[Variable, ...] = ()

    @property
    def list_entries(self) -> dict[str, Collection[Any]]:
        """The entries of each list, as the evaluators take them."""
        return {name: values.entries for name, values in self.lists.items()}

    def expressions(self) -> dict[str, Any]:
        """Give every checked condition as JSON-able data: what `restore_rules` takes."""
        return {
            "rules": {
                rule.id: {
                    "when": rule.condition.text,
                    "checked": base64.b64encode(rule.condition.checked).decode("ascii"),
                }
                for rule in self.rules
            }
        }
