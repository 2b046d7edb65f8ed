"""Fields become the network's inputs: one record or a column batch in, a few arrays out.

Inputs, each present where the encoding has such fields: `numeric` `(n, columns)` float32 with NaN for
missing; `categories` `(n, fields)` int64, rows of one shared table; `text.NAME` `(n, tokens)` int64 for each
text field.
`docs/encoding-format.md` specifies all of it for other languages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from struct import Struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embeddings import fields
from embeddings.errors import EncodingError
from embeddings.fields import BOUND, CLOCK_COLUMNS, Category, Clock, Number, Text, Vector
from embeddings.textmodel import TextModel
from embeddings.tokens import Tokens

MINUTE_US = 60_000_000
DAY_MINUTES = 1_440
WEEK_DAYS = 7
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0
_FLOAT32, _INT64 = np.dtype(np.float32), np.dtype(np.int64)
_NAN = math.nan


@dataclass(frozen=True)
class Encoding:
    """What turns fields into inputs, fixed on training rows.

    INVARIANT: `record` and `batch` give the same bits for the same values.
    """

    numbers: tuple[Number, ...]
    clocks: tuple[Clock, ...]
    categories: tuple[Category, ...]
    texts: tuple[Text, ...]
    vectors: tuple[Vector, ...] = ()
    models: Mapping[str, TextModel] = field(default_factory=dict, compare=False, repr=False)

    def record(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Encode one record that holds every field (None is missing): arrays of one row, read-only."""
        inputs = {}
        pack, shape, numbers, clocks = self._numeric
        if pack is not None:
            row = []
            for name, mean, inverse in numbers:
                value = values[name]
                if value is None:
                    row.append(_NAN)
                else:
                    scaled = (value - mean) * inverse
                    row.append(scaled if -BOUND <= scaled <= BOUND else _bounded(scaled))
            for name in clocks:
                row += _clock(values[name])
            for vector in self.vectors:
                row += self._vector(vector, values[vector.name]).tolist()
            inputs["numeric"] = np.ndarray(shape, _FLOAT32, pack(*row))
        pack, shape, indices = self._categorical
        if pack is not None:
            rows = [index.get(values[name], unseen) for name, index, unseen in indices]
            inputs["categories"] = np.ndarray(shape, _INT64, pack(*rows))
        for name, key, tokens, shape in self._textual:
            inputs[key] = np.ndarray(shape, _INT64, tokens.one(values[name]))
        return inputs

    def batch(self, batch: pa.RecordBatch) -> dict[str, np.ndarray]:
        """Encode n rows whose columns are int64, float64, bool, string or timestamp("us", "UTC")."""
        inputs = {}
        if self.columns:
            inputs["numeric"] = numeric = np.empty((batch.num_rows, self.columns), np.float32)
            for place, field in enumerate(self.numbers):
                numeric[:, place] = _scaled(batch.column(field.name), field)
            for place, clock in enumerate(self.clocks):
                first = len(self.numbers) + CLOCK_COLUMNS * place
                numeric[:, first : first + CLOCK_COLUMNS] = _clock_columns(batch.column(clock.name))
            first = len(self.numbers) + CLOCK_COLUMNS * len(self.clocks)
            for vector in self.vectors:
                numeric[:, first : first + vector.width] = self._vectors(vector, batch.column(vector.name))
                first += vector.width
        if self.categories:
            inputs["categories"] = rows = np.empty((batch.num_rows, len(self.categories)), np.int64)
            for place, (name, first, levels) in enumerate(self._columnar):
                rows[:, place] = first + _rows(batch.column(name), levels)
        for name, key, tokens, _ in self._textual:
            inputs[key] = tokens.column(batch.column(name))
        return inputs

    @property
    def columns(self) -> int:
        """Columns of `numeric`: one a number, four a timestamp, one a dimension of a vector."""
        dimensions = sum(vector.width for vector in self.vectors)
        return len(self.numbers) + CLOCK_COLUMNS * len(self.clocks) + dimensions

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that the inputs are made from: numbers, timestamps, categories, texts, vectors."""
        groups: tuple[Sequence[Number | Clock | Category | Text | Vector], ...]
        groups = (self.numbers, self.clocks, self.categories, self.texts, self.vectors)
        return tuple(field.name for group in groups for field in group)

    @property
    def owners(self) -> dict[str, np.ndarray]:
        """Whose each column of each input is: input → `(columns,)` int64 places in `names`."""
        place = {name: at for at, name in enumerate(self.names)}
        whose = {
            "numeric": [one.name for one in self.numbers]
            + [one.name for one in self.clocks for _ in range(CLOCK_COLUMNS)]
            + [one.name for one in self.vectors for _ in range(one.width)],
            "categories": [one.name for one in self.categories],
            **{f"text.{one.name}": [one.name] * one.tokens for one in self.texts},
        }
        return {key: np.array([place[name] for name in names]) for key, names in whose.items() if names}

    @property
    def table_rows(self) -> int:
        """Rows of the shared category table."""
        return sum(category.rows for category in self.categories)

    @property
    def edges(self) -> tuple[tuple[float, ...], ...]:
        """Bin edges of each column of `numeric`, in its units."""
        return (
            *(number.edges for number in self.numbers),
            *(edges for clock in self.clocks for edges in clock.edges),
            *(() for vector in self.vectors for _ in range(vector.width)),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the written form: JSON types only."""
        return fields.write(self.numbers, self.clocks, self.categories, self.texts, self.vectors)

    def files(self) -> dict[str, bytes]:
        """Give the files that stand beside the written form: graphs and vocabularies, by their names."""
        files = {}
        for name, model in self.models.items():
            files[f"{name}.onnx"], files[f"{name}.txt"] = model.onnx, model.vocabulary
        return files

    @classmethod
    def from_json(cls, data: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Encoding:
        """Read a written form, with its files where it has any.

        Raises `EncodingError` naming the place that is not sound. The graphs are opened when first asked for.
        """
        read, files = fields.read(data), files or {}
        models = {}
        for one in read[-1]:
            absent = [name for name in (f"{one.name}.onnx", f"{one.name}.txt") if name not in files]
            if absent:
                raise EncodingError(f"encoding.vectors: no file {absent[0]}")
            models[one.name] = TextModel(
                files[f"{one.name}.onnx"],
                files[f"{one.name}.txt"],
                one.tokens,
                one.output,
                one.lower,
                one.pool,
            )
        return cls(*read, models)

    def check_models(self) -> None:
        """Try the encoders of texts. Raises `EncodingError` where one does not run as it did when fitted."""
        for vector in self.vectors:
            width = self.models[vector.name].check()
            if width != vector.width:
                raise EncodingError(f"'{vector.name}': vectors of {width}, where {vector.width} were fitted")

    def _vector(self, vector: Vector, text: str | None) -> np.ndarray:
        """The columns of one text: `(width,)` float32, NaN for a missing one."""
        if text is None:
            return np.full(vector.width, np.nan, np.float32)
        given = self.models[vector.name].vector(text)
        mean, inverse = self._scales[vector.name]
        return np.asarray(np.clip((given - mean) * inverse, -BOUND, BOUND), np.float32)

    def _vectors(self, vector: Vector, texts: pa.Array) -> np.ndarray:
        """The columns of n texts, each distinct one worked out once: `(n, width)` float32."""
        distinct = texts.dictionary_encode()
        rows = [self._vector(vector, text) for text in [*distinct.dictionary.to_pylist(), None]]
        places = distinct.indices.fill_null(len(rows) - 1).to_numpy(zero_copy_only=False)
        table: np.ndarray = np.stack(rows)
        return np.asarray(table[places])

    @cached_property
    def _scales(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {one.name: (np.array(one.mean), np.array(one.inverse_scale)) for one in self.vectors}

    @cached_property
    def _first_rows(self) -> tuple[int, ...]:
        rows = [category.rows for category in self.categories]
        return tuple(sum(rows[:place]) for place in range(len(rows)))

    @cached_property
    def _numeric(self) -> tuple[Any, ...]:
        numbers = tuple((number.name, number.mean, number.inverse_scale) for number in self.numbers)
        clocks = tuple(clock.name for clock in self.clocks)
        pack = Struct(f"={self.columns}f").pack if self.columns else None
        return pack, (1, self.columns), numbers, clocks

    @cached_property
    def _categorical(self) -> tuple[Any, ...]:
        pack = Struct(f"={len(self.categories)}q").pack if self.categories else None
        indices = tuple(
            (c.name, c.index(first), first)
            for c, first in zip(self.categories, self._first_rows, strict=True)
        )
        return pack, (1, len(indices)), indices

    @cached_property
    def _columnar(self) -> tuple[tuple[str, int, pa.Array], ...]:
        return tuple(
            (c.name, first, pa.array([False, True]) if c.flag else pa.array(c.levels, pa.string()))
            for c, first in zip(self.categories, self._first_rows, strict=True)
        )

    @cached_property
    def _textual(self) -> tuple[tuple[str, str, Tokens, tuple[int, int]], ...]:
        return tuple((text.name, f"text.{text.name}", Tokens(text), (1, text.tokens)) for text in self.texts)


def _bounded(scaled: float) -> float:
    """Clip to ±BOUND; NaN stays, as missing."""
    return BOUND if scaled > 0 else -BOUND if scaled < 0 else scaled


def _scaled(column: pa.Array, field: Number) -> np.ndarray:
    """Standardise a column: `(n,)` → `(n,)` float64, within ±BOUND, NaN for missing."""
    values: np.ndarray = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    with np.errstate(over="ignore"):
        return np.clip((values - field.mean) * field.inverse_scale, -BOUND, BOUND)


def _clock(moment: int | None) -> tuple[float, ...]:
    """Four columns of one moment, in microseconds since the epoch, UTC."""
    if moment is None:
        return (_NAN,) * CLOCK_COLUMNS
    day, minute = divmod(moment // MINUTE_US, DAY_MINUTES)
    return _DAY[minute] + _WEEK[(day + _EPOCH_WEEKDAY) % WEEK_DAYS]


def _clock_columns(column: pa.Array) -> np.ndarray:
    """Four columns of each moment: `(n,)` → `(n, 4)` float32, NaN for missing."""
    moments = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    day, minute = np.divmod(moments // MINUTE_US, DAY_MINUTES)
    columns = np.concatenate((_DAY_TABLE[minute], _WEEK_TABLE[(day + _EPOCH_WEEKDAY) % WEEK_DAYS]), axis=1)
    if column.null_count:
        columns[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return columns


def _rows(column: pa.Array, levels: pa.Array) -> np.ndarray:
    """Rows of a category within its own part of the table: 0 unseen, 1 missing, then the levels."""
    place = pc.index_in(column, levels).fill_null(-2)
    rows: np.ndarray = place.to_numpy(zero_copy_only=False).astype(np.int64) + 2
    if column.null_count:
        rows[column.is_null().to_numpy(zero_copy_only=False)] = 1
    return rows


def _circle(points: int) -> tuple[tuple[float, float], ...]:
    """Sine and cosine of each of `points` equal steps round a circle, as float32 values.

    A table and not a function of the moment: the sines of NumPy and of libm differ in their last bits.
    """
    angles = [2 * math.pi * point / points for point in range(points)]
    return tuple((float(np.float32(math.sin(angle))), float(np.float32(math.cos(angle)))) for angle in angles)


_DAY, _WEEK = _circle(DAY_MINUTES), _circle(WEEK_DAYS)
_DAY_TABLE, _WEEK_TABLE = np.array(_DAY, np.float32), np.array(_WEEK, np.float32)
