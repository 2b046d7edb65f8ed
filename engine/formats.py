"""File formats by extension, and what every reader gives: blocks of rows, those that cannot be read apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from engine.errors import FieldProblem, InputError
from engine.schema import Schema
from engine.tabular import Normal, normalise, read_records

EXTENSIONS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is no row of its format: its number, what is wrong, and the beginning of its text."""

    row: int
    problems: tuple[FieldProblem, ...]
    text: str


class Chunk(Protocol):
    """Some rows of a file: `rows` are their numbers, from 0; `broken` are others met on the way."""

    @property
    def rows(self) -> np.ndarray: ...

    @property
    def broken(self) -> tuple[Broken, ...]: ...

    def normal(self, schema: Schema) -> Normal:
        """Read the rows against a schema."""

    def column(self, name: str) -> Any:
        """Give one column as it is in the file, None where the file has none of that name."""

    def record(self, place: int) -> dict[str, Any]:
        """Give one row as it is in the file."""


class Source(Protocol):
    """A file to read: its columns and its number of rows, where they are known beforehand."""

    columns: pa.Schema | None
    total: int | None

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Read the file once, at most `rows` rows at a time. Raises InputError naming the place."""


class Target(Protocol):
    """A file to write, row by row in order."""

    def write(self, rows: Any) -> None:
        """Write a record batch; into JSON Lines, a list of records as well."""

    def close(self) -> None:
        """Write what is left, and end the file."""

    def abandon(self) -> None:
        """Let go of the file, which is not to be kept."""


@dataclass(frozen=True, eq=False, slots=True)
class TableChunk:
    """Rows in Arrow columns."""

    batch: pa.RecordBatch
    rows: np.ndarray
    broken: tuple[Broken, ...] = ()

    def normal(self, schema: Schema) -> Normal:
        return normalise(schema, self.batch)

    def column(self, name: str) -> Any:
        return self.batch.column(name) if name in self.batch.schema.names else None

    def record(self, place: int) -> dict[str, Any]:
        (row,) = self.batch.slice(place, 1).to_pylist()
        return dict(row)


@dataclass(frozen=True, eq=False, slots=True)
class RecordChunk:
    """Rows as records."""

    records: list[dict[str, Any]]
    rows: np.ndarray
    broken: tuple[Broken, ...] = ()

    def normal(self, schema: Schema) -> Normal:
        return read_records(schema, self.records)

    def column(self, name: str) -> Any:
        from engine.runtime import identity

        return pa.array([identity(record.get(name)) for record in self.records], pa.string())

    def record(self, place: int) -> dict[str, Any]:
        return self.records[place]


def format_of(path: Path) -> tuple[str, bool]:
    """Tell a file's format by its name ('parquet', 'csv' or 'jsonl'), and whether it is gzipped."""
    name = path.name.lower()
    for extension in sorted(EXTENSIONS, key=len, reverse=True):
        if name.endswith(extension):
            return EXTENSIONS[extension], extension.endswith(".gz")
    raise InputError(f"{path}: unknown format; the name must end in one of {', '.join(EXTENSIONS)}")


def open_source(path: Path, columns: list[str] | None = None) -> Source:
    """Open a file for reading; of a Parquet file, only `columns` are read. Raises InputError."""
    kind, _ = format_of(path)
    if not path.is_file():
        raise InputError(f"{path} {'is no file' if path.exists() else 'does not exist'}")
    if kind == "parquet":
        from engine.parquet import ParquetSource

        return ParquetSource(path, columns)
    if kind == "csv":
        from engine.delimited import CsvSource

        return CsvSource(path)
    from engine.jsonlines import JsonSource

    return JsonSource(path)


def open_target(target: Path, beside: Path, schema: pa.Schema) -> Target:
    """Open the file `beside`, to be written in the format that the name of `target` says."""
    kind, gzipped = format_of(target)
    if kind == "parquet":
        from engine.parquet import ParquetTarget

        return ParquetTarget(beside, schema)
    if kind == "csv":
        from engine.delimited import CsvTarget

        return CsvTarget(beside, schema, gzipped=gzipped)
    from engine.jsonlines import JsonTarget

    return JsonTarget(beside, gzipped=gzipped)


def unique_names(names: list[str], path: Path) -> None:
    """Refuse a table in which two columns have one name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: column '{twice[0]}' stands twice; give each column a name of its own")
