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
from engine.training.raw import RawWeights
from engine.training.views import add_view

IR_VERSION = 9
LEAST_SQUARE = 1e-24  # of a text without a token, which is then nought


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
    def linear(self) -> bool:
        """Whether it is a weighted sum of the embedding, and so shares one product with others."""
        return self.exported.body is None and self.exported.raw is None

    @property
    def scores(self) -> int:
        return 1 if self.binary else self.classes


@dataclass
class _Graph:
    """Nodes and constants as they are added, under names of their own."""

    given: Sequence[onnx.ValueInfoProto] = ()
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def columns(self, name: str) -> int:
        """Columns of an input of the encoder."""
        (found,) = (value for value in self.given if value.name == name)
        return int(found.type.tensor_type.shape.dim[1].dim_value)

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
    graph = _Graph(list(model.graph.input))
    parts = _linear(graph, heads)
    for head in heads:
        if head.exported.raw is not None:
            parts[head.name] = _raw(graph, head, head.exported.raw)
        elif head.exported.body is not None:
            parts[head.name] = _nonlinear(graph, head, head.exported.body)
    ordered = list(dict.fromkeys(parts[head.name] for head in heads))
    if len(ordered) == 1:
        graph.nodes[-1].output[0] = "scores"  # the one part is what was added last
    else:
        graph.add("Concat", ordered, "scores", axis=1)
    width = sum(head.scores for head in heads)
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", width])
    nodes, constants = _needed(
        [*model.graph.node, *graph.nodes], [*model.graph.initializer, *graph.constants]
    )
    whole = helper.make_graph(nodes, "tandem", list(model.graph.input), [output], constants)
    fused = helper.make_model(whole, opset_imports=_opsets(model, graph.nodes), ir_version=IR_VERSION)
    fused.producer_name = "tandem"
    onnx.checker.check_model(fused)
    return bytes(fused.SerializeToString(deterministic=True))


def _linear(graph: _Graph, heads: Sequence[Head]) -> dict[str, str]:
    """All linear heads at once: MatMul, Add, then σ for the two-class ones and a softmax for each of the
    others.

    Where every head is of one kind, no column need be cut out: the result is named once for all of them.
    """
    linear = [head for head in heads if head.linear]
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
    view = _view(graph, head, body, prefix)
    values = _place(graph, body, view, prefix)
    if body.gives == TensorProto.FLOAT:
        values = graph.add("Cast", [values], f"{prefix}.values.double", to=TensorProto.DOUBLE)
    if body.probabilities:
        low = graph.constant(np.array(body.floor), f"{prefix}.floor")
        high = graph.constant(np.array(1.0), f"{prefix}.one")
        values = graph.add("Clip", [values, low, high], f"{prefix}.clipped")
        values = graph.add("Log", [values], f"{prefix}.logs")
    calibration = head.calibration
    if calibration.steps:
        stepped = _steps(graph, calibration, values, prefix)
        return graph.add("Cast", [stepped], f"{prefix}.scores", to=TensorProto.FLOAT)
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


def _view(graph: _Graph, head: Head, body: Body, prefix: str) -> str:
    """What a body reads, in the precision that it reads."""
    if head.exported.own is not None:
        view = add_view(graph, head.exported.own, prefix)
        if body.reads == TensorProto.DOUBLE:
            view = graph.add("Cast", [view], f"{prefix}.view.double", to=TensorProto.DOUBLE)
        return view
    wide = graph.add("Cast", ["embedding"], f"{prefix}.embedding", to=TensorProto.DOUBLE)
    view = _affine(graph, head.exported.affine, wide, f"{prefix}.view", np.float64)
    if body.reads == TensorProto.FLOAT:
        view = graph.add("Cast", [view], f"{prefix}.view.float", to=TensorProto.FLOAT)
    return view


def _steps(graph: _Graph, calibration: Calibration, logs: str, prefix: str) -> str:
    """The line from step to step: p₀ + Σ rise · clip((log p₁ − log p₀ − low) / length, 0, 1)."""
    at, level = np.array(calibration.steps).T
    contrast = Affine(np.vstack([-np.ones(len(at) - 1), np.ones(len(at) - 1)]), -at[:-1])
    above = _affine(graph, contrast, logs, f"{prefix}.above", np.float64)
    lengths = graph.constant(np.diff(at), f"{prefix}.lengths")
    zero, one = (
        graph.constant(np.array(0.0), f"{prefix}.none"),
        graph.constant(np.array(1.0), f"{prefix}.whole"),
    )
    shares = graph.add(
        "Clip", [graph.add("Div", [above, lengths], f"{prefix}.shares"), zero, one], f"{prefix}.clip"
    )
    rises = Affine(np.diff(level)[:, None], level[:1])
    return _affine(graph, rises, shares, f"{prefix}.steps", np.float64)


def _raw(graph: _Graph, head: Head, weights: RawWeights) -> str:
    """Margins from the encoder's inputs: products and gathers, added up, calibrated, squashed."""
    prefix = f"head.{head.name}"
    sums = []
    if len(weights.numeric):
        zero = graph.constant(np.array(0, np.float32), f"{prefix}.zero")
        low = graph.constant(np.array(-weights.span, np.float32), f"{prefix}.low")
        high = graph.constant(np.array(weights.span, np.float32), f"{prefix}.high")
        missing = graph.add("IsNaN", ["numeric"], f"{prefix}.missing")
        known = graph.add("Where", [missing, zero, "numeric"], f"{prefix}.known")
        clipped = graph.add("Clip", [known, low, high], f"{prefix}.clipped")
        flags = graph.add("Cast", [missing], f"{prefix}.flags", to=TensorProto.FLOAT)
        numbers = graph.add("Concat", [clipped, flags], f"{prefix}.numbers", axis=1)
        held = graph.constant(weights.numeric.astype(np.float32), f"{prefix}.numeric.weights")
        sums.append(graph.add("MatMul", [numbers, held], f"{prefix}.numeric"))
    if len(weights.table):
        sums.append(_gathered(graph, "categories", weights.table, f"{prefix}.levels"))
    for place, (name, table) in enumerate(weights.texts):
        total = _gathered(graph, f"text.{name}", table, f"{prefix}.text{place}")
        parts = [f"{prefix}.sum{place}", f"{prefix}.square{place}"]
        sizes = graph.constant(np.array([table.shape[1] - 1, 1], np.int64), f"{prefix}.sizes{place}")
        graph.nodes.append(
            helper.make_node("Split", [total, sizes], parts, name=f"{prefix}.split{place}", axis=1)
        )
        least = graph.constant(np.array(LEAST_SQUARE, np.float32), f"{prefix}.least{place}")
        square = graph.add("Max", [parts[1], least], f"{prefix}.above{place}")
        norm = graph.add("Sqrt", [square], f"{prefix}.norm{place}")
        sums.append(graph.add("Div", [parts[0], norm], f"{prefix}.share{place}"))
    intercepts = graph.constant(weights.intercepts.astype(np.float32), f"{prefix}.intercepts")
    margins = intercepts
    for place, part in enumerate(sums):
        margins = graph.add("Add", [part, margins], f"{prefix}.margins{place}")
    slope = graph.constant(np.array(head.calibration.slope, np.float32), f"{prefix}.slope")
    intercept = graph.constant(np.array(head.calibration.intercept, np.float32), f"{prefix}.intercept")
    scaled = graph.add("Mul", [margins, slope], f"{prefix}.scaled")
    return _squash(graph, head, graph.add("Add", [scaled, intercept], f"{prefix}.logits"), prefix)


def _gathered(graph: _Graph, rows: str, table: np.ndarray, name: str) -> str:
    """The sum of a table's rows `(rows, m)` over each record's places: int64 `(n, k)` → `(n, m)`.

    The sum is a product: ReduceSum adds in another order when there is one record only.
    """
    places, width = graph.columns(rows), table.shape[1]
    held = graph.constant(table.astype(np.float32), f"{name}.table")
    taken = graph.add("Gather", [held, rows], f"{name}.taken", axis=0)
    shape = graph.constant(np.array([-1, places * width], np.int64), f"{name}.shape")
    flat = graph.add("Reshape", [taken, shape], f"{name}.flat")
    fold = graph.constant(np.tile(np.eye(width, dtype=np.float32), (places, 1)), f"{name}.fold")
    return graph.add("MatMul", [flat, fold], f"{name}.total")


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


def _needed(
    nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """What the scores hang on: where only the baseline was chosen, no encoder is left."""
    wanted = {"scores"}
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1], [constant for constant in constants if constant.name in wanted]


def _opsets(encoder: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> list[onnx.OperatorSetIdProto]:
    """The encoder's operator sets, and those that only the heads use."""
    versions = {entry.domain: entry.version for entry in encoder.opset_import}
    for node in nodes:
        if node.domain not in versions:
            versions[node.domain] = {"ai.onnx.ml": ML_OPSET, "com.microsoft": 1}[node.domain]
    return [helper.make_opsetid(domain, versions[domain]) for domain in sorted(versions)]
