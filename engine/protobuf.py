"""The protobuf wire format: the fields of a message as they are read, and as they are written.

Enough to look through an ONNX model, or to take nodes out of one, where there is no ONNX library.
"""

from __future__ import annotations

from collections.abc import Iterator

_WITH_LENGTH = 2  # the wire type of texts and messages


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk the fields of one message: numbers as int, everything with a length as bytes.

    Raises ValueError for bytes that are no message.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _read_varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if wire == _WITH_LENGTH:
            size, at = _read_varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("not a protobuf message")
        if size > end - at:
            raise ValueError("the message is cut off")
        yield number, message[at : at + size]
        at += size


def field(number: int, content: bytes | memoryview | int) -> bytes:
    """Write one field: a number, or a text or message with its length."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return b"".join((_varint(number << 3 | _WITH_LENGTH), _varint(len(content)), content))


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("not a protobuf message")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
