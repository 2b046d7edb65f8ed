"""What a classifier of the project's own reads: a view of the embedding, or one of the fields.

Its float32 values are worked out by the graph in the very same steps, so that a tree asks the same questions
there: the embedding, each dimension standardised, or the fields (numbers standardised, the missing
ones at their mean; a flag for each that says so; a column for each level of a category). Texts are read
through the embedding alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from embeddings.encode import Encoding
from engine.errors import TandemError

MOST_COLUMNS = 4_096

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


def columns_of(view: EmbeddingView | FieldsView, embedding: np.ndarray) -> int:
    """How many columns a classifier reads."""
    return view.columns if isinstance(view, FieldsView) else max(1, embedding.shape[1])


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


def embedding_view(embedding: np.ndarray) -> EmbeddingView:
    """Give the view of these training rows' embeddings `(n, width)`."""
    rows = embedding.astype(np.float64)
    spread = rows.std(axis=0)
    return EmbeddingView(rows.mean(axis=0), 1.0 / np.where(spread > 0, spread, 1.0))


def fields_view(encoding: Encoding | None) -> FieldsView:
    """Give the view of all fields but texts. Raises NotUsable for none, and for too many columns."""
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
