"""The rule files and checked expressions of a bundle in, checked rules out, without compiling any CEL."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from rules.checked_rules import CheckedRule, CheckedRules
from rules.errors import Problem, UnreadableExpression
from rules.expression import CheckedExpression, ListName, Name, walk
from rules.files import Rule
from rules.gather import Gathered

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
        condition = _restored(kept.pop(rule.id, None), rule, gathered)
        if isinstance(condition, str):
            gathered.problems.append(filters.document.problem((*rule.path, "when"), condition))
        else:
            rules.append(CheckedRule(rule, filters.document, condition, (), rank))
    for extra in kept:
        gathered.problems.append(Problem(EXPRESSIONS_FILE, 1, 1, f"no rule '{extra}' in the rule files"))
    return gathered.finish(rules, ())


def _restored(kept: Any, rule: Rule, gathered: Gathered) -> CheckedExpression | str:
    """Give the condition that a bundle keeps for a rule, or why it is not the rule's."""
    from rules.checked import decode

    if not isinstance(kept, Mapping) or not isinstance(kept.get("checked"), str):
        return f"no checked expression of '{rule.id}'"
    if kept.get("when") != rule.when:
        return f"the checked expression of '{rule.id}' is of another text"
    try:
        condition = decode(rule.when, base64.b64decode(kept["checked"], validate=True))
    except (UnreadableExpression, ValueError) as error:
        return f"the checked expression of '{rule.id}' cannot be read: {error}"
    if condition.type != "bool":
        return f"the checked expression of '{rule.id}' is no condition"
    for node in walk(condition.node):
        if isinstance(node, ListName):
            values = gathered.lists.get(node.name)
            if values is None or values.type != node.element:
                return f"the checked expression of '{rule.id}' needs the list '{node.name}' of {node.element}"
        if isinstance(node, Name) and _score(node.name) not in (None, *gathered.scores):
            return f"the checked expression of '{rule.id}' needs '{node.name}'"
    if looped := gathered.too_many_rounds(condition):
        return f"the checked expression of '{rule.id}': {looped}"
    return condition


def _score(name: str) -> str | None:
    return name.removeprefix("scores.") if name.startswith("scores.") else None
