"""A look through the bytes of an ONNX model, before any runtime sees it, for what a bundle must not hold.

An ONNX tensor may say that its data lies in another file: a bundle is whole in itself, and opening one must
read no file it does not hold. A node may hold a graph of its own, to run it in a loop: a model that decides
takes a known number of steps. The look follows the protobuf wire format and needs no ONNX library; what is
not a well-formed message is refused as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.protobuf import fields

# Where tensors can be, by message: field number → what the field holds.
_TENSORS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEPTH_MOST = 50
EXTERNAL, CONTROL_FLOW = "external data", "control flow"


def findings(model: bytes) -> frozenset[str]:
    """What of `EXTERNAL` (a tensor whose data lies elsewhere) and `CONTROL_FLOW` (a node with a graph of its
    own: a loop, a scan, a branch) a serialised ONNX model holds.

    Raises ValueError for bytes that are no protobuf message.
    """
    return frozenset(_findings(memoryview(model), "model", 0))


def _findings(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH_MOST:
        raise ValueError("nested too deeply")
    within = _TENSORS.get(kind, {})
    for number, content in fields(message):
        if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and content != 0)):
            yield EXTERNAL
        if kind == "attribute" and within.get(number) == "graph":
            yield CONTROL_FLOW
        nested = within.get(number)
        if nested is not None and isinstance(content, memoryview):
            yield from _findings(content, nested, depth + 1)
