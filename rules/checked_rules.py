"""Checked rules: every rule with its condition checked and its tests typed, ready to compile or to keep."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rules import turns
from rules.checked_tables import CheckedTable
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
    order they state, else in name order; `tables` are in the same order. `variables` are what conditions may
    use, scores and `proposed` included; none when restored.
    """

    files: Mapping[str, bytes]
    list_files: Mapping[str, bytes]
    filters: tuple[Filters, ...]
    rules: tuple[CheckedRule, ...]
    lists: Mapping[str, ListValues]
    scores: tuple[str, ...]
    outcomes: tuple[str, ...]
    variables: tuple[Variable, ...] = ()
    tables: tuple[CheckedTable, ...] = ()

    def members(self) -> Iterator[CheckedRule | CheckedTable]:
        """Give rules and tables in order: the tables of a file come after its rules."""
        pending = list(reversed(self.tables))
        for rule in self.rules:
            while pending and pending[-1].file < rule.rank.file:
                yield pending.pop()
            yield rule
        yield from reversed(pending)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rules in order, with those that are rows of tables."""
        found: list[str] = []
        for member in self.members():
            found += member.ids if isinstance(member, CheckedTable) else [member.id]
        return tuple(found)

    def rule(self, rule_id: str) -> CheckedRule:
        """Give a rule, or a row of a table as one, by its id. Raises KeyError."""
        if rule_id in self._by_id:
            return self._by_id[rule_id]
        for table in self.tables:
            if rule_id in table.places:
                row = table.places[rule_id]
                rank = table.ranks.rank(table.table.rows[row], row)
                return CheckedRule(
                    table.rule(row),
                    table.document,
                    table.condition(row),
                    (),
                    rank,
                    suppressions=table.suppressions,
                    key=table.key,
                )
        raise KeyError(rule_id)

    @cached_property
    def _by_id(self) -> Mapping[str, CheckedRule]:
        return {rule.id: rule for rule in self.rules}

    def without(self, rule_id: str) -> CheckedRules:
        """Give the same rules without one of them, or without that row of a table."""
        rules = tuple(rule for rule in self.rules if rule.id != rule_id)
        tables = tuple(
            table.without(table.places[rule_id]) if rule_id in table.places else table
            for table in self.tables
        )
        return replace(self, rules=rules, tables=tables)

    @property
    def list_entries(self) -> dict[str, Collection[Any]]:
        """The entries of each list, as the evaluators take them."""
        return {name: values.entries for name, values in self.lists.items()}

    def expressions(self) -> dict[str, Any]:
        """Give every checked expression as JSON-able data: what `restore_rules` takes."""
        kept: dict[str, Any] = {"rules": {rule.id: _kept(rule) for rule in self.rules}}
        if self.tables:
            kept["tables"] = {table.id: table.expressions() for table in self.tables}
        return kept


def _kept(rule: CheckedRule) -> dict[str, Any]:
    """Give what a bundle keeps of a rule; a key is there only where the rule has what it is about."""
    turns.step()
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
