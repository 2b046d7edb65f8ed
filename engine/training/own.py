"""A classifier of scikit-learn that the project names: fitted, read as margins, converted for the graph.

It reads float32 values that the graph works out in the very same steps, so that a tree asks the same
questions there: the embedding, each dimension standardised, or the fields (numbers standardised, the missing
ones at their mean; a flag for each that says so; a column for each level of a category). Texts are read
through the embedding alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.utils.validation import has_fit_parameter

from embeddings.encode import Encoding
from engine.errors import TandemError
from engine.onnx_scan import CONTROL_FLOW, findings
from engine.project.estimators import estimator_class, parameters
from engine.project.records import OwnClassifier
from engine.training.boosted import boosted_graph
from engine.training.classifiers import sample
from engine.training.export import ML_OPSET, OPSET, Affine, Body, Exported, body_of
from engine.training.kernels import kernel_graph, written_here

BOOSTED = "sklearn.ensemble.HistGradientBoostingClassifier"
MOST_COLUMNS = 4_096
MOST_CELLS = 250_000_000  # rows times columns that a classifier is given at once
MOST_BYTES = 256 * 2**20
_DOMAINS = ("", "ai.onnx.ml", "com.microsoft")

Inputs = Mapping[str, np.ndarray]


class NotUsable(TandemError):
    """A classifier of the project's own that cannot be fitted, or not be carried by a graph."""


@dataclass(frozen=True)
class EmbeddingView:
    """float32((embedding - mean) * inverse), in float64; `(width,)` each."""

    mean: np.ndarray
    inverse: np.ndarray
    reads_inputs = False

    def of(self, embedding: np.ndarray, _: Inputs) -> np.ndarray:
        """`(n, width)` float32 → `(n, width)` float32."""
        seen: np.ndarray = ((embedding.astype(np.float64) - self.mean) * self.inverse).astype(np.float32)
        return seen


@dataclass(frozen=True)
class FieldsView:
    """Columns of the encoded fields: numbers, their missing flags, the levels of categories.

    `field_of_row` `(table rows,)` int64: which category each row of the shared table belongs to.
    """

    numeric: int
    field_of_row: np.ndarray
    reads_inputs = True

    @property
    def columns(self) -> int:
        return 2 * self.numeric + len(self.field_of_row)

    def of(self, _: np.ndarray, inputs: Inputs) -> np.ndarray:
        """Encoded inputs of n rows → `(n, columns)` float32."""
        parts = []
        if self.numeric:
            missing = np.isnan(inputs["numeric"])
            parts += [np.where(missing, np.float32(0), inputs["numeric"]), missing.astype(np.float32)]
        if len(self.field_of_row):
            rows = inputs["categories"][:, self.field_of_row]
            parts.append((rows == np.arange(len(self.field_of_row))).astype(np.float32))
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class OwnFitted:
    """A fitted classifier of the project's own."""

    own: OwnClassifier
    view: EmbeddingView | FieldsView
    model: Any
    floor: float  # probabilities below it are read as it: no model is ever certain

    @classmethod
    def unfitted(cls, own: OwnClassifier) -> OwnFitted:
        """What stands in the table of candidates for one that could not be fitted."""
        return cls(own, EmbeddingView(np.zeros(0), np.zeros(0)), None, 0.0)

    @property
    def kind(self) -> str:
        return self.own.name

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"estimator": self.own.estimator, "input": self.own.input, **self.own.params}

    @property
    def boosted(self) -> bool:
        return self.own.estimator == BOOSTED

    @property
    def gives_probabilities(self) -> bool:
        return hasattr(self.model, "predict_proba") and not self.boosted

    def margins(self, embedding: np.ndarray, inputs: Inputs) -> np.ndarray:
        """`(n, 1)` float64 for two classes, `(n, classes)` for more. Raises NotUsable."""
        step = max(1, MOST_CELLS // columns_of(self.view, embedding))
        blocks = [
            self._margins(
                embedding[at : at + step], {name: array[at : at + step] for name, array in inputs.items()}
            )
            for at in range(0, max(1, len(embedding)), step)
        ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _margins(self, embedding: np.ndarray, inputs: Inputs) -> np.ndarray:
        # In float64: some models would otherwise work in single precision, which the graph may not.
        seen = self.view.of(embedding, inputs).astype(np.float64)
        try:
            if not self.gives_probabilities:
                margins = np.asarray(self.model.decision_function(seen), np.float64)
                return np.reshape(margins, (len(margins), -1))
            logs = np.log(np.clip(self.model.predict_proba(seen), self.floor, 1.0))
        except Exception as error:  # scikit-learn raises whatever it likes
            raise NotUsable(f"cannot score: {_first_line(error)}") from error
        return np.asarray(logs if logs.shape[1] > 2 else logs[:, 1:] - logs[:, :1])


def fit_own(
    own: OwnClassifier,
    encoding: Encoding | None,
    embedding: np.ndarray,
    inputs: Inputs,
    codes: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
) -> OwnFitted:
    """Fit on training rows; what is random is seeded, unless `params` say otherwise.

    `weights` `(n,)` go to a classifier that takes them; the others see rows alike. Where the view has so many
    columns that all rows of it would be too large, it learns from a seeded sample.

    Raises NotUsable where scikit-learn refuses, or the fields have too many columns.
    """
    found = estimator_class(own.estimator)
    seeded = {"random_state": seed} if "random_state" in parameters(found) else {}
    view = _fields_view(encoding) if own.input == "fields" else _embedding_view(embedding)
    most = MOST_CELLS // columns_of(view, embedding)
    if len(codes) > most:
        kept = sample(codes, most, seed)
        embedding, codes = embedding[kept], codes[kept]
        inputs = {name: array[kept] for name, array in inputs.items()}
        weights = None if weights is None else weights[kept]
    try:
        model = found(**{**seeded, **own.params})
        counted = {} if weights is None or not _takes_weights(model) else {"sample_weight": weights}
        model.fit(view.of(embedding, inputs).astype(np.float64), codes, **counted)
    except Exception as error:  # so here
        raise NotUsable(f"cannot be fitted: {_first_line(error)}") from error
    return OwnFitted(own, view, model, floor=0.5 / (len(codes) + 1))


def columns_of(view: EmbeddingView | FieldsView, embedding: np.ndarray) -> int:
    """How many columns a classifier reads."""
    return view.columns if isinstance(view, FieldsView) else max(1, embedding.shape[1])


def _takes_weights(model: Any) -> bool:
    return bool(has_fit_parameter(model, "sample_weight"))


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
        except Exception as error:  # so do converters
            reason = f"cannot be converted: {_first_line(error)}"
            continue
        given += 1
        yield Exported(Affine(np.zeros((0, 0)), np.zeros(0)), body, own=fitted.view)
    if not given:
        raise NotUsable(reason)


def add_view(graph: Any, view: EmbeddingView | FieldsView, prefix: str) -> str:
    """Add the nodes of a view to a graph that is being fused; they take the same steps as `of`."""
    if isinstance(view, EmbeddingView):
        wide = graph.add("Cast", ["embedding"], f"{prefix}.embedding", to=onnx.TensorProto.DOUBLE)
        mean = graph.constant(view.mean, f"{prefix}.mean")
        inverse = graph.constant(view.inverse, f"{prefix}.inverse")
        centred = graph.add("Sub", [wide, mean], f"{prefix}.centred")
        scaled = graph.add("Mul", [centred, inverse], f"{prefix}.scaled")
        return str(graph.add("Cast", [scaled], f"{prefix}.view", to=onnx.TensorProto.FLOAT))
    parts = []
    if view.numeric:
        zero = graph.constant(np.array(0, np.float32), f"{prefix}.zero")
        missing = graph.add("IsNaN", ["numeric"], f"{prefix}.missing")
        parts.append(graph.add("Where", [missing, zero, "numeric"], f"{prefix}.known"))
        parts.append(graph.add("Cast", [missing], f"{prefix}.flags", to=onnx.TensorProto.FLOAT))
    if len(view.field_of_row):
        fields = graph.constant(view.field_of_row, f"{prefix}.fields")
        numbers = graph.constant(np.arange(len(view.field_of_row)), f"{prefix}.rows")
        taken = graph.add("Gather", ["categories", fields], f"{prefix}.taken", axis=1)
        same = graph.add("Equal", [taken, numbers], f"{prefix}.same")
        parts.append(graph.add("Cast", [same], f"{prefix}.levels", to=onnx.TensorProto.FLOAT))
    return parts[0] if len(parts) == 1 else str(graph.add("Concat", parts, f"{prefix}.view", axis=1))


def _embedding_view(embedding: np.ndarray) -> EmbeddingView:
    rows = embedding.astype(np.float64)
    spread = rows.std(axis=0)
    return EmbeddingView(rows.mean(axis=0), 1.0 / np.where(spread > 0, spread, 1.0))


def _fields_view(encoding: Encoding | None) -> FieldsView:
    if encoding is None:
        raise NotUsable("it reads the fields, and there are none here")
    parts = [np.full(category.rows, place) for place, category in enumerate(encoding.categories)]
    view = FieldsView(encoding.columns, np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64))
    if view.columns > MOST_COLUMNS:
        raise NotUsable(
            f"the fields give {view.columns:,} columns, more than {MOST_COLUMNS:,}; "
            "let it read the embedding, or lower 'levels' in project.yaml"
        )
    if view.columns == 0:
        raise NotUsable("it reads the fields, and all of them are texts; let it read the embedding")
    return view


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


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
