"""The definition of right: one checked expression evaluated by the CEL library's own runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from rules import wire
from rules.checked import encode
from rules.environment import running
from rules.expression import (
    STRING,
    TIMESTAMP,
    Call,
    CheckedExpression,
    ListLiteral,
    Literal,
    Name,
    Node,
    walk,
)
from rules.scalar import Lists


class Unknown:
    """The result of an expression that has no value: the runtime gave an error."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def evaluate(expression: CheckedExpression, values: Mapping[str, Any], lists: Lists | None = None) -> Any:
    """Evaluate one expression over one record.

    Values are as everywhere (timestamps in microseconds, None for what is missing). Returns the value, None
    for null, or UNKNOWN.
    """
    held = {name: values.get(name) for name in expression.variables}
    node, data = _written_in(expression.node, held)
    data |= {name: list((lists or {})[name]) for name in expression.lists}
    names = expression.variables | expression.lists
    checked = expression.checked if node is expression.node else encode(node)
    program = _environment(names).deserialize(wire.wrap(checked))
    return _plain(program.eval(data=data))


def _written_in(node: Node, values: dict[str, Any]) -> tuple[Node, dict[str, Any]]:
    """Write into the expression what the binding does not take: timestamps, and texts with a NUL."""
    literals: dict[str, Literal] = {}
    for name in _names(node):
        value = values[name.name]
        if value is not None and (name.type == TIMESTAMP or (name.type == STRING and "\0" in value)):
            literals[name.name] = Literal(name.type, value)
    if not literals:
        return node, values
    return _substitute(node, literals), {name: v for name, v in values.items() if name not in literals}


def _substitute(node: Node, literals: Mapping[str, Literal]) -> Node:
    if isinstance(node, Name):
        return literals.get(node.name, node)
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_substitute(child, literals) for child in node.arguments))
    if isinstance(node, ListLiteral):
        return replace(node, elements=tuple(_substitute(child, literals) for child in node.elements))
    return node


def _names(node: Node) -> list[Name]:
    return [one for one in walk(node) if isinstance(one, Name)]


def _plain(value: Any) -> Any:
    """Turn the library's value into ours. Its type comes first: value() of a null is not to be trusted."""
    from cel_expr_python import cel

    kind = value.type()
    if kind == cel.Type.NULL:
        return None
    if kind == cel.Type.ERROR or kind == cel.Type.UNKNOWN:
        return UNKNOWN
    plain = value.plain_value()
    if isinstance(plain, datetime):
        return (plain - _EPOCH) // timedelta(microseconds=1)
    return plain


@lru_cache(maxsize=64)
def _environment(names: frozenset[str]) -> Any:
    return running(names)
