"""One column written piece by piece, each of its buffers into a file of its own, and mapped as one array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

MOST_TEXT = 2**31 - 1  # bytes of one array of texts: its places are 32-bit numbers

Map = Callable[[Path], pa.Buffer]


def column_of(kind: pa.DataType, stem: Path) -> Column | Kept:
    """Give what writes a column of this type to files whose names begin with `stem`.

    Dictionaries and nested types, which no field needs, stay in memory.
    """
    if pa.types.is_boolean(kind):
        return Column(kind, stem, _Bits(stem.with_suffix(".bits")))
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind):
        return Column(kind, stem, _Bytes(stem.with_suffix(".bytes"), kind.bit_width // 8))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return Column(kind, stem, _Texts(stem, np.dtype(np.int32)))
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return Column(kind, stem, _Texts(stem, np.dtype(np.int64)))
    return Kept(kind)


class Column:
    """A column whose values are bits, numbers of one width, or texts."""

    def __init__(self, kind: pa.DataType, stem: Path, values: _Bits | _Bytes | _Texts) -> None:
        self._kind, self._values = kind, values
        self._valid = _Bits(stem.with_suffix(".valid"))
        self._rows = self._nulls = 0

    def fits(self, given: pa.Array) -> int:
        """How many of these values there is room for."""
        return self._values.fits(given)

    def add(self, given: pa.Array) -> None:
        """Write values, what stands under missing ones too."""
        valid, *rest = given.buffers()
        whole = np.ones(len(given), np.uint8) if valid is None else _bits(valid, given)
        self._valid.write(whole)
        self._values.add(given, rest)
        self._rows += len(given)
        self._nulls += given.null_count

    def mapped(self, map_file: Map) -> pa.Array:
        """All values as one array."""
        (valid,) = self._valid.end(map_file)
        buffers = [valid if self._nulls else None, *self._values.end(map_file)]
        return pa.Array.from_buffers(self._kind, self._rows, buffers, null_count=self._nulls)


class Kept:
    """A column that stays in memory."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._parts: list[pa.Array] = []

    def fits(self, given: pa.Array) -> int:
        """How many of these values there is room for."""
        return len(given)

    def add(self, given: pa.Array) -> None:
        """Keep values."""
        self._parts.append(given)

    def mapped(self, _: Map) -> pa.Array:
        """All values as one array."""
        return pa.concat_arrays(self._parts) if self._parts else pa.array([], self._kind)


class _Bits:
    """Eight rows a byte, the first the lowest."""

    def __init__(self, path: Path) -> None:
        self._path, self._rest = path, np.empty(0, np.uint8)

    def fits(self, given: pa.Array) -> int:
        return len(given)

    def add(self, given: pa.Array, buffers: list[Any]) -> None:
        self.write(_bits(buffers[0], given))

    def write(self, bits: np.ndarray) -> None:
        """Write `(n,)` uint8 of 0 and 1."""
        bits = np.concatenate([self._rest, bits])
        whole = len(bits) // 8 * 8
        self._rest = bits[whole:]
        _append(self._path, np.packbits(bits[:whole], bitorder="little"))

    def end(self, map_file: Map) -> list[pa.Buffer]:
        _append(self._path, np.packbits(self._rest, bitorder="little"))
        return [_ended(self._path, map_file)]


class _Bytes:
    """Values of `width` bytes."""

    def __init__(self, path: Path, width: int) -> None:
        self._path, self._width = path, width

    def fits(self, given: pa.Array) -> int:
        return len(given)

    def add(self, given: pa.Array, buffers: list[Any]) -> None:
        first = given.offset * self._width
        _append(self._path, _bytes(buffers[0])[first : first + len(given) * self._width])

    def end(self, map_file: Map) -> list[pa.Buffer]:
        return [_ended(self._path, map_file)]


class _Texts:
    """Where each text begins, and all texts one after the other."""

    def __init__(self, stem: Path, places: np.dtype[Any]) -> None:
        self._starts, self._texts = stem.with_suffix(".starts"), stem.with_suffix(".texts")
        self._places = places
        self._size = 0

    def fits(self, given: pa.Array) -> int:
        if self._places.itemsize > 4 or not len(given):
            return len(given)
        starts = self._of(given, given.buffers()[1])
        # Counted in 64 bits: what is full already plus what comes may be more than 32 bits hold.
        return (
            int(np.searchsorted(starts.astype(np.int64) - int(starts[0]) + self._size, MOST_TEXT, "right"))
            - 1
        )

    def add(self, given: pa.Array, buffers: list[Any]) -> None:
        if not len(given):
            return
        starts = self._of(given, buffers[0])
        if not self._size and not self._starts.exists():
            _append(self._starts, np.zeros(1, self._places))
        _append(self._starts, (starts[1:] - starts[0] + self._size).astype(self._places))
        _append(self._texts, _bytes(buffers[1])[int(starts[0]) : int(starts[-1])])
        self._size += int(starts[-1] - starts[0])

    def end(self, map_file: Map) -> list[pa.Buffer]:
        return [_ended(self._starts, map_file), _ended(self._texts, map_file)]

    def _of(self, given: pa.Array, buffer: Any) -> np.ndarray:
        return np.frombuffer(buffer, self._places)[given.offset : given.offset + len(given) + 1]


def _bits(buffer: Any, given: pa.Array) -> np.ndarray:
    """The bits of an array's rows: `(n,)` uint8."""
    first, last = given.offset // 8, -(-(given.offset + len(given)) // 8)
    bits = np.unpackbits(_bytes(buffer)[first:last], bitorder="little")
    skipped = given.offset - 8 * first
    return bits[skipped : skipped + len(given)]


def _bytes(buffer: Any) -> np.ndarray:
    return np.empty(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


def _append(path: Path, values: np.ndarray) -> None:
    # Opened for each piece: a table has more columns than a process may have files open.
    if len(values):
        with path.open("ab") as file:
            file.write(np.ascontiguousarray(values).data)


def _ended(path: Path, map_file: Map) -> pa.Buffer:
    return map_file(path) if path.exists() else pa.py_buffer(b"")
