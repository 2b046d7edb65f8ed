"""The fields of protobuf messages, read and written, and CEL's messages of constants and types.

Written by hand rather than with a protobuf library: nothing more to install, one deterministic encoding, and
limits of our own on what hostile bytes may ask for.
Field numbers: https://github.com/google/cel-spec/tree/master/proto/cel/expr
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from rules.errors import UnreadableExpression
from rules.expression import BOOL, CIDR, DOUBLE, DURATION, INT, NULL, STRING, TIMESTAMP

MAX_DEPTH = 100
TYPE_URL = b"type.googleapis.com/cel.expr.CheckedExpr"

# INVARIANT: field numbers are below 16, so that a key is one byte.
_SMALL = [bytes([value]) for value in range(0x80)]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PRIMITIVES = {1: BOOL, 2: INT, 3: "uint", 4: DOUBLE, 5: STRING, 6: "bytes"}
_PRIMITIVE_CODES = {name: code for code, name in _PRIMITIVES.items()}
_WELL_KNOWN = {2: TIMESTAMP, 3: DURATION}


def unwrap(data: bytes) -> bytes:
    """Take the CheckedExpr out of the google.protobuf.Any that the CEL library serialises."""
    for number, value in fields(data):
        if number == 2:
            return message(value)
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
    if type_name in (INT, "uint"):
        return varint(3 if type_name == INT else 4, value)
    if type_name == DOUBLE:
        return _key(5, _FIXED64) + struct.pack("<d", value)
    if type_name not in (STRING, "bytes"):
        raise UnreadableExpression("a checked expression with a constant of an unknown kind")
    return block(6, value.encode()) if type_name == STRING else block(7, value)


def type_message(name: str) -> bytes:
    """Write a Type message; `list(int)` and `map(string, int)` have parts; `wrapper(int)` may be null."""
    head, _, rest = name.partition("(")
    if head == "list":
        return block(6, block(1, type_message(rest[:-1])))
    if head == "map":
        key, _, value = rest[:-1].partition(", ")
        return block(7, block(1, type_message(key)) + block(2, type_message(value)))
    if head == "wrapper":
        return varint(4, _PRIMITIVE_CODES[rest[:-1]])
    if name in (TIMESTAMP, DURATION):
        return varint(5, 2 if name == TIMESTAMP else 3)
    if name == NULL:
        return varint(2, 0)
    if name == "type":
        return block(11, b"")
    if name == CIDR:
        return block(14, block(1, name.encode()))
    code = _PRIMITIVE_CODES.get(name)
    return block(1, b"") if code is None else varint(3, code)


def _type(data: bytes, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise UnreadableExpression(f"a type nested more than {MAX_DEPTH} deep")
    for number, value in fields(data):
        if number == 1:
            return "dyn"
        if number == 2:
            return NULL
        if number == 3:
            return _PRIMITIVES.get(integer(value), "other")
        if number == 4:
            wrapped = _PRIMITIVES.get(integer(value))
            return f"wrapper({wrapped})" if wrapped else "other"
        if number == 5:
            return _WELL_KNOWN.get(integer(value), "other")
        if number in (6, 7):
            parts = dict(fields(message(value)))
            below = [_type(message(parts[n]), depth + 1) if n in parts else "dyn" for n in (1, 2)]
            return f"list({below[0]})" if number == 6 else f"map({below[0]}, {below[1]})"
        if number == 14:
            return CIDR if dict(fields(message(value))).get(1) == CIDR.encode() else "other"
        return {11: "type"}.get(number, "other")
    return "other"


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
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
            if position < end and data[position] < 0x80:
                yield number, data[position]
                position += 1
                continue
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


def packed(value: int | bytes) -> tuple[int, ...]:
    """Give the integers of a repeated field, packed or one by one."""
    if isinstance(value, int):
        return (value,)
    numbers, position = [], 0
    while position < len(value):
        number, position = _read_varint(value, position)
        numbers.append(number)
    return tuple(numbers)


def message(value: int | bytes) -> bytes:
    """Take a value for a message, a text or bytes."""
    if isinstance(value, int):
        raise UnreadableExpression("a checked expression with a number where a message belongs")
    return value


def integer(value: int | bytes) -> int:
    """Take a value for a number."""
    if isinstance(value, int):
        return value
    raise UnreadableExpression("a checked expression with a message where a number belongs")


def double(value: int | bytes) -> float:
    """Take a value for a double."""
    if isinstance(value, int) or len(value) != 8:
        raise UnreadableExpression("a checked expression with a malformed double")
    return float(struct.unpack("<d", value)[0])


def decoded(value: int | bytes) -> str:
    """Take a value for a text."""
    try:
        return message(value).decode()
    except UnicodeDecodeError:
        raise UnreadableExpression("a checked expression with text that is not UTF-8") from None


def signed(value: int) -> int:
    """Take 64 bits for two's complement."""
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
