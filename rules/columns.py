"""The columns of one batch made ready for kernels: NumPy views, masks of nulls, texts as codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.bits import Plane, pack
from rules.errors import RulesError
from rules.expression import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP
from rules.functions.forms import Column, Truth

ARROW_TYPES = {
    BOOL: pa.bool_(),
    INT: pa.int64(),
    DOUBLE: pa.float64(),
    STRING: pa.string(),
    TIMESTAMP: pa.timestamp("us", "UTC"),
    DURATION: pa.duration("us"),
}
FEW = 5
# A text column is coded where values come back: in the first rows, at most this share may be distinct.
SAMPLE, DISTINCT_SHARE = 65_536, 0.5
_EMPTY = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(bytes(8)), pa.py_buffer(b"")])


class Batch:
    """The columns that a set of expressions needs, each prepared at its first use."""

    def __init__(self, batch: pa.RecordBatch | pa.Table, types: Mapping[str, str]) -> None:
        self.rows: int = batch.num_rows
        self._batch = batch
        self._types = types
        self._columns: dict[str, Plain | Texts] = {}

    def __getitem__(self, name: str) -> Plain | Texts:
        if name not in self._columns:
            self._columns[name] = self._load(name)
        return self._columns[name]

    def block(self, name: str, start: int, stop: int) -> Column | Truth:
        """Give rows start to stop of one column."""
        return self[name].block(start, stop)

    def _load(self, name: str) -> Plain | Texts:
        kind = self._types[name]
        position = self._batch.schema.get_field_index(name)
        if position < 0:
            raise RulesError(
                f"the batch has no column '{name}'; it has {', '.join(self._batch.schema.names)}"
            )
        array = self._batch.column(position)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
        if array.type != ARROW_TYPES[kind]:
            try:
                array = array.cast(ARROW_TYPES[kind])
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise RulesError(f"the column '{name}' is {array.type}; {kind} is needed: {error}") from None
        return Texts(array) if kind == STRING else Plain(kind, array)


class Plain:
    """A column of numbers, timestamps or booleans: a NumPy view, and where it is null."""

    def __init__(self, kind: str, array: pa.Array) -> None:
        self.type = kind
        self._array = array.cast(pa.int64()) if kind in (TIMESTAMP, DURATION) else array

    @cached_property
    def raw(self) -> np.ndarray:
        """The numbers as Arrow holds them: where the column is null, anything."""
        dtype = np.float64 if self.type == DOUBLE else np.int64
        values: np.ndarray = np.frombuffer(self._array.buffers()[1] or b"", dtype)
        raw: np.ndarray = values[self._array.offset : self._array.offset + len(self._array)]
        return raw

    @cached_property
    def null(self) -> np.ndarray | None:
        """Where the column is null; None if nowhere."""
        return _is_null(self._array)

    @cached_property
    def values(self) -> np.ndarray:
        """The values, with false or 0 where there is none."""
        filled = self._array.fill_null(False if self.type == BOOL else 0)
        values: np.ndarray = filled.to_numpy(zero_copy_only=False)
        return values

    @cached_property
    def valid(self) -> np.ndarray:
        """Where the column is not null."""
        return np.ones(len(self._array), dtype=bool) if self.null is None else ~self.null

    @cached_property
    def false(self) -> np.ndarray:
        """Where a column of booleans is false."""
        false: np.ndarray = np.greater(self.valid, self.values)
        return false

    def nulls(self, start: int, stop: int) -> Plane | None:
        """Say which of rows start to stop are null; None if none is."""
        return null_plane(self._array, start, stop)

    def block(self, start: int, stop: int) -> Column | Truth:
        """Give rows start to stop."""
        if self.null is None:
            values = self.values[start:stop]
            return Truth(values) if self.type == BOOL else Column(self.type, values)
        null = self.null[start:stop]
        if self.type == BOOL:
            return Truth(self.values[start:stop], self.false[start:stop], null)
        return Column(self.type, self.values[start:stop], null, None, self.valid[start:stop])


@dataclass(frozen=True)
class Dictionary:
    """The distinct values of a text column, and after them one slot that stands for null."""

    values: Column
    codes: np.ndarray
    has_null: bool


class Texts:
    """A column of texts: as Arrow holds it, and, where values come back, as codes into the distinct ones."""

    type = STRING

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    @cached_property
    def null(self) -> np.ndarray | None:
        """Where the column is null; None if nowhere."""
        return _is_null(self._array)

    @cached_property
    def _filled(self) -> pa.Array:
        return self._array.fill_null("") if self._array.null_count else self._array

    def nulls(self, start: int, stop: int) -> Plane | None:
        """Say which of rows start to stop are null; None if none is."""
        return null_plane(self._array, start, stop)

    @cached_property
    def dictionary(self) -> Dictionary | None:
        """The distinct values and each row's code, past the last for null; None if few values repeat."""
        sample = self._array.slice(0, SAMPLE)
        if len(self._array) > SAMPLE and len(pc.unique(sample)) > DISTINCT_SHARE * len(sample):
            return None
        encoded = self._array.dictionary_encode()
        size = len(encoded.dictionary)
        codes = _codes(encoded.indices, self.null, size)
        narrow = np.uint8 if size < 2**8 else np.uint16 if size < 2**16 else np.int32
        values = pa.concat_arrays([encoded.dictionary, _EMPTY])
        null = np.zeros(size + 1, dtype=bool)
        null[size] = True
        return Dictionary(Column(STRING, values, null), codes.astype(narrow), bool(self._array.null_count))

    def among(self, sought: pa.Array, start: int, stop: int) -> tuple[np.ndarray, Plane | None]:
        """Say for each of rows start to stop which of some texts it is; and where none, None for nowhere."""
        found = pc.index_in(self._array.slice(start, stop - start), value_set=sought)
        codes = np.frombuffer(found.buffers()[1], np.int32, len(found), found.offset * 4)
        none = null_plane(found, 0, len(found))
        return codes.astype(np.uint8) if len(sought) <= 2**8 else codes, none

    def block(self, start: int, stop: int) -> Column:
        """Give rows start to stop."""
        null = None if self.null is None else self.null[start:stop]
        return Column(STRING, self._filled.slice(start, stop - start), null)


def _codes(indices: pa.Array, null: np.ndarray | None, code: int) -> np.ndarray:
    """Give int32 indices, and `code` for null: `fill_null` imports pandas wherever that is installed."""
    held = np.frombuffer(indices.buffers()[1], np.int32, len(indices), indices.offset * 4)
    return held if null is None else np.where(null, np.int32(code), held)


def null_plane(array: pa.Array, start: int, stop: int) -> Plane | None:
    """Say which of rows start to stop are null, as packed bits; None if none is."""
    part = array.slice(start, stop - start)
    if not part.null_count:
        return None
    bits = part.buffers()[0]
    if bits is None or part.offset % 8:
        return pack(part.is_null().to_numpy(zero_copy_only=False))
    first = part.offset // 8
    return ~np.frombuffer(bits, np.uint8)[first : first + (stop - start + 7) // 8]


def _is_null(array: pa.Array) -> np.ndarray | None:
    if not array.null_count:
        return None
    found = array.is_null()  # read by its buffer: `to_numpy` imports pandas wherever that is installed
    bits = np.frombuffer(found.buffers()[1], np.uint8)
    null: np.ndarray = np.unpackbits(bits, bitorder="little")[found.offset : found.offset + len(found)].view(
        bool
    )
    return null


class Gathered:
    """What an expression gives for each distinct text of one column, ready to be spread over its rows."""

    def __init__(self, dictionary: Dictionary, result: Column | Truth) -> None:
        self._codes = dictionary.codes
        self._result = result
        last = len(dictionary.values.values) - 1
        self._true = self._false = self._null = None
        if isinstance(result, Truth):
            # Without nulls in the data, what the null's slot says does not count.
            size = last + 1 if dictionary.has_null else last
            self._true = _Mask(result.true, size)
            settled = result.false is None or bool((result.true | result.false)[:size].all())
            self._false = None if settled else _Mask(result.falsity, size)
            self._null = None if settled or result.null is None else _Mask(result.null, size)

    def block(self, start: int, stop: int) -> Column | Truth:
        """Give rows start to stop."""
        codes = self._codes[start:stop]
        if self._true is not None:
            false = None if self._false is None else self._false.take(codes)
            return Truth(
                self._true.take(codes), false, None if self._null is None else self._null.take(codes)
            )
        result: Any = self._result
        null, error = (None if mask is None else mask[codes] for mask in (result.null, result.error))
        if result.type == STRING:
            return Column(STRING, result.values.take(pa.array(codes)), null, error)
        return Column(result.type, result.values[codes], null, error)


class _Mask:
    """A mask over codes; where few values stand out, comparing codes beats looking them up."""

    def __init__(self, mask: np.ndarray, size: int) -> None:
        self._mask = mask
        held = int(np.count_nonzero(mask[:size]))
        self._only = np.flatnonzero(mask[:size]) if 0 < held <= FEW else None
        self._but = int(np.argmin(mask[:size])) if held == size - 1 and self._only is None else -1

    def take(self, codes: np.ndarray) -> np.ndarray:
        if self._only is not None:
            found = codes == self._only[0]
            for code in self._only[1:]:
                found |= codes == code
            return np.asarray(found)
        if self._but >= 0:
            return np.asarray(codes != self._but)
        return np.asarray(self._mask.take(codes))
