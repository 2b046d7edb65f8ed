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
    ListName,
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
    data: dict[str, Any] = {name: values.get(name) for name in expression.variables}
    data |= {name: list((lists or {})[name]) for name in expression.lists}
    written = {
        node.name: literal
        for node in walk(expression.node)
        if isinstance(node, Name | ListName) and (literal := _literal(node, data[node.name])) is not None
    }
    program = _program(expression, written)
    return _plain(program.eval(data={name: value for name, value in data.items() if name not in written}))


def _program(expression: CheckedExpression, written: Mapping[str, Node]) -> Any:
    names = (expression.variables | expression.lists) - frozenset(written)
    checked = encode(_substitute(expression.node, written)) if written else expression.checked
    return _environment(names).deserialize(wire.wrap(checked))


def _literal(node: Name | ListName, value: Any) -> Node | None:
    """Write out what the library's binding does not take: timestamps, and texts with a NUL, which it cuts."""
    if isinstance(node, ListName):
        cut = node.element == STRING and any("\0" in text for text in value)
        return ListLiteral(tuple(Literal(STRING, text) for text in value)) if cut else None
    if value is None or not (node.type == TIMESTAMP or (node.type == STRING and "\0" in value)):
        return None
    return Literal(node.type, value)


def _substitute(node: Node, written: Mapping[str, Node]) -> Node:
    if isinstance(node, Name | ListName):
        return written.get(node.name, node)
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_substitute(child, written) for child in node.arguments))
    if isinstance(node, ListLiteral):
        return replace(node, elements=tuple(_substitute(child, written) for child in node.elements))
    return node


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
