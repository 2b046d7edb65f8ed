"""The definition of right: one checked expression evaluated by the CEL library's own runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.expression import CheckedExpression, ListName, Name, walk
from rules.functions.table import ERROR
from rules.membership import Lists
from rules.runtime import compiled


class Unknown:
    """The result of an expression that has no value: the runtime gave an error."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def evaluate(expression: CheckedExpression, values: Mapping[str, Any], lists: Lists | None = None) -> Any:
    """Evaluate one expression over one record.

    Values are as everywhere (timestamps and durations in microseconds, None for what is missing). Returns the
    value, None for null, or UNKNOWN.
    """
    names = {node.name: node for node in walk(expression.node) if isinstance(node, Name | ListName)}
    given = [
        sorted((lists or {})[node.name]) if isinstance(node, ListName) else values.get(node.name)
        for node in names.values()
    ]
    result = compiled(expression.checked, tuple(names.values()))(given)
    return UNKNOWN if result is ERROR else result
