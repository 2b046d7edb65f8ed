"""An ONNX model with inner tensors as further outputs: its bytes, and after them the names of the tensors.

Protobuf messages written one after the other are read as one, the later adding to the earlier (Protocol
Buffers, "Encoding", section "Last One Wins"): a graph of nothing but outputs adds its outputs to the model's
own. No node changes, and serving needs no ONNX library for it.
"""

from __future__ import annotations

from collections.abc import Iterable

_MODEL_GRAPH, _GRAPH_OUTPUT, _VALUE_NAME = 7, 12, 1
_WITH_LENGTH = 2  # the wire type of texts and messages


def with_outputs(model: bytes, tensors: Iterable[str]) -> bytes:
    """Give a serialised model that also puts out these tensors, each the result of one of its nodes."""
    outputs = b"".join(_field(_GRAPH_OUTPUT, _field(_VALUE_NAME, name.encode())) for name in tensors)
    return model + _field(_MODEL_GRAPH, outputs)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _WITH_LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
