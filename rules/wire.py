"""The bytes of a `cel.expr.CheckedExpr` message, read into a plain syntax tree and written from fields.

Written by hand rather than with a protobuf library: nothing more to install, one deterministic
encoding (ids in pre-order, maps in id order), and limits of our own on what hostile bytes may ask for.
Field numbers: https://github.com/google/cel-spec/tree/master/proto/cel/expr
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.errors import UnreadableExpression
from rules.expression import BOOL, CIDR, DOUBLE, INT, NULL, STRING, TIMESTAMP

MAX_BYTES = 2_000_000
MAX_DEPTH = 100
TYPE_URL = b"type.googleapis.com/cel.expr.CheckedExpr"

# INVARIANT: field numbers are below 16, so that a key is one byte.
_SMALL = [bytes([value]) for value in range(0x80)]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PRIMITIVES = {1: BOOL, 2: INT, 3: "uint", 4: DOUBLE, 5: STRING, 6: "bytes"}
_PRIMITIVE_CODES = {name: code for code, name in _PRIMITIVES.items()}


@dataclass(frozen=True, slots=True)
class Tree:
    """One node as the message has it.

    kind: `constant` (type, value), `name` (value), `call` (value = function; `member` if the first child
    is its target), `list`, or `other` (value = what it is).
    """

    id: int
    kind: str
    value: Any = None
    type: str = ""
    children: tuple[Tree, ...] = ()
    member: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message read: the tree, the type of each node (still bytes), and where each stands in the text."""

    tree: Tree
    types: Mapping[int, bytes]
    positions: dict[int, int] = field(default_factory=dict)


def read(data: bytes) -> Parsed:
    """Read a CheckedExpr message.

    Raises UnreadableExpression where the bytes are too many, nested too deeply, cut short or no such message.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableExpression(f"a checked expression of {len(data)} bytes; at most {MAX_BYTES} are read")
    tree: Tree | None = None
    types: dict[int, bytes] = {}
    positions: dict[int, int] = {}
    for number, value in _fields(data):
        if number == 3:
            key, entry = _entry(value)
            types[key] = entry
        elif number == 4:
            tree = _expression(_message(value), 1)
        elif number == 5:
            positions = _positions(_message(value))
    if tree is None:
        raise UnreadableExpression("a checked expression without an expression in it")
    return Parsed(tree, types, positions)


def unwrap(data: bytes) -> bytes:
    """Take the CheckedExpr out of the google.protobuf.Any that the CEL library serialises."""
    for number, value in _fields(data):
        if number == 2:
            return _message(value)
    raise UnreadableExpression("a serialised expression without a value")


def wrap(checked: bytes) -> bytes:
    """Put a CheckedExpr into a google.protobuf.Any, as the CEL library deserialises it."""
    return block(1, TYPE_URL) + block(2, checked)


def type_name(data: bytes) -> str:
    """Read a Type message: `int`, `wrapper(double)`, `list(string)`, or what it is that is not supported."""
    return _type(data, 1)


def varint(number: int, value: int) -> bytes:
    """Write one integer field; a negative one as its 64-bit two's complement."""
    return _key(number, _VARINT) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def block(number: int, data: bytes) -> bytes:
    """Write one length-delimited field: text, bytes or a message."""
    return _key(number, _BYTES) + _varint(len(data)) + data


def constant(type_name: str, value: Any) -> bytes:
    """Write a Constant message."""
    if type_name == NULL:
        return varint(1, 0)
    if type_name == BOOL:
        return varint(2, int(value))
    if type_name == INT:
        return varint(3, value)
    if type_name == DOUBLE:
        return _key(5, _FIXED64) + struct.pack("<d", value)
    return block(6, value.encode())


def type_message(name: str) -> bytes:
    """Write a Type message; `list(int)` and the like are lists, `wrapper(int)` may be null."""
    if name.startswith("list("):
        return block(6, block(1, type_message(name[5:-1])))
    if name.startswith("wrapper("):
        return varint(4, _PRIMITIVE_CODES[name[8:-1]])
    if name == TIMESTAMP:
        return varint(5, 2)
    if name == NULL:
        return varint(2, 0)
    if name == CIDR:
        return block(14, block(1, name.encode()))
    return block(1, b"") if name == "dyn" else varint(3, _PRIMITIVE_CODES[name])


def _expression(data: bytes, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise UnreadableExpression(f"a checked expression nested more than {MAX_DEPTH} deep")
    node_id, tree = 0, None
    for number, value in _fields(data):
        if number == 2:
            node_id = _signed(_integer(value))
        elif number == 3:
            tree = _constant(_message(value))
        elif number == 4:
            tree = Tree(0, "name", _text(value, 1))
        elif number == 6:
            tree = _call(_message(value), depth)
        elif number == 7:
            elements = [_message(v) for n, v in _fields(_message(value)) if n == 1]
            tree = Tree(0, "list", children=tuple(_expression(element, depth + 1) for element in elements))
        elif number in (5, 8, 9):
            tree = Tree(0, "other", {5: "a field selection", 8: "a map or message", 9: "a macro"}[number])
    if tree is None:
        raise UnreadableExpression("a checked expression with an empty node")
    return Tree(node_id, tree.kind, tree.value, tree.type, tree.children, tree.member)


def _call(data: bytes, depth: int) -> Tree:
    function, target, arguments = "", [], []
    for number, value in _fields(data):
        if number == 1:
            target = [_expression(_message(value), depth + 1)]
        elif number == 2:
            function = _decode(value)
        elif number == 3:
            arguments.append(_expression(_message(value), depth + 1))
    return Tree(0, "call", function, children=(*target, *arguments), member=bool(target))


def _constant(data: bytes) -> Tree:
    for number, value in _fields(data):
        if number == 1:
            return Tree(0, "constant", None, NULL)
        if number == 2:
            return Tree(0, "constant", bool(_integer(value)), BOOL)
        if number == 3:
            return Tree(0, "constant", _signed(_integer(value)), INT)
        if number == 5:
            return Tree(0, "constant", _double(value), DOUBLE)
        if number == 6:
            return Tree(0, "constant", _decode(value), STRING)
        return Tree(0, "constant", None, {4: "uint", 7: "bytes"}.get(number, "other"))
    raise UnreadableExpression("a checked expression with an empty constant")


def _type(data: bytes, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise UnreadableExpression(f"a type nested more than {MAX_DEPTH} deep")
    for number, value in _fields(data):
        if number == 1:
            return "dyn"
        if number == 2:
            return NULL
        if number == 3:
            return _PRIMITIVES.get(_integer(value), "other")
        if number == 4:
            return f"wrapper({_PRIMITIVES.get(_integer(value), 'other')})"
        if number == 5:
            return {2: TIMESTAMP, 3: "duration"}.get(_integer(value), "other")
        if number == 6:
            elements = [_type(_message(v), depth + 1) for n, v in _fields(_message(value)) if n == 1]
            return f"list({elements[0] if elements else 'dyn'})"
        if number == 14 and _text(value, 1) == CIDR:
            return CIDR
        return {7: "map", 11: "type"}.get(number, "other")
    return "other"


def _positions(source_info: bytes) -> dict[int, int]:
    positions = {}
    for number, value in _fields(source_info):
        if number == 4:
            entry = dict(_fields(_message(value)))
            positions[_signed(_integer(entry.get(1, 0)))] = _signed(_integer(entry.get(2, 0)))
    return positions


def _entry(value: int | bytes) -> tuple[int, bytes]:
    entry = dict(_fields(_message(value)))
    return _signed(_integer(entry.get(1, 0))), _message(entry.get(2, b""))


def _text(value: int | bytes, number: int) -> str:
    return _decode(dict(_fields(_message(value))).get(number, b""))


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Give each field's number and raw value; a fixed 64-bit value comes as its eight bytes."""
    position, end = 0, len(data)
    while position < end:
        # Most keys and sizes are one byte; the long way is for the rest.
        key = data[position]
        position += 1
        if key > 0x7F:
            key, position = _read_varint(data, position - 1)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, position = _read_varint(data, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            size = data[position] if position < end else 0x80
            position += 1
            if size > 0x7F:
                size, position = _read_varint(data, position - 1)
        elif wire_type == _FIXED64:
            size = 8
        elif wire_type == _FIXED32:
            size = 4
        else:
            raise UnreadableExpression(f"a checked expression with a field of unknown wire type {wire_type}")
        if number == 0 or position + size > end:
            raise UnreadableExpression("a checked expression cut short")
        yield number, data[position : position + size]
        position += size


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
    raise UnreadableExpression("a checked expression cut short")


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise UnreadableExpression("a checked expression with a number where a message belongs")
    return value


def _integer(value: int | bytes) -> int:
    if isinstance(value, int):
        return value
    raise UnreadableExpression("a checked expression with a message where a number belongs")


def _double(value: int | bytes) -> float:
    if isinstance(value, int) or len(value) != 8:
        raise UnreadableExpression("a checked expression with a malformed double")
    return float(struct.unpack("<d", value)[0])


def _decode(value: int | bytes) -> str:
    try:
        return _message(value).decode()
    except UnicodeDecodeError:
        raise UnreadableExpression("a checked expression with text that is not UTF-8") from None


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _key(number: int, wire_type: int) -> bytes:
    return _SMALL[number << 3 | wire_type]


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _SMALL[value]
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)
