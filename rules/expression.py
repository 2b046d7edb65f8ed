"""A checked expression: typed, frozen nodes in the normal form that all three evaluators share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION = "bool", "int", "double", "string", "timestamp", "duration"
TYPES = (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION)
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
    """A constant. Timestamps (since the epoch) and durations are int microseconds; null is None."""

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
    """A declared list, on the right of `in` or looped over by a quantifier."""

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


@dataclass(frozen=True, slots=True)
class Element:
    """The entry that a quantifier is at, numbered from 0 by how many quantifiers stand around it."""

    number: int
    type: str
    offset: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Quantifier:
    """`all` or `exists` over a declared list: Kleene's `&&` or `||` of the body for every entry.

    `number` is that of the `Element`s in the body which stand for the entry.
    """

    kind: str
    number: int
    over: ListName
    body: Node
    offset: int = field(default=-1, compare=False)
    type: str = BOOL


@dataclass(frozen=True, slots=True)
class Foreign:
    """A part that only the CEL runtime evaluates, record by record: bytes of its own, and the names it reads.

    Its result is a bool, int, double or string, null, or no value. `why` says what the fast evaluators lack.
    """

    checked: bytes
    type: str
    inputs: tuple[Name | ListName, ...]
    why: str = field(compare=False)
    offset: int = field(default=-1, compare=False)
    tree: Any = field(default=None, compare=False, repr=False)


Node = Literal | Name | ListName | ListLiteral | Call | Element | Quantifier | Foreign


@dataclass(frozen=True)
class CheckedExpression:
    """One expression that checked: its text as written, its type, and its normal form as nodes and as bytes.

    `row_by_row` says where the text has what only the CEL runtime evaluates, and why: (offset, why).
    `encoded` are the bytes where they were known from the start.
    """

    text: str
    type: str
    node: Node
    variables: frozenset[str]
    lists: frozenset[str]
    row_by_row: tuple[tuple[int, str], ...] = field(default=(), compare=False)
    encoded: bytes | None = field(default=None, compare=False, repr=False)

    @cached_property
    def checked(self) -> bytes:
        """A `cel.expr.CheckedExpr` message in one deterministic encoding: equal nodes, equal bytes."""
        from rules.encoding import encode

        return encode(self.node) if self.encoded is None else self.encoded

    @cached_property
    def names(self) -> tuple[Name, ...]:
        """The names that it reads, each as often as it stands there, in the order of the text."""
        return tuple(node for node in walk(self.node) if isinstance(node, Name))


def children(node: Node) -> tuple[Node, ...]:
    """Give the nodes directly below."""
    match node:
        case Call():
            return node.arguments
        case ListLiteral():
            return node.elements
        case Quantifier():
            return node.over, node.body
        case Foreign():
            return node.inputs
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Give the node and all below it, parents first, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(children(current)))


def depth(node: Node) -> int:
    """Count the levels of a node and all below it."""
    levels, level = 0, [node]
    while level:
        levels += 1
        level = [part for one in level for part in children(one)]
    return levels


class Keys:
    """Numbers for nodes: equal structure, equal number. What is computed once can then be shared.

    Not dataclass equality: 0.0 and -0.0 are equal and divide differently.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._met: dict[int, tuple[Node, int]] = {}  # by id, which the node beside it keeps its own

    def __getitem__(self, node: Node) -> int:
        met = self._met.get(id(node))
        if met is None:
            met = self._met[id(node)] = node, self._number(node)
        return met[1]

    def _number(self, node: Node) -> int:
        parts: tuple[Any, ...]
        if type(node) is Call:  # as most are
            parts = (node.overload, node.type, *map(self.__getitem__, node.arguments))
            return self._numbers.setdefault(parts, len(self._numbers))
        match node:
            case Literal():
                parts = ("literal", node.type, repr(node.value))
            case Name():
                parts = ("name", node.type, node.name)
            case ListName():
                parts = ("list", node.element, node.name)
            case Element():
                parts = ("element", node.type, node.number)
            case Quantifier():
                parts = (node.kind, node.number, self[node.over], self[node.body])
            case Foreign():
                parts = ("foreign", node.type, node.checked)
            case _:
                parts = ("elements", node.type, *map(self.__getitem__, children(node)))
        return self._numbers.setdefault(parts, len(self._numbers))
