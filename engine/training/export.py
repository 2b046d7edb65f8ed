"""A fitted classifier to ONNX: skl2onnx's graph, cut where the margins appear and reduced to what they need.

What is affine (scaling, components, a linear model) becomes one weight matrix, read off skl2onnx's own
graph in double precision; the rest of a graph keeps its nodes. Everything after the float32 embedding that
is not linear runs in double precision, so that neighbours and leaves are those that scikit-learn finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

from engine.training.classifiers import LINEAR, Fitted
from engine.training.raw import RawFitted, RawWeights

OPSET = 18
ML_OPSET = 3


@dataclass(frozen=True)
class Affine:
    """x → x · weights + intercepts; `(in, out)` and `(out,)` float64."""

    weights: np.ndarray
    intercepts: np.ndarray

    def then(self, after: Affine) -> Affine:
        return Affine(self.weights @ after.weights, self.intercepts @ after.weights + after.intercepts)

    def scaled(self, factor: float, shift: float = 0.0) -> Affine:
        return Affine(self.weights * factor, self.intercepts * factor + shift)


@dataclass(frozen=True)
class Body:
    """Nodes from the tensor `view` to one output tensor, each tensor named by its place in the order."""

    nodes: tuple[onnx.NodeProto, ...]
    constants: tuple[onnx.TensorProto, ...]
    output: str
    reads: int  # element type of `view`
    gives: int  # element type of the output
    probabilities: bool  # the output holds probabilities, not logarithms of them
    floor: float


@dataclass(frozen=True)
class Exported:
    """embedding → affine → margins (`body` is None), or embedding → affine → body → log-probabilities; or
    `raw`: encoded inputs → margins, and no affine; or `own`: a view → body, and no affine.
    """

    affine: Affine
    body: Body | None = None
    raw: RawWeights | None = None
    own: Any = None  # the view that a classifier of the project's own reads

    @property
    def reads_inputs(self) -> bool:
        """Whether it reads the encoded fields, and no embedding."""
        return self.raw is not None or (self.own is not None and self.own.reads_inputs)


def export(fitted: Fitted | RawFitted, width: int) -> Exported:
    """Export one classifier over an embedding of `width` dimensions.

    The export is not yet trusted: the caller compares it with the original on held-out rows.
    """
    if isinstance(fitted, RawFitted):
        return Exported(Affine(np.zeros((0, 0)), np.zeros(0)), raw=fitted.weights())
    view = affine_of(_convert(fitted.view, width, DoubleTensorType))
    seen = view.weights.shape[1]
    if fitted.kind == "lda":
        # skl2onnx turns two-class LDA into σ(2d); its coefficients are right.
        return Exported(view.then(Affine(fitted.model.coef_.T, fitted.model.intercept_)))
    if fitted.kind == "nearest-centroid":
        return Exported(view.then(Affine(*fitted.model.affine())))
    if fitted.kind in LINEAR:
        options = {"raw_scores": True} | ({"zipmap": False} if fitted.kind == "logistic" else {})
        linear = affine_of(_convert(fitted.model, seen, DoubleTensorType, options), "probabilities")
        return Exported(view.then(_one_margin(linear)))
    if fitted.kind == "naive-bayes":
        model = _convert(fitted.model, seen, DoubleTensorType, {"zipmap": False})
        logs = next(node.input[0] for node in model.graph.node if node.op_type == "ReduceLogSumExp")
        return Exported(view, _body(model, logs, onnx.TensorProto.DOUBLE, onnx.TensorProto.DOUBLE, fitted))
    if fitted.kind == "tree":
        model = _convert(fitted.model, seen, FloatTensorType, {"zipmap": False})
        return Exported(
            view, _body(model, "probabilities", onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT, fitted)
        )
    model = _convert(fitted.model, seen, DoubleTensorType, {"zipmap": False, "optim": "cdist"})
    return Exported(
        view, _body(model, "probabilities", onnx.TensorProto.DOUBLE, onnx.TensorProto.DOUBLE, fitted)
    )


def affine_of(model: onnx.ModelProto, output: str | None = None) -> Affine:
    """Read an affine graph's numbers off its values at zero and at the unit vectors, in double precision."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = session.get_inputs()[0]
    size = given.shape[1]
    names = [output or session.get_outputs()[0].name]
    values = session.run(names, {given.name: np.vstack([np.zeros((1, size)), np.eye(size)])})[0]
    return Affine(values[1:] - values[:1], values[0])


def _convert(
    model: Any, width: int, kind: type, options: Mapping[str, object] | None = None
) -> onnx.ModelProto:
    return to_onnx(
        model,
        initial_types=[("view", kind([None, width]))],
        options={id(model): dict(options)} if options else None,
        target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
    )


def _one_margin(linear: Affine) -> Affine:
    """Of a two-class model's columns (−d, d), or (d) alone, keep d."""
    if linear.weights.shape[1] > 2:
        return linear
    return Affine(linear.weights[:, -1:], linear.intercepts[-1:])


def _body(model: onnx.ModelProto, output: str, reads: int, gives: int, fitted: Fitted) -> Body:
    return body_of(model, output, reads, gives, probabilities=fitted.gives_probabilities, floor=fitted.floor)


def body_of(
    model: onnx.ModelProto, output: str, reads: int, gives: int, *, probabilities: bool, floor: float
) -> Body:
    """Keep the nodes that `output` needs, in an order and with names that depend on the graph alone."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    constants = {constant.name: constant for constant in model.graph.initializer}
    names = {"view": "view", "": ""}
    nodes: list[onnx.NodeProto] = []
    kept: list[onnx.TensorProto] = []

    def visit(name: str) -> None:
        if name in names:
            return
        if name in constants:
            names[name] = f"c{len(kept)}"
            kept.append(numpy_helper.from_array(numpy_helper.to_array(constants[name]), names[name]))
            return
        node = made_by[name]
        for needed in node.input:
            visit(needed)
        for place, result in enumerate(node.output):
            names[result] = f"t{len(nodes)}.{place}"
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:], copy.output[:]
        copy.input.extend(names[needed] for needed in node.input)
        copy.output.extend(names[result] for result in node.output)
        copy.name, copy.doc_string = f"n{len(nodes)}", ""
        attributes = sorted(copy.attribute, key=lambda attribute: attribute.name)
        del copy.attribute[:]
        copy.attribute.extend(attributes)
        nodes.append(copy)

    visit(output)
    return Body(tuple(nodes), tuple(kept), names[output], reads, gives, probabilities, floor)


def passthrough(width: int) -> bytes:
    """An encoder that gives its input: what a classifier is tried on before there is a whole graph."""
    given = helper.make_tensor_value_info("given", onnx.TensorProto.FLOAT, ["n", width])
    made = helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, ["n", width])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["given"], ["embedding"])], "passthrough", [given], [made]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    return bytes(model.SerializeToString(deterministic=True))


def inputs_alone(inputs: Mapping[str, np.ndarray]) -> bytes:
    """An encoder of nothing but its inputs: what the baseline is tried on before there is a whole graph."""
    kinds = {np.dtype(np.float32): onnx.TensorProto.FLOAT, np.dtype(np.int64): onnx.TensorProto.INT64}
    given = [
        helper.make_tensor_value_info(name, kinds[array.dtype], ["n", array.shape[1]])
        for name, array in inputs.items()
    ]
    graph = helper.make_graph([], "inputs", given, [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    return bytes(model.SerializeToString(deterministic=True))
