"""Checked rules: every rule with its condition checked and its tests typed, ready to compile or to keep."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rules.expression import CheckedExpression, Variable
from rules.files import Filters, Rule
from rules.hit_policy import FIRST, Rank
from rules.lists import ListValues
from rules.reader import Document
from rules.suppressions import Suppression


@dataclass(frozen=True)
class CheckedCase:
    """An inline test whose values are of the rule language's types; a field not given is missing."""

    values: Mapping[str, Any]
    expect: str
    path: tuple[str | int, ...]


@dataclass(frozen=True)
class CheckedSuppression:
    """An entry of `except:` with its condition, which does not hold from the entry's end on."""

    suppression: Suppression
    condition: CheckedExpression


@dataclass(frozen=True)
class CheckedRule:
    """A rule with its condition, which holds while the rule is effective; `rank` orders deciding.

    `key` is the field that a rollout goes by, as an expression.
    """

    rule: Rule
    document: Document
    condition: CheckedExpression
    cases: tuple[CheckedCase, ...]
    rank: Rank
    hit_policy: str = FIRST
    suppressions: tuple[CheckedSuppression, ...] = ()
    key: CheckedExpression | None = None

    @property
    def id(self) -> str:
        return self.rule.id

    @property
    def expressions(self) -> tuple[CheckedExpression, ...]:
        """Everything of the rule that looks at a record."""
        keys = () if self.key is None else (self.key,)
        return (self.condition, *(one.condition for one in self.suppressions), *keys)


@dataclass(frozen=True)
class CheckedRules:
    """All rule files of a project, checked together.

    `files` and `list_files` are the bytes as written, by path; `rules` are in file order, files in the
    order they state, else in name order. `variables` are what conditions may use, scores and `proposed`
    included; none when restored.
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
        """Give every checked expression as JSON-able data: what `restore_rules` takes."""
        return {"rules": {rule.id: _kept(rule) for rule in self.rules}}


def _kept(rule: CheckedRule) -> dict[str, Any]:
    """Give what a bundle keeps of a rule; a key is there only where the rule has what it is about."""
    kept: dict[str, Any] = {"when": rule.rule.when, "checked": _encoded(rule.condition)}
    if rule.suppressions:
        kept["except"] = [
            {"when": one.suppression.text, "checked": _encoded(one.condition)} for one in rule.suppressions
        ]
    if rule.key is not None:
        kept["key"] = _encoded(rule.key)
    return kept


def _encoded(expression: CheckedExpression) -> str:
    return base64.b64encode(expression.checked).decode("ascii")
