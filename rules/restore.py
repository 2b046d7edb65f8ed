"""The rule files and checked expressions of a bundle in, checked rules out, without compiling any CEL."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from rules.checked_rules import CheckedRule, CheckedRules, CheckedSuppression
from rules.checked_tables import INPUT_TYPES, CheckedTable, read_cells, timed
from rules.errors import Problem, UnreadableExpression
from rules.expression import BOOL, TIMESTAMP, CheckedExpression, ListName, Name, walk
from rules.files import Filters, Rule
from rules.gather import Gathered
from rules.hit_policy import Rank
from rules.period import Period
from rules.rollout import KEY_TYPES
from rules.tables import Table

EXPRESSIONS_FILE = "expressions.json"


def restore_rules(
    files: Mapping[str, bytes],
    list_files: Mapping[str, bytes],
    expressions: Mapping[str, Any],
    *,
    scores: Sequence[str],
    outcomes: Sequence[str],
) -> CheckedRules:
    """Give the checked rules that a bundle holds; inline tests stay unread.

    `expressions` is what `CheckedRules.expressions()` gave. Raises `CheckFailed` where it and the files do
    not belong together.
    """
    gathered = Gathered(files, scores, outcomes, list_files.__getitem__)
    kept = expressions.get("rules") if isinstance(expressions, Mapping) else None
    kept = dict(kept) if isinstance(kept, Mapping) else {}
    rules = []
    for filters, rule, rank in gathered.ranked():
        try:
            rules.append(_rule(kept.pop(rule.id, None), filters, rule, rank, gathered))
        except UnreadableExpression as error:
            gathered.problems.append(filters.document.problem((*rule.path, "when"), str(error)))
    tables = []
    inputs = expressions.get("tables", {}) if isinstance(expressions, Mapping) else {}
    inputs = dict(inputs) if isinstance(inputs, Mapping) else {}
    lists = {name: values.type for name, values in gathered.lists.items()}
    for filters, table, file, ranks in gathered.ranked_tables():
        kept_table = inputs.pop(table.id, None)
        try:
            checked = _inputs(kept_table, table, gathered)
            moment = _event_time(kept_table, table, gathered)
            suppressions, key = _reach(kept_table, table, gathered)
        except UnreadableExpression as error:
            gathered.problems.append(filters.document.problem((*table.path, "inputs"), str(error)))
            continue
        cells, problems = read_cells(table, filters.document, checked, lists, {})
        gathered.problems += problems
        if moment is not None and not problems:
            checked, cells = timed(table, checked, cells, moment)
        tables.append(
            CheckedTable(table, filters.document, checked, cells, lists, file, ranks, (), suppressions, key)
        )
    for extra in inputs:
        gathered.problems.append(Problem(EXPRESSIONS_FILE, 1, 1, f"no table '{extra}' in the rule files"))
    for extra in kept:
        gathered.problems.append(Problem(EXPRESSIONS_FILE, 1, 1, f"no rule '{extra}' in the rule files"))
    return gathered.finish(rules, tables, ())


def _rule(kept: Any, filters: Filters, rule: Rule, rank: Rank, gathered: Gathered) -> CheckedRule:
    """Give a rule with what a bundle keeps for it; UnreadableExpression says why that is not the rule's."""
    if not isinstance(kept, Mapping):
        raise UnreadableExpression(f"no checked expression of '{rule.id}'")
    condition = _restored(kept, rule, rule.when, gathered)
    _refuse_other_period(rule.effective, condition, rule)
    suppressions, key = _reach(kept, rule, gathered)
    return CheckedRule(rule, filters.document, condition, (), rank, filters.hit_policy, suppressions, key)


def _reach(
    kept: Mapping[str, Any], rule: Rule | Table, gathered: Gathered
) -> tuple[tuple[CheckedSuppression, ...], CheckedExpression | None]:
    """Give the exceptions of a rule or a table, and the key of its rollout."""
    entries = kept.get("except", [])
    if not isinstance(entries, list) or len(entries) != len(rule.suppressions):
        raise UnreadableExpression(f"not one checked expression for each exception of '{rule.id}'")
    suppressions = tuple(
        CheckedSuppression(one, _restored(entry, rule, one.text, gathered))
        for one, entry in zip(rule.suppressions, entries, strict=True)
    )
    for one in suppressions:
        _refuse_other_period(one.suppression.period, one.condition, rule)
    key = None
    if rule.rollout is not None:
        name = rule.rollout.key
        key = _restored({"when": name, "checked": kept.get("key")}, rule, name, gathered, KEY_TYPES)
        if not isinstance(key.node, Name) or key.node.name != name:
            raise UnreadableExpression(f"the checked expression of '{rule.id}' has not '{name}' for its key")
    return suppressions, key


def _event_time(kept: Mapping[str, Any], table: Table, gathered: Gathered) -> CheckedExpression | None:
    """Give the event's time where rows of a table have periods."""
    if table.timed is None:
        return None
    written = kept.get("event_time")
    name = written.get("value") if isinstance(written, Mapping) else None
    if not isinstance(written, Mapping) or not isinstance(name, str):
        raise UnreadableExpression(f"no checked expression of the event's time of '{table.id}'")
    one = {"when": name, "checked": written.get("checked")}
    moment = _restored(one, table, name, gathered, (TIMESTAMP,))
    if not isinstance(moment.node, Name) or moment.node.name != name:
        raise UnreadableExpression(f"the event's time of '{table.id}' is no field")
    return moment


def _inputs(kept: Any, table: Table, gathered: Gathered) -> tuple[CheckedExpression, ...]:
    """Give the inputs that a bundle keeps for a table; UnreadableExpression says why they are not its own."""
    written = kept.get("inputs") if isinstance(kept, Mapping) else None
    if not isinstance(written, list) or len(written) != len(table.inputs):
        raise UnreadableExpression(f"not one checked expression for each input of '{table.id}'")
    return tuple(
        _restored(
            {"when": one.get("value"), "checked": one.get("checked")} if isinstance(one, Mapping) else None,
            table,
            given.value,
            gathered,
            INPUT_TYPES,
        )
        for one, given in zip(written, table.inputs, strict=True)
    )


def _restored(
    kept: Any, rule: Rule | Table, text: str, gathered: Gathered, types: tuple[str, ...] = (BOOL,)
) -> CheckedExpression:
    from rules.checked import decode

    if not isinstance(kept, Mapping) or not isinstance(kept.get("checked"), str):
        raise UnreadableExpression(f"no checked expression of '{rule.id}'")
    if kept.get("when") != text:
        raise UnreadableExpression(f"the checked expression of '{rule.id}' is of another text")
    try:
        expression = decode(text, base64.b64decode(kept["checked"], validate=True))
    except (UnreadableExpression, ValueError) as error:
        message = f"the checked expression of '{rule.id}' cannot be read: {error}"
        raise UnreadableExpression(message) from None
    if expression.type not in types:
        what = "no condition" if types == (BOOL,) else f"a {expression.type}"
        raise UnreadableExpression(f"the checked expression of '{rule.id}' is {what}")
    for node in walk(expression.node):
        if isinstance(node, ListName):
            values = gathered.lists.get(node.name)
            if values is None or values.type != node.element:
                message = f"needs the list '{node.name}' of {node.element}"
                raise UnreadableExpression(f"the checked expression of '{rule.id}' {message}")
        if isinstance(node, Name) and _score(node.name) not in (None, *gathered.scores):
            raise UnreadableExpression(f"the checked expression of '{rule.id}' needs '{node.name}'")
    if looped := gathered.too_many_rounds(expression):
        raise UnreadableExpression(f"the checked expression of '{rule.id}': {looped}")
    return expression


def _refuse_other_period(period: Period | None, condition: CheckedExpression, rule: Rule | Table) -> None:
    if period is not None and not period.opens(condition.node):
        raise UnreadableExpression(f"the checked expression of '{rule.id}' is of other dates")


def _score(name: str) -> str | None:
    return name.removeprefix("scores.") if name.startswith("scores.") else None
