"""A `cel.expr.CheckedExpr` message in, its plain syntax tree out.

Reading has limits of our own on what hostile bytes may ask for; `rules.tree_writer` goes the same way back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rules import wire
from rules.errors import UnreadableExpression
from rules.expression import BOOL, DOUBLE, INT, NULL, STRING
from rules.wire import decoded, fields, integer, message, signed

MAX_BYTES = 2_000_000
MAX_DEPTH = 100

_CONSTANTS = {2: BOOL, 3: INT, 4: "uint", 5: DOUBLE, 6: STRING, 7: "bytes"}
_LOOP = (2, 4, 5, 6, 7)


class Tree(NamedTuple):
    """One node as the message has it.

    kind, and what `value` and `children` are:

    - `constant`: the value, of type `type`;
    - `name`: its name;
    - `call`: the function; its arguments, the first one its target if `member`;
    - `select`: the field; the operand; `member` if only asked whether it is there (`has`);
    - `list`: the positions of optional elements; the elements;
    - `struct`: (message name or "", field names or None for a map, positions of optional entries); each
      value, for a map after its key;
    - `loop`: (variable, second variable, accumulator); range, start, condition, step, result;
    - `other`: what it is.

    `declared` is the node's type and `reference` the ids of its overloads, where they are to be written.
    """

    id: int
    kind: str
    value: Any = None
    type: str = ""
    children: tuple[Tree, ...] = ()
    member: bool = False
    declared: str = ""
    reference: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message read: the tree, each node's type and reference (still bytes), and its place in the text."""

    tree: Tree
    types: Mapping[int, bytes]
    references: Sequence[bytes] = ()
    positions: dict[int, int] = field(default_factory=dict)
    _overloads: dict[int, bytes] = field(default_factory=dict)

    def type(self, tree: Tree) -> str:
        """Give the type that the message says a node has, as `wire.type_name` names it."""
        return wire.type_name(self.types.get(tree.id, b""))

    def reference(self, tree: Tree) -> tuple[str, ...]:
        """Give the ids of the overloads that the message says a call may have."""
        known = self._overloads
        if len(known) < len(self.references):
            # Few messages have a part that needs them.
            known.update(_entry(entry) for entry in self.references)
        return tuple(decoded(value) for n, value in fields(known.get(tree.id, b"")) if n == 3)


def read(data: bytes) -> Parsed:
    """Read a CheckedExpr message.

    Raises UnreadableExpression where the bytes are too many, nested too deeply, cut short or no such message.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableExpression(f"a checked expression of {len(data)} bytes; at most {MAX_BYTES} are read")
    tree: Tree | None = None
    references: list[bytes] = []
    types: dict[int, bytes] = {}
    positions: dict[int, int] = {}
    for number, value in fields(data):
        if number == 2:
            references.append(message(value))
        elif number == 3:
            key, entry = _entry(message(value))
            types[key] = entry
        elif number == 4:
            tree = _expression(message(value), 1)
        elif number == 5:
            positions = _positions(message(value))
    if tree is None:
        raise UnreadableExpression("a checked expression without an expression in it")
    return Parsed(tree, types, references, positions)


def walk(tree: Tree) -> Iterator[Tree]:
    """Give the tree's nodes, parents first."""
    pending = [tree]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(current.children))


def typed(parsed: Parsed) -> Tree:
    """Give a message's tree with the type and reference of every node in it, ready to be written again."""

    def one(tree: Tree) -> Tree:
        children = tuple(map(one, tree.children))
        reference = parsed.reference(tree) if tree.kind == "call" else ()
        return tree._replace(children=children, declared=parsed.type(tree), reference=reference)

    return one(parsed.tree)


def _expression(data: bytes, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise UnreadableExpression(f"a checked expression nested more than {MAX_DEPTH} deep")
    node_id, tree = 0, None
    for number, value in fields(data):
        if number == 2:
            node_id = signed(integer(value))
        elif number == 3:
            tree = _constant(message(value))
        elif number == 4:
            tree = Tree(0, "name", decoded(dict(fields(message(value))).get(1, b"")))
        elif number == 6:
            tree = _call(message(value), depth)
        elif number in _PARTS:
            tree = _PARTS[number](message(value), depth)
    if tree is None:
        raise UnreadableExpression("a checked expression with an empty node")
    return Tree(node_id, tree.kind, tree.value, tree.type, tree.children, tree.member)


def _call(data: bytes, depth: int) -> Tree:
    function, target, arguments = "", [], []
    for number, value in fields(data):
        if number == 1:
            target = [_expression(message(value), depth + 1)]
        elif number == 2:
            function = decoded(value)
        elif number == 3:
            arguments.append(_expression(message(value), depth + 1))
    return Tree(0, "call", function, children=(*target, *arguments), member=bool(target))


def _select(data: bytes, depth: int) -> Tree:
    parts = dict(fields(data))
    operand = _expression(message(parts.get(1, b"")), depth + 1)
    return Tree(
        0, "select", decoded(parts.get(2, b"")), children=(operand,), member=bool(integer(parts.get(3, 0)))
    )


def _list(data: bytes, depth: int) -> Tree:
    elements = []
    optional: tuple[int, ...] = ()
    for number, value in fields(data):
        if number == 1:
            elements.append(_expression(message(value), depth + 1))
        elif number == 2:
            optional = (*optional, *wire.packed(value))
    return Tree(0, "list", optional, children=tuple(elements))


def _struct(data: bytes, depth: int) -> Tree:
    name, names, children, optional = "", [], [], []
    for number, value in fields(data):
        if number == 1:
            name = decoded(value)
        elif number == 2:
            entry = dict(fields(message(value)))
            if 3 in entry:
                children.append(_expression(message(entry[3]), depth + 1))
            names.append(decoded(entry.get(2, b"")) if 3 not in entry else None)
            children.append(_expression(message(entry.get(4, b"")), depth + 1))
            optional += [len(names) - 1] if entry.get(5) else []
    return Tree(0, "struct", (name, tuple(names), tuple(optional)), children=tuple(children))


def _loop(data: bytes, depth: int) -> Tree:
    parts = dict(fields(data))
    names = tuple(decoded(parts.get(number, b"")) for number in (1, 8, 3))
    children = tuple(_expression(message(parts.get(number, b"")), depth + 1) for number in _LOOP)
    return Tree(0, "loop", names, children=children)


_PARTS = {5: _select, 7: _list, 8: _struct, 9: _loop}


def _constant(data: bytes) -> Tree:
    for number, value in fields(data):
        if number == 1:
            return Tree(0, "constant", None, NULL)
        kind = _CONSTANTS.get(number, "other")
        read: Any = None
        if number in (2, 3, 4):
            plain = integer(value)
            read = bool(plain) if number == 2 else signed(plain) if number == 3 else plain
        elif number == 5:
            read = wire.double(value)
        elif number == 6:
            read = decoded(value)
        elif number == 7:
            read = message(value)
        return Tree(0, "constant", read, kind)
    raise UnreadableExpression("a checked expression with an empty constant")


def _entry(data: bytes) -> tuple[int, bytes]:
    # Nearly every key and size is one byte.
    if len(data) > 3 and data[0] == 0x08 and data[2] == 0x12 and data[1] < 0x80 and data[3] == len(data) - 4:
        return data[1], data[4:]
    entry = dict(fields(data))
    return signed(integer(entry.get(1, 0))), message(entry.get(2, b""))


def _positions(source_info: bytes) -> dict[int, int]:
    positions = {}
    for number, value in fields(source_info):
        if number == 4:
            if len(value := message(value)) == 4 and value[::2] == b"\x08\x10" and value.isascii():
                positions[value[1]] = value[3]
                continue
            entry = dict(fields(value))
            positions[signed(integer(entry.get(1, 0)))] = signed(integer(entry.get(2, 0)))
    return positions


def called(function: str, overload: str, *arguments: Tree, declared: str = "", member: bool = False) -> Tree:
    """Make a call."""
    return Tree(0, "call", function, "", arguments, member, declared, (overload,))
