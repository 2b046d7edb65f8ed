"""A fitted classifier of the project's own becomes graphs: converted, tried, and refused if not servable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

from engine.onnx_scan import CONTROL_FLOW, findings
from engine.training.boosted import boosted_graph
from engine.training.export import ML_OPSET, OPSET, Affine, Body, Exported, body_of
from engine.training.kernels import kernel_graph, written_here
from engine.training.own import OwnFitted, first_line
from engine.training.views import FieldsView, NotUsable

MOST_BYTES = 256 * 2**20
_DOMAINS = ("", "ai.onnx.ml", "com.microsoft")


def export_own(fitted: OwnFitted, width: int, classes: int) -> Iterator[Exported]:
    """Give the graphs of a classifier: in single precision, then in double, as far as there are such.

    None is trusted: the caller compares them with the original. Raises NotUsable where there is none.
    """
    columns = fitted.view.columns if isinstance(fitted.view, FieldsView) else width
    reason = "skl2onnx cannot convert it"
    given = 0
    kinds = [(onnx.TensorProto.FLOAT, FloatTensorType), (onnx.TensorProto.DOUBLE, DoubleTensorType)]
    for reads, kind in kinds[1:] if written_here(fitted.own.estimator, fitted.model) else kinds:
        try:
            body = _body(fitted, _converted(fitted, columns, kind), reads, columns, classes)
        except Exception as error:  # converters raise whatever they like
            reason = f"cannot be converted: {first_line(error)}"
            continue
        given += 1
        yield Exported(Affine(np.zeros((0, 0)), np.zeros(0)), body, own=fitted.view)
    if not given:
        raise NotUsable(reason)


def _converted(fitted: OwnFitted, columns: int, kind: type) -> onnx.ModelProto:
    """Convert with the options that a converter has: they differ from class to class."""
    if fitted.boosted:
        return boosted_graph(fitted.model, columns, OPSET, ML_OPSET)
    if written_here(fitted.own.estimator, fitted.model):
        return kernel_graph(fitted.model, columns, OPSET)
    raw = {} if fitted.gives_probabilities else {"raw_scores": True}
    choices: list[dict[str, Any]] = [{"zipmap": False, "optim": "cdist"}, {"zipmap": False}, {}]
    for number, options in enumerate(choices):
        try:
            return to_onnx(
                fitted.model,
                initial_types=[("view", kind([None, columns]))],
                options={id(fitted.model): {**options, **raw}},
                target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
            )
        except NameError:  # an option that this converter does not have
            if number == len(choices) - 1:
                raise
    raise AssertionError("the last choice returns or raises")


def _body(fitted: OwnFitted, model: onnx.ModelProto, reads: int, columns: int, classes: int) -> Body:
    written = model.SerializeToString()
    if len(written) > MOST_BYTES:
        raise NotUsable(f"its graph has {len(written) >> 20} MB, more than {MOST_BYTES >> 20}")
    if CONTROL_FLOW in findings(written):
        raise NotUsable("its graph holds a loop or a branch, which a bundle must not")
    foreign = {node.domain for node in model.graph.node} - set(_DOMAINS)
    if foreign:
        raise NotUsable(f"its graph needs operators of {', '.join(sorted(foreign))}")
    names = [output.name for output in model.graph.output]
    output = "probabilities" if "probabilities" in names else names[-1]
    got = _tried(written, output, reads, columns)
    gives = onnx.TensorProto.DOUBLE if got.dtype == np.float64 else onnx.TensorProto.FLOAT
    body = body_of(model, output, reads, gives, probabilities=fitted.gives_probabilities, floor=fitted.floor)
    if classes == 2 and not fitted.gives_probabilities:
        return _two_columns(body, got)
    if got.shape[1:] != (classes,):
        raise NotUsable(f"its graph gives {got.shape[1:]} values a row, and there are {classes} classes")
    return body


def _tried(model: bytes, output: str, reads: int, columns: int) -> np.ndarray:
    """What the graph gives for two rows of nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    kind = np.float64 if reads == onnx.TensorProto.DOUBLE else np.float32
    return np.asarray(session.run([output], {"view": np.zeros((2, columns), kind)})[0])


def _two_columns(body: Body, got: np.ndarray) -> Body:
    """A margin d, given as (d) or as (−d, d), becomes (0, d): the difference of the two is d."""
    count = 1 if got.ndim == 1 else got.shape[1]
    last = np.zeros((count, 2), got.dtype)
    last[-1, 1] = 1
    shape = numpy_helper.from_array(np.array([-1, count], np.int64), "margins.shape")
    weights = numpy_helper.from_array(last, "margins.last")
    nodes = (
        helper.make_node("Reshape", [body.output, "margins.shape"], ["margins.rows"], name="margins.rows"),
        helper.make_node("MatMul", ["margins.rows", "margins.last"], ["margins"], name="margins"),
    )
    return Body(
        (*body.nodes, *nodes),
        (*body.constants, shape, weights),
        "margins",
        body.reads,
        body.gives,
        False,
        0.0,
    )
