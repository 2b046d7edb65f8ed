"""The condition that a cell puts on its input, as CEL text and as nodes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rules.cells import ORDERINGS, Cell, Test, bounds
from rules.expression import (
    BOOL,
    CIDR,
    DOUBLE,
    DURATION,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Call,
    ListLiteral,
    ListName,
    Literal,
    Node,
)
from rules.functions.clock import format_timestamp
from rules.functions.span import format_duration

_SUFFIXES = {kind: kind for kind in (BOOL, DOUBLE, STRING, TIMESTAMP, DURATION)} | {INT: "int64"}


def cell_text(cell: Cell, name: str, kind: str) -> str:
    """Say a cell's condition on the input `name` (CEL text) in CEL; empty where it asks nothing.

    >>> cell_text(Cell((Test("[]", 1, 4),)), "count", "int")
    'count >= 1 && count <= 4'
    """
    if not cell.tests:
        return ""
    name = name if re.fullmatch(r"[\w.]+", name) else f"({name})"
    parts = [f"{name} in {cell.list}"] if cell.list else []
    values, others = _sorted(cell)
    written = [literal_text(value, kind) for value in values]
    if len(written) == 1:
        if cell.negated and not others:
            return f"{name} != {written[0]}"
        parts.append(f"{name} == {written[0]}")
    elif written:
        parts.append(f"{name} in [{', '.join(written)}]")
    for test in others:
        ends = [f"{name} {how} {literal_text(bound, kind)}" for how, bound in bounds(test)]
        parts.append(" && ".join(ends))
    if len(parts) > 1:
        parts = [f"({part})" if " && " in part else part for part in parts]
    text = " || ".join(parts)
    if cell.negated:
        return f"!({text})"
    return f"({text})" if len(parts) > 1 else text


def cell_node(cell: Cell, node: Node, element: str = "") -> Node | None:
    """Give the same condition as nodes in normal form; None where a cell asks nothing.

    `element` is the element type of the cell's list.
    """
    if not cell.tests:
        return None
    parts: list[Node] = []
    if cell.list:
        parts.append(looked_up(node, cell.list, element))
    values, others = _sorted(cell)
    literals = [_literal_node(value, node.type) for value in values]
    if len(literals) == 1:
        if cell.negated and not others:
            return Call("not_equals", (node, literals[0]), BOOL)
        parts.append(Call("equals", (node, literals[0]), BOOL))
    elif literals:
        parts.append(Call("in_list", (node, ListLiteral(tuple(literals))), BOOL))
    for test in others:
        ends = [_bound_node(how, node, bound) for how, bound in bounds(test)]
        parts.append(join("logical_and", ends))
    found = join("logical_or", parts)
    return Call("logical_not", (found,), BOOL) if cell.negated else found


def looked_up(node: Node, name: str, element: str) -> Node:
    """Give the condition that a value is in a list, or an address in one of its networks."""
    return Call("in_ranges" if element == CIDR else "in_list", (node, ListName(name, element)), BOOL)


def join(overload: str, parts: Sequence[Node]) -> Node:
    """Join conditions by && or ||, in halves: a chain of a thousand is ten deep."""
    if len(parts) == 1:
        return parts[0]
    half = (len(parts) + 1) // 2
    return Call(overload, (join(overload, parts[:half]), join(overload, parts[half:])), BOOL)


def literal_text(value: Any, kind: str) -> str:
    """Write a value as a CEL literal."""
    if value is None:
        return "null"
    if kind == STRING:
        return "'" + "".join(_escaped(character) for character in value) + "'"
    if kind == TIMESTAMP:
        return f"timestamp('{format_timestamp(value)}')"
    if kind == DURATION:
        return f"duration('{format_duration(value)}')"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _sorted(cell: Cell) -> tuple[list[Any], list[Test]]:
    """Part the values that a cell names from its other tests."""
    values = [test.low for test in cell.tests if test.how == "=="]
    return values, [test for test in cell.tests if test.how not in ("==", "in")]


def _literal_node(value: Any, kind: str) -> Literal:
    if value is None:
        return Literal(NULL, None)
    return Literal(kind, float(value) if kind == DOUBLE else value)


def _bound_node(how: str, node: Node, bound: Any) -> Node:
    literal = _literal_node(bound, node.type)
    overload = "not_equals" if how == "!=" else f"{ORDERINGS[how]}_{_SUFFIXES[node.type]}"
    return Call(overload, (node, literal), BOOL)


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
