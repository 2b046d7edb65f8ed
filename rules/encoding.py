"""Typed nodes in, the tree and the bytes of a CheckedExpr message out: equal nodes, equal bytes."""

from __future__ import annotations

from rules.expression import (
    BOOL,
    CIDR,
    DURATION,
    STRING,
    TIMESTAMP,
    Call,
    Element,
    Foreign,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    Quantifier,
)
from rules.functions import TABLE
from rules.functions.clock import format_timestamp
from rules.functions.span import format_duration
from rules.functions.table import Function
from rules.tree import Tree, called
from rules.tree_writer import write_tree

ACCUMULATOR = "@result"
LOOPS = {"all": ("_&&_", "logical_and", True), "exists": ("_||_", "logical_or", False)}
NOT_FALSE = "@not_strictly_false"

_UNWRAPPED = (TIMESTAMP, DURATION)


def encode(node: Node) -> bytes:
    """Write nodes as a CheckedExpr message."""
    return write_tree(to_tree(node))


def to_tree(node: Node) -> Tree:
    """Turn nodes into the tree that CEL has for them."""
    match node:
        case Literal(type="timestamp"):
            return _moment(TIMESTAMP, format_timestamp(node.value))
        case Literal(type="duration"):
            return _moment(DURATION, format_duration(node.value))
        case Literal():
            return Tree(0, "constant", node.value, node.type, declared=node.type)
        case Name():
            return Tree(
                0,
                "name",
                node.name,
                declared=node.type if node.type in _UNWRAPPED else f"wrapper({node.type})",
            )
        case ListName():
            return Tree(
                0, "name", node.name, declared=CIDR if node.element == CIDR else f"list({node.element})"
            )
        case ListLiteral():
            return Tree(0, "list", (), "", tuple(map(to_tree, node.elements)), declared="list(dyn)")
        case Element():
            return Tree(0, "name", _variable(node.number), declared=node.type)
        case Quantifier():
            return _loop(node)
        case Foreign():
            return node.tree  # type: ignore[no-any-return]
        case Call():
            row = TABLE[node.overload]
            member = isinstance(row, Function) and row.member
            arguments = map(to_tree, node.arguments)
            return called(row.name, row.overload, *arguments, declared=node.type, member=member)


def _moment(kind: str, text: str) -> Tree:
    written = Tree(0, "constant", text, STRING, declared=STRING)
    return called(kind, f"string_to_{kind}", written)


def _variable(number: int) -> str:
    """Name a loop's variable as no author can: it takes no field's name."""
    return f"@x{number}"


def _loop(node: Quantifier) -> Tree:
    operator, overload, start = LOOPS[node.kind]
    accumulator = Tree(0, "name", ACCUMULATOR, declared=BOOL)
    going = accumulator if start else called("!_", "logical_not", accumulator, declared=BOOL)
    parts = (
        to_tree(node.over),
        Tree(0, "constant", start, BOOL, declared=BOOL),
        called(NOT_FALSE, "not_strictly_false", going, declared=BOOL),
        called(operator, overload, accumulator, to_tree(node.body), declared=BOOL),
        accumulator,
    )
    return Tree(0, "loop", (_variable(node.number), "", ACCUMULATOR), children=parts, declared=BOOL)
