"""CSV files, plain or gzipped: every cell is read as text, which the schema then reads.

An empty cell is a missing value in every field; text that is empty is a quoted empty cell, `""`. Lists are
written with their items joined by `|`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from engine.errors import FieldProblem, InputError, shown
from engine.formats import Broken, TableChunk, format_of, unique_names
from engine.utf8 import ODD, SoundText, original_bytes

BLOCK_BYTES = 4 << 20
HEADER_MOST = 1 << 20
TEXT_SHOWN = 2_000
JOINED = "|"


class CsvSource:
    """A CSV file to read: comma-separated, UTF-8, with a header."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._gzipped = format_of(path)[1]
        self._names = _header(path, gzipped=self._gzipped)
        self.columns: pa.Schema | None = pa.schema([pa.field(name, pa.string()) for name in self._names])
        self.total: int | None = None
        self._broken: list[Broken] = []  # in the order of the file, not yet given out
        self._open_quote: int | None = None  # the row of a quoted cell that does not end

    def chunks(self, rows: int) -> Iterator[TableChunk]:
        number = 0
        try:
            for batch in self._batches():
                for start in range(0, batch.num_rows, rows):
                    chunk = self._chunk(batch.slice(start, rows), number)
                    number = int(chunk.rows[-1]) + 1 if len(chunk.rows) else number
                    yield chunk
            if self._open_quote is not None:
                # All that follows has become one cell: too much to put among the rejects.
                raise InputError(f"{self._path}: row {self._open_quote}: a quoted cell does not end")
            if self._broken:
                nothing = pa.RecordBatch.from_pylist([], self.columns)
                yield TableChunk(nothing, np.arange(0), tuple(self._broken))
        except (pa.ArrowException, OSError, EOFError) as error:
            raise InputError(f"{self._path} cannot be read after row {number}: {_reason(error)}") from None

    def _batches(self) -> Iterator[pa.RecordBatch]:
        # INVARIANT: one thread, else pyarrow cannot say which row is broken.
        read = pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
        parse = pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._note)
        convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(self._names, pa.binary()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        compression = "gzip" if self._gzipped else None
        with (
            pa.input_stream(str(self._path), compression=compression) as stream,
            pa.PythonFile(self._sound(stream), "r") as sound,
            pacsv.open_csv(sound, read, parse, convert) as reader,
        ):
            yield from reader

    def _sound(self, stream: Any) -> SoundText:
        self._read = SoundText(stream)
        return self._read

    def _note(self, row: Any) -> str:
        message = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        # pyarrow counts rows from 1 and the header as the first.
        if "\n" in row.text and row.text.count('"') % 2:
            self._open_quote = row.number - 2
        problem = FieldProblem("", message)
        self._broken.append(Broken(row.number - 2, (problem,), _readable(row.text[:TEXT_SHOWN])))
        return "skip"

    def _chunk(self, batch: pa.RecordBatch, number: int) -> TableChunk:
        """Number the rows from `number` on, passing over the broken ones, which the chunk brings along."""
        met = 0
        rows = np.arange(number, number + batch.num_rows)
        for broken in self._broken:
            if len(rows) and broken.row > rows[-1]:
                break
            rows[rows >= broken.row] += 1
            met += 1
        passed, self._broken = self._broken[:met], self._broken[met:]
        texts: list[pa.Array] = []
        misread: dict[int, list[FieldProblem]] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            text = column.cast(pa.string())
            texts.append(_text(name, text, misread) if self._read.odd else text)
        table = pa.RecordBatch.from_arrays(texts, schema=self.columns)
        if misread:
            good = np.ones(batch.num_rows, dtype=bool)
            good[list(misread)] = False
            for place, problems in sorted(misread.items()):
                passed.append(Broken(int(rows[place]), tuple(problems), _line(batch, place)))
            table, rows = table.filter(pa.array(good)), rows[good]
        return TableChunk(table, rows, tuple(sorted(passed, key=lambda broken: broken.row)))


class CsvTarget:
    """A CSV file to write; lists are joined by `|`, moments are ISO 8601."""

    def __init__(self, path: Path, schema: pa.Schema, *, gzipped: bool) -> None:
        self._schema = pa.schema([pa.field(field.name, _cell_type(field.type)) for field in schema])
        self._sink = pa.output_stream(str(path), compression="gzip" if gzipped else None)
        self._writer = pacsv.CSVWriter(self._sink, self._schema)

    def write(self, rows: pa.RecordBatch) -> None:
        cells = [_cells(column) for column in rows.columns]
        self._writer.write(pa.RecordBatch.from_arrays(cells, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
        self._sink.close()

    abandon = close


def _header(path: Path, *, gzipped: bool) -> list[str]:
    try:
        with gzip.open(path, "rb") if gzipped else path.open("rb") as file:
            start = file.read(HEADER_MOST)
    except (OSError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if not start.strip():
        raise InputError(f"{path} is empty: a CSV file begins with a line of column names")
    if b"\x00" in start[:1000]:
        raise InputError(f"{path}:1: not UTF-8 text (UTF-16, perhaps): save it as UTF-8")
    # Only the header must be sound here; a row further on may break off, or hold what is no UTF-8.
    text = start.decode("utf-8-sig", errors="surrogateescape")
    try:
        names = next(row for row in csv.reader(io.StringIO(text, newline="")) if row)
    except (csv.Error, StopIteration) as error:
        raise InputError(f"{path}:1: the header cannot be read: {error}") from None
    for mark, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and mark in names[0]:
            raise InputError(f"{path}:1: the columns stand between {called}; separate them by commas")
    for name in names:
        if not name.isprintable() or any(0xDC80 <= ord(character) <= 0xDCFF for character in name):
            raise InputError(f"{path}:1: the column name {name.encode(errors='replace')!r} is not UTF-8 text")
    unique_names(names, path)
    return names


def _text(name: str, texts: pa.Array, misread: dict[int, list[FieldProblem]]) -> pa.Array:
    """Leave the cells null that were no text, and note their rows."""
    odd = pc.match_substring_regex(texts, ODD)
    for place in np.flatnonzero(odd.fill_null(fill_value=False)).tolist():
        cell = shown(original_bytes(texts[place].as_py()))
        misread.setdefault(place, []).append(FieldProblem(name, "not valid UTF-8", cell))
    return pc.if_else(odd, pa.scalar(None, pa.string()), texts)


def _line(batch: pa.RecordBatch, place: int) -> str:
    """Write a row as it is in the file, as far as it can be shown."""
    (row,) = batch.slice(place, 1).to_pylist()
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        "" if cell is None else cell.decode() for cell in row.values()
    )
    return _readable(line.getvalue()[:TEXT_SHOWN])


def _readable(text: str) -> str:
    """Show what is no UTF-8 as `\\xef`."""
    return original_bytes(text).decode(errors="backslashreplace")


def _cell_type(kind: pa.DataType) -> pa.DataType:
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return kind if plain else pa.string()


def _cells(column: pa.Array) -> pa.Array:
    """Give a column as CSV can hold it."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _cells(column.dictionary_decode())
    if _cell_type(kind) == kind:
        return column
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return pc.binary_join(column, JOINED)
    if pa.types.is_timestamp(kind):
        zone = "Z" if kind.tz == "UTC" else "%z" if kind.tz else ""
        return pc.strftime(column, f"%Y-%m-%dT%H:%M:%S{zone}")
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        values = (None if value is None else json.dumps(value, default=str) for value in column.to_pylist())
        return pa.array(values, pa.string())
    return column.cast(pa.string())


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    if "straddling" in text:
        return f"a quoted cell does not end, or a row is longer than {BLOCK_BYTES} bytes"
    return text
