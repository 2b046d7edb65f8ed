"""A part of an ONNX model: the nodes that lie between some of its tensors and others, as a model of its own.

Nodes and constants are taken as they stand, byte for byte, so that a part gives what the whole gives. It
needs no ONNX library: messages are read and written as protobuf has them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from engine.protobuf import field, fields

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_TRAINING = 7, 20
_NODE, _CONSTANT, _INPUT, _OUTPUT, _SPARSE = 1, 5, 11, 12, 15
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_CONSTANT_NAME, _VALUE_NAME, _VALUE_TYPE = 8, 1, 2
_TENSOR_TYPE, _ELEMENT_TYPE, _FLOAT = 1, 1, 1


def part_of(
    model: bytes, outputs: Sequence[str], given: Collection[str] = ()
) -> tuple[bytes, tuple[str, ...]]:
    """Give the model that works out the tensors `outputs`, reading those of `given` instead of making them;
    and the names of what it reads: inputs of the whole model, and of `given`, float32 tensors.

    Raises ValueError for bytes that are no model, and for an output that no node gives.
    """
    whole = list(fields(memoryview(model)))
    graph = [entry for number, content in whole if number == _MODEL_GRAPH for entry in _within(content)]
    nodes = [content for number, content in graph if number == _NODE and isinstance(content, memoryview)]
    reads = [[_text(name) for number, name in fields(node) if number == _NODE_INPUT] for node in nodes]
    makers = {
        _text(name): place
        for place, node in enumerate(nodes)
        for number, name in fields(node)
        if number == _NODE_OUTPUT
    }
    kept: set[int] = set()
    read: set[str] = set()
    pending = list(outputs)
    while pending:
        name = pending.pop()
        if name in given or name not in makers:
            read.add(name)
        elif makers[name] not in kept:
            kept.add(makers[name])
            pending += reads[makers[name]]
    if absent := sorted(read.intersection(outputs)):
        raise ValueError(f"no node gives '{absent[0]}'")

    taken = [field(_NODE, node) for place, node in enumerate(nodes) if place in kept]
    inputs = []
    for number, content in graph:
        if number == _SPARSE or (number == _CONSTANT and _named(content, _CONSTANT_NAME) in read):
            taken.append(field(number, content))
        elif number == _INPUT and (name := _named(content, _VALUE_NAME)) in read and name not in given:
            taken.append(field(_INPUT, content))
            inputs.append(name)
    cut = [name for name in given if name in read]
    kind = field(_VALUE_TYPE, field(_TENSOR_TYPE, field(_ELEMENT_TYPE, _FLOAT)))
    taken += [field(_INPUT, field(_VALUE_NAME, name.encode()) + kind) for name in cut]
    taken += [field(_OUTPUT, field(_VALUE_NAME, name.encode())) for name in outputs]
    around = [
        field(number, content) for number, content in whole if number not in (_MODEL_GRAPH, _MODEL_TRAINING)
    ]
    return b"".join([*around, field(_MODEL_GRAPH, b"".join(taken))]), (*inputs, *cut)


def _within(content: int | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message in a message; a number where one belongs holds none."""
    return fields(content) if isinstance(content, memoryview) else iter(())


def _named(content: int | memoryview, number: int) -> str:
    """The last text of this number in a message."""
    return "".join([_text(name) for found, name in _within(content) if found == number][-1:])


def _text(content: int | memoryview) -> str:
    return "" if isinstance(content, int) else bytes(content).decode()
