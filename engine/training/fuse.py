"""Encoder, classifiers and calibrations as one ONNX graph: fields in, one tensor `scores` (n, scores)
float32 out.

Linear classifiers share one product and carry their calibration in its weights, so that any number of them
costs three small nodes after the encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.training.calibrate import Calibration
from engine.training.export import ML_OPSET, Affine, Body, Exported

IR_VERSION = 9


@dataclass(frozen=True)
class Head:
    """One chosen classifier: its name, its graph, its calibration. Two classes give one score, more give
    one each.
    """

    name: str
    exported: Exported
    calibration: Calibration
    classes: int

    @property
    def binary(self) -> bool:
        return self.classes == 2

    @property
    def scores(self) -> int:
        return 1 if self.binary else self.classes


@dataclass
class _Graph:
    """Nodes and constants as they are added, under names of their own."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operation: str, inputs: Iterable[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operation, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: np.ndarray, name: str) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def fuse(encoder: bytes, heads: Sequence[Head]) -> bytes:
    """Join an encoder (output `embedding`) and its heads.

    INVARIANT: the bytes depend on nothing but the arguments: fixed names, order, versions and serialisation.
    """
    model = onnx.load_model_from_string(encoder)
    graph = _Graph()
    parts = _linear(graph, heads) | {
        head.name: _nonlinear(graph, head, head.exported.body)
        for head in heads
        if head.exported.body is not None
    }
    ordered = list(dict.fromkeys(parts[head.name] for head in heads))
    if len(ordered) == 1:
        graph.nodes[-1].output[0] = "scores"  # the one part is what was added last
    else:
        graph.add("Concat", ordered, "scores", axis=1)
    width = sum(head.scores for head in heads)
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", width])
    whole = helper.make_graph(
        [*model.graph.node, *graph.nodes],
        "tandem",
        list(model.graph.input),
        [output],
        [*model.graph.initializer, *graph.constants],
    )
    fused = helper.make_model(whole, opset_imports=_opsets(model, graph.nodes), ir_version=IR_VERSION)
    fused.producer_name = "tandem"
    onnx.checker.check_model(fused)
    return bytes(fused.SerializeToString(deterministic=True))


def _linear(graph: _Graph, heads: Sequence[Head]) -> dict[str, str]:
    """All linear heads at once: MatMul, Add, then σ for the two-class ones and a softmax for each of the
    others.

    Where every head is of one kind, no column need be cut out: the result is named once for all of them.
    """
    linear = [head for head in heads if head.exported.body is None]
    if not linear:
        return {}
    scaled = [
        head.exported.affine.scaled(head.calibration.slope, head.calibration.intercept) for head in linear
    ]
    together = Affine(
        np.hstack([one.weights for one in scaled]), np.concatenate([one.intercepts for one in scaled])
    )
    logits = _affine(graph, together, "embedding", "linear", np.float32)
    if len(linear) == len(heads) and all(head.binary for head in linear):
        return dict.fromkeys((head.name for head in linear), graph.add("Sigmoid", [logits], "linear.sigmoid"))
    if len(linear) == 1:
        return {linear[0].name: _squash(graph, linear[0], logits, f"head.{linear[0].name}")}
    cuts = [f"head.{head.name}.logits" for head in linear]
    sizes = graph.constant(np.array([head.scores for head in linear], np.int64), "linear.sizes")
    graph.nodes.append(helper.make_node("Split", [logits, sizes], cuts, name="linear.split", axis=1))
    return {
        head.name: _squash(graph, head, cut, f"head.{head.name}")
        for head, cut in zip(linear, cuts, strict=True)
    }


def _nonlinear(graph: _Graph, head: Head, body: Body) -> str:
    """View in double precision, the classifier's own nodes, log-probabilities, calibration, float32."""
    prefix = f"head.{head.name}"
    wide = graph.add("Cast", ["embedding"], f"{prefix}.embedding", to=TensorProto.DOUBLE)
    view = _affine(graph, head.exported.affine, wide, f"{prefix}.view", np.float64)
    if body.reads == TensorProto.FLOAT:
        view = graph.add("Cast", [view], f"{prefix}.view.float", to=TensorProto.FLOAT)
    values = _place(graph, body, view, prefix)
    if body.gives == TensorProto.FLOAT:
        values = graph.add("Cast", [values], f"{prefix}.values.double", to=TensorProto.DOUBLE)
    if body.probabilities:
        low = graph.constant(np.array(body.floor), f"{prefix}.floor")
        high = graph.constant(np.array(1.0), f"{prefix}.one")
        values = graph.add("Clip", [values, low, high], f"{prefix}.clipped")
        values = graph.add("Log", [values], f"{prefix}.logs")
    calibration = head.calibration
    if head.binary:
        # slope · (log p₁ − log p₀) + intercept
        contrast = Affine(
            np.array([[-calibration.slope], [calibration.slope]]), np.array([calibration.intercept])
        )
        logits = _affine(graph, contrast, values, f"{prefix}.logits", np.float64)
    else:
        slope = graph.constant(np.array(calibration.slope), f"{prefix}.slope")
        logits = graph.add("Mul", [values, slope], f"{prefix}.logits")
    squashed = _squash(graph, head, logits, f"{prefix}.squashed")
    return graph.add("Cast", [squashed], f"{prefix}.scores", to=TensorProto.FLOAT)


def _affine(graph: _Graph, affine: Affine, given: str, name: str, kind: type[np.floating]) -> str:
    weights = graph.constant(affine.weights.astype(kind), f"{name}.weights")
    intercepts = graph.constant(affine.intercepts.astype(kind), f"{name}.intercepts")
    product = graph.add("MatMul", [given, weights], f"{name}.product")
    return graph.add("Add", [product, intercepts], f"{name}.sum")


def _squash(graph: _Graph, head: Head, logits: str, name: str) -> str:
    if head.binary:
        return graph.add("Sigmoid", [logits], f"{name}.sigmoid")
    return graph.add("Softmax", [logits], f"{name}.softmax", axis=1)


def _place(graph: _Graph, body: Body, view: str, prefix: str) -> str:
    """Copy a body's nodes in under the head's name, reading `view`."""

    def named(tensor: str) -> str:
        return view if tensor == "view" else f"{prefix}.{tensor}" if tensor else ""

    for constant in body.constants:
        graph.constant(numpy_helper.to_array(constant), named(constant.name))
    for node in body.nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{prefix}.{node.name}"
        copy.input[:] = [named(tensor) for tensor in node.input]
        copy.output[:] = [named(tensor) for tensor in node.output]
        graph.nodes.append(copy)
    return named(body.output)


def _opsets(encoder: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> list[onnx.OperatorSetIdProto]:
    """The encoder's operator sets, and those that only the heads use."""
    versions = {entry.domain: entry.version for entry in encoder.opset_import}
    for node in nodes:
        if node.domain not in versions:
            versions[node.domain] = {"ai.onnx.ml": ML_OPSET, "com.microsoft": 1}[node.domain]
    return [helper.make_opsetid(domain, versions[domain]) for domain in sorted(versions)]
