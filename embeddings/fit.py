"""An encoding is fixed on training rows: scales and bins of numbers, levels, lengths of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embeddings.encode import Encoding
from embeddings.errors import EncodingError
from embeddings.fields import BOUND, CLOCK_COLUMNS, Category, Clock, Number, Text, Vector
from embeddings.spec import Slot, Spec
from embeddings.textmodel import TextModel
from embeddings.tokens import Tokens

_TAIL = 0.001
_TOKENS_COVERED = 0.99
_TEXTS_SAMPLED = 20_000
_VECTORS_SAMPLED = 2_000
_LEAST_GAP = 1e-6
_MANY_COLUMNS, _VERY_MANY_COLUMNS = 60, 240


def fit_encoding(spec: Spec, table: pa.Table, models: Mapping[str, TextModel] | None = None) -> Encoding:
    """Fix the encoding of `spec.slots` on a table of training rows with normal columns.

    `models` are the encoders of the slots of kind `vector`, by name.

    A constant or an all-missing field is encoded like any other: it has no bins, and no harm comes of it.

    Raises
    ------
    EncodingError: there are no slots, no rows, or a slot has no column.
    """
    if not spec.slots:
        raise EncodingError("no fields to encode; name at least one slot")
    absent = [slot.name for slot in spec.slots if slot.name not in table.column_names]
    if absent:
        raise EncodingError(
            f"no column for {', '.join(absent)}; the table has {', '.join(table.column_names)}"
        )
    if table.num_rows == 0:
        raise EncodingError("no training rows to fix the encoding on")
    bins = _bins(spec.sized(table.num_rows))
    fitted: dict[str, list[Any]] = {"number": [], "timestamp": [], "category": [], "text": [], "vector": []}
    for slot in spec.slots:
        column = table.column(slot.name).combine_chunks()
        if slot.kind == "number":
            fitted["number"].append(_number(slot.name, column, bins))
        elif slot.kind == "timestamp":
            fitted["timestamp"].append(_clock(slot.name, column, bins))
        elif slot.kind == "vector":
            fitted["vector"].append(_vector(slot.name, column, (models or {})[slot.name]))
        elif slot.kind == "text":
            fitted["text"].append(_text(slot.name, column, spec))
        else:
            fitted["category"].append(_category(slot, column, spec))
    kinds = ("number", "timestamp", "category", "text", "vector")
    numbers, clocks, categories, texts, vectors = (tuple(fitted[kind]) for kind in kinds)
    return Encoding(numbers, clocks, categories, texts, vectors, models or {})


def _bins(spec: Spec) -> int:
    """Bins of a numeric column: fewer where there are very many columns, which would drown the rest."""
    if spec.numeric != "piecewise-linear" or spec.bins is None:
        return 0
    columns = sum({"number": 1, "timestamp": CLOCK_COLUMNS}.get(slot.kind, 0) for slot in spec.slots)
    shrink = 1 if columns <= _MANY_COLUMNS else 2 if columns <= _VERY_MANY_COLUMNS else 4
    return max(2, spec.bins // shrink)


def _number(name: str, column: pa.Array, bins: int) -> Number:
    values = column.to_numpy(zero_copy_only=False).astype(np.float64)
    values = values[np.isfinite(values)]
    mean, inverse = _scale(values)
    with np.errstate(over="ignore"):
        scaled = np.clip((values - mean) * inverse, -BOUND, BOUND).astype(np.float32)
    return Number(name, mean, inverse, _edges(scaled, bins))


def _scale(values: np.ndarray) -> tuple[float, float]:
    """Mean and inverse deviation; the outermost values are drawn in, so that one sentinel sets no scale."""
    if len(values) == 0:
        return 0.0, 1.0
    # Divided by the largest first, so that squares of 1e200 stay finite.
    largest = max(float(np.abs(values).max()), 1e-300)
    shares = values / largest
    low, high = np.quantile(shares, (_TAIL, 1 - _TAIL))
    for candidate in (np.clip(shares, low, high), shares):
        deviation = float(candidate.std()) * largest
        if deviation > 1e-300 and deviation > abs(float(candidate.mean()) * largest) * 1e-12:
            return float(candidate.mean()) * largest, 1.0 / deviation
    return float(values[0]), 1.0


def _clock(name: str, column: pa.Array, bins: int) -> Clock:
    blank = Encoding((), (Clock(name, ((),) * CLOCK_COLUMNS),), (), ())
    columns = blank.batch(pa.record_batch([column], names=[name]))["numeric"]
    return Clock(name, tuple(_edges(values[~np.isnan(values)], bins) for values in columns.T))


def _edges(values: np.ndarray, bins: int) -> tuple[float, ...]:
    """Bin edges of standardised values `(n,)` float32: quantiles, and steps at heavy single values.

    Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular Deep Learning", section 3.2.1
    (bins from quantiles). Not in the paper: a value that holds a bin's share of the rows is itself an edge,
    and so are its neighbours, so that "exactly zero" can differ sharply from "a little".
    """
    levels, counts = np.unique(values, return_counts=True)
    if bins == 0 or len(levels) < 2:
        return ()
    if len(levels) > bins + 1:
        heavy = np.flatnonzero(counts * bins >= len(values))
        near = np.unique(np.clip(np.concatenate((heavy - 1, heavy, heavy + 1)), 0, len(levels) - 1))
        rest = np.delete(levels, heavy)
        shares = np.linspace(0, 1, max(bins + 1 - len(near), 5))
        spread = np.quantile(np.repeat(rest, np.delete(counts, heavy)), shares, method="nearest")
        levels = np.unique(np.concatenate((levels[near], spread)))
    edges = [float(levels[0])]
    for level in levels[1:].tolist():
        if level - edges[-1] > _LEAST_GAP * max(1.0, abs(level)):
            edges.append(level)
    return tuple(edges) if len(edges) > 1 else ()


def _category(slot: Slot, column: pa.Array, spec: Spec) -> Category:
    if slot.kind == "flag":
        return Category(slot.name, True, ())
    counts = pc.value_counts(column.drop_null())
    seen = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    frequent = sorted((-count, level) for level, count in seen if count >= spec.rare)[: spec.levels]
    return Category(slot.name, False, tuple(sorted(level for _, level in frequent)))


def _vector(name: str, column: pa.Array, model: TextModel) -> Vector:
    """Mean and inverse deviation of each dimension over distinct training texts, a sample where many."""
    texts = pc.unique(column.drop_null()).to_pylist()
    sample = texts[:: max(1, len(texts) // _VECTORS_SAMPLED)] or [""]
    rows = np.stack([model.vector(text) for text in sample]).astype(np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) == 0:
        raise EncodingError(f"'{name}': its encoder gives no numbers for any training text")
    spread = rows.std(axis=0)
    inverse = 1.0 / np.where(spread > 1e-9, spread, 1.0)
    scales = tuple(rows.mean(axis=0).tolist()), tuple(inverse.tolist())
    return Vector(name, model.tokens, model.output, model.lower, model.pool, *scales)


def _text(name: str, column: pa.Array, spec: Spec) -> Text:
    """So many places that nearly all training texts fit whole."""
    texts = column.drop_null()
    step = max(1, len(texts) // _TEXTS_SAMPLED)
    sample = texts.take(pa.array(np.arange(0, len(texts), step)))
    tokens = Tokens(Text(name, spec.text_tokens, spec.text_buckets)).column(sample)
    used = (tokens > 0).sum(axis=1)
    places = int(np.quantile(used, _TOKENS_COVERED, method="higher")) if len(used) else 1
    return Text(name, max(1, places), spec.text_buckets)
