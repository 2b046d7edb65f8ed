"""A look through the bytes of an ONNX model, before any runtime sees it, for what a bundle must not hold.

An ONNX tensor may say that its data lies in another file: a bundle is whole in itself, and opening one must
read no file it does not hold. A node may hold a graph of its own, to run it in a loop: a model that decides
takes a known number of steps. A node may draw random numbers: the same digest decides the same. The look
follows the protobuf wire format and needs no ONNX library; what is not a well-formed message is refused too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.protobuf import fields

# Where tensors can be, by message: field number → what the field holds.
_TENSORS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 11: "input", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_TENSOR_NAME, _VALUE_NAME, _FUNCTION_INPUT = 8, 1, 4
_NODE_INPUT, _NODE_OUTPUT, _OPERATOR = 1, 2, 4
_DEPTH_MOST = 50
EXTERNAL, CONTROL_FLOW, RANDOM = "external data", "control flow", "random numbers"

_DRAWING = frozenset(
    (b"RandomNormal", b"RandomNormalLike", b"RandomUniform", b"RandomUniformLike", b"Multinomial",
     b"Bernoulli", b"Sampling", b"BiasDropout", b"BitmaskDropout", b"BitmaskBiasDropout")
)  # fmt: skip
_DROPOUT, _TRAINING_MODE = b"Dropout", 2  # which of its inputs says that it draws; absent is no
_CONSTANT = b"Constant"


@dataclass
class _Names:
    """Names of values over the whole model, whichever graph they are of: names shadow, and messages merge."""

    zero: set[bytes] = field(default_factory=set)
    other: set[bytes] = field(default_factory=set)
    asked: set[bytes] = field(default_factory=set)  # where a Dropout looks whether it draws


def findings(model: bytes) -> frozenset[str]:
    """What of `EXTERNAL` (a tensor whose data lies elsewhere), `CONTROL_FLOW` (a node with a graph of its
    own: a loop, a scan, a branch) and `RANDOM` (a node that draws, or may draw, random numbers) a serialised
    ONNX model holds. A seed makes no difference: a runtime goes on drawing from run to run.

    Raises ValueError for bytes that are no protobuf message.
    """
    names = _Names()
    found = set(_findings(memoryview(model), "model", 0, names))
    # INVARIANT: a Dropout passes only where what it asks is a constant no, and nothing else has that name.
    return frozenset(found | ({RANDOM} if names.asked - (names.zero - names.other) else set()))


def _findings(message: memoryview, kind: str, depth: int, names: _Names) -> Iterator[str]:
    if depth > _DEPTH_MOST:
        raise ValueError("nested too deeply")
    within = _TENSORS.get(kind, {})
    if kind == "node":
        yield from _drawn(message, names)
    for number, content in fields(message):
        if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and content != 0)):
            yield EXTERNAL
        if kind == "attribute" and within.get(number) == "graph":
            yield CONTROL_FLOW
        if isinstance(content, int):
            continue
        if kind == "tensor" and number == _TENSOR_NAME:
            (names.zero if _is_zero(message) else names.other).add(bytes(content))
        if (kind, number) in (("input", _VALUE_NAME), ("function", _FUNCTION_INPUT)):
            names.other.add(bytes(content))
        nested = within.get(number)
        if nested is not None:
            yield from _findings(content, nested, depth + 1, names)


def _drawn(node: memoryview, names: _Names) -> Iterator[str]:
    """Say whether a node draws, and note what it names; every operator counts where a message states two."""
    parts = [(number, content) for number, content in fields(node) if isinstance(content, memoryview)]
    operators = {bytes(content) for number, content in parts if number == _OPERATOR}
    inputs = [bytes(content) for number, content in parts if number == _NODE_INPUT]
    outputs = {bytes(content) for number, content in parts if number == _NODE_OUTPUT}
    if operators & _DRAWING:
        yield RANDOM
    if _DROPOUT in operators:
        names.asked.update(name for name in inputs[_TRAINING_MODE:] if name)
    values = [content for number, content in parts if _TENSORS["node"].get(number) == "attribute"]
    if operators == {_CONSTANT} and values and all(map(_gives_zero, values)):
        names.zero.update(outputs)
    else:
        names.other.update(outputs)


def _gives_zero(attribute: memoryview) -> bool:
    tensors = [content for number, content in fields(attribute) if _TENSORS["attribute"].get(number)]
    return bool(tensors) and all(isinstance(one, memoryview) and _is_zero(one) for one in tensors)


def _is_zero(tensor: memoryview) -> bool:
    """Whether a tensor states a value (int32_data, raw_data), and nothing but zeros."""
    values = [content for number, content in fields(tensor) if number in (5, 9)]
    return bool(values) and not any(
        one if isinstance(one, int) else len(one) > 8 or any(one) for one in values
    )
