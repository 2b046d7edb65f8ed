"""A checked expression: typed, frozen nodes in the normal form that all three evaluators share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BOOL, INT, DOUBLE, STRING, TIMESTAMP = "bool", "int", "double", "string", "timestamp"
TYPES = (BOOL, INT, DOUBLE, STRING, TIMESTAMP)
NULL, LIST = "null", "list"
CIDR = "cidr"
"""What a list of IP networks holds; a text is `in` such a list where it is an address in one of them."""


@dataclass(frozen=True)
class Variable:
    """A name that expressions may use: a field of the record, a score, `proposed`.

    `minimum`, `maximum` and `values` say what the schema allows: a text that is none of `values` is compared
    with in vain, and refused.
    """

    name: str
    type: str
    nullable: bool = True
    minimum: float | int | None = None
    maximum: float | int | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. A timestamp is held as int microseconds since the epoch, UTC; null as None."""

    type: str
    value: Any
    offset: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A variable; it may be null in the data whatever its declaration says."""

    name: str
    type: str
    offset: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class ListName:
    """A declared list, on the right of `in`."""

    name: str
    element: str
    offset: int = field(default=-1, compare=False)
    type: str = LIST


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """A list written out, on the right of `in`; its elements may be of both number types, and null."""

    elements: tuple[Node, ...]
    offset: int = field(default=-1, compare=False)
    type: str = LIST


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function applied: `overload` names its row in `rules.functions`."""

    overload: str
    arguments: tuple[Node, ...]
    type: str
    offset: int = field(default=-1, compare=False)


Node = Literal | Name | ListName | ListLiteral | Call


@dataclass(frozen=True)
class CheckedExpression:
    """One expression that checked: its text as written, its type, and its normal form as nodes and as bytes.

    `checked` is a `cel.expr.CheckedExpr` message in one deterministic encoding: equal nodes, equal bytes.
    """

    text: str
    type: str
    node: Node
    variables: frozenset[str]
    lists: frozenset[str]
    checked: bytes = field(repr=False)


def children(node: Node) -> tuple[Node, ...]:
    """Give the nodes directly below."""
    if isinstance(node, Call):
        return node.arguments
    return node.elements if isinstance(node, ListLiteral) else ()


def walk(node: Node) -> Iterator[Node]:
    """Give the node and all below it, parents first, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(children(current)))


class Keys:
    """Numbers for nodes: equal structure, equal number. What is computed once can then be shared.

    Not dataclass equality: 0.0 and -0.0 are equal and divide differently.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}

    def __getitem__(self, node: Node) -> int:
        parts: tuple[Any, ...]
        match node:
            case Literal():
                parts = ("literal", node.type, repr(node.value))
            case Name():
                parts = ("name", node.type, node.name)
            case ListName():
                parts = ("list", node.element, node.name)
            case _:
                label = node.overload if isinstance(node, Call) else "elements"
                parts = (label, node.type, *(self[child] for child in children(node)))
        return self._numbers.setdefault(parts, len(self._numbers))
