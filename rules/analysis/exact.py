"""What nodes are sure to do: have a value where their fields do, and compare as the exact numbers would."""

from __future__ import annotations

from typing import Any as Anything

from rules.expression import DOUBLE, INT, NULL, Call, ListLiteral, ListName, Literal, Name, Node, walk
from rules.functions import TABLE
from rules.functions.table import Function

EXACT = 2**53  # below it an int and its double are one number


def inner_field(node: Node) -> Node:
    """Look through the widening of a field: its double is compared as the field is."""
    if isinstance(node, Call) and node.overload == "int64_to_double" and isinstance(node.arguments[0], Name):
        return node.arguments[0]
    return node


def is_strict(node: Node) -> bool:
    """Say whether a node has a value (not null) exactly where all its fields do and nothing in it fails."""
    if isinstance(node, Call):
        return isinstance(TABLE.get(node.overload), Function) and all(map(is_strict, node.arguments))
    return isinstance(node, Name) or (isinstance(node, Literal) and node.type != NULL)


def may_fail(node: Node) -> bool:
    """Say whether a node may have no value though none of its fields is missing."""
    if isinstance(node, Name | Literal):
        return False
    if not isinstance(node, Call) or not is_strict(node):
        return True
    row = TABLE[node.overload]
    return (isinstance(row, Function) and row.fails) or any(map(may_fail, node.arguments))


def is_plain(node: Call) -> bool:
    """Say whether a call is on fields, lists and constants alone."""
    parts = [part for part in walk(node) if part is not node]
    return all(isinstance(part, Name | Literal | ListName | ListLiteral) for part in parts)


def compares_exactly(node: Node, value: Anything) -> bool:
    """Say whether comparing a node with a constant is the same as by exact numbers."""
    return value is None or is_exact(inner_field(node).type, value)


def is_exact(kind: str, value: Anything) -> bool:
    """Say whether comparing a value of this type with a constant is the same as by exact numbers."""
    if kind == INT and isinstance(value, float):
        return -EXACT < value < EXACT
    if kind == DOUBLE and isinstance(value, int):
        return -EXACT < value < EXACT
    return True
