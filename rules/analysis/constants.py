"""Constant parts of a condition worked out by the reference evaluator: nodes in, simpler nodes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rules import reference
from rules.checked import express
from rules.expression import BOOL, TYPES, Call, Foreign, ListLiteral, Literal, Node, Quantifier


def folded(node: Node) -> Node:
    """Put the value of each part that reads nothing of a record in its place.

    A condition without a value becomes a literal of None, which is neither true nor false; any other part
    without one stays as it is.
    """
    match node:
        case Call():
            parts = tuple(map(folded, node.arguments))
            if any(new is not old for new, old in zip(parts, node.arguments, strict=True)):
                node = replace(node, arguments=parts)
            return _worked_out(node) if all(map(_is_constant, parts)) else node
        case ListLiteral():
            elements = tuple(map(folded, node.elements))
            same = all(new is old for new, old in zip(elements, node.elements, strict=True))
            return node if same else replace(node, elements=elements)
        case Quantifier():
            body = folded(node.body)
            return node if body is node.body else replace(node, body=body)
        case Foreign() if not node.inputs:
            return _worked_out(node)
    return node


def _is_constant(node: Node) -> bool:
    if isinstance(node, ListLiteral):
        return all(map(_is_constant, node.elements))
    if isinstance(node, Call):  # one without a value, such as 1 / 0: it stays as it is
        return node.type != BOOL and all(map(_is_constant, node.arguments))
    return isinstance(node, Literal) and (node.value is not None or node.type != BOOL)


def _worked_out(node: Node) -> Node:
    if node.type not in TYPES:
        return node
    value: Any = reference.evaluate(express("", node), {})
    if value is not None and value is not reference.UNKNOWN:
        return Literal(node.type, value, node.offset)
    return Literal(BOOL, None, node.offset) if node.type == BOOL else node
