"""Parquet files: read row group by row group, written the same way, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.formats import TableChunk, unique_names

GROUP_ROWS = 131_072
BUFFER = 1 << 20


class ParquetSource:
    """A Parquet file to read; only the columns asked for are read."""

    def __init__(self, path: Path, columns: list[str] | None) -> None:
        self._path = path
        try:
            # Column chunks are read piece by piece, not a whole row group at once.
            self._file = pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} is no Parquet file, or one cut off: {_line(error)}") from None
        unique_names(schema.names, path)
        names = [name for name in schema.names if columns is None or name in columns]
        self.columns: pa.Schema | None = pa.schema([schema.field(name) for name in names])
        self.total: int | None = self._file.metadata.num_rows
        self._names = names

    def chunks(self, rows: int) -> Iterator[TableChunk]:
        start = 0
        try:
            for batch in self._file.iter_batches(rows, columns=self._names):
                yield TableChunk(batch, np.arange(start, start + batch.num_rows))
                start += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self._path} cannot be read after row {start}: {_line(error)}") from None
        finally:
            self._file.close()


class ParquetTarget:
    """A Parquet file to write; rows are gathered into row groups."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, use_dictionary=_repeating(schema))
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, rows: pa.RecordBatch) -> None:
        self._waiting.append(rows)
        self._rows += rows.num_rows
        if self._rows >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        self._waiting = []
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._waiting, self._rows = [], 0
            self._writer.write_table(table.unify_dictionaries(), row_group_size=GROUP_ROWS)


def _repeating(schema: pa.Schema) -> list[str]:
    """Name the columns worth a dictionary: not floats, of which hardly any two are alike, nor ids."""
    leaves = {field.name: f"{field.name}.list.element" for field in schema if pa.types.is_list(field.type)}
    plain = [field.name for field in schema if not pa.types.is_floating(field.type) and field.name != "id"]
    return [leaves.get(name, name) for name in plain]


def _line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
