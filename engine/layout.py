"""How the rows of a scored file are laid out: the decisions alone, or beside what the input itself holds."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from engine.errors import InputError
from engine.formats import Chunk, RecordChunk, Source
from engine.jsonlines import line_of
from engine.tables import kept_names


class Layout(Protocol):
    """`lay_out` gives what a target writes for the decided `rows` of a chunk; `empty` the columns of none."""

    def lay_out(self, chunk: Chunk, rows: np.ndarray, decisions: pa.RecordBatch) -> Any: ...

    @property
    def empty(self) -> pa.Schema: ...


def choose_layout(
    source: Source, decisions: pa.Schema, *, keep: bool, target: str, id_column: str | None
) -> Layout:
    """Choose the layout for a source and the format of a target."""
    if not keep:
        return Alone(decisions)
    if source.columns is not None:
        return BesideColumns(source.columns, decisions, id_column)
    return BesideKeys(decisions, id_column) if target == "jsonl" else BesideTexts(decisions, id_column)


class Alone:
    """The decisions and nothing else."""

    def __init__(self, decisions: pa.Schema) -> None:
        self.empty = decisions

    def lay_out(self, chunk: Chunk, rows: np.ndarray, decisions: pa.RecordBatch) -> pa.RecordBatch:
        return decisions


class BesideColumns:
    """The columns of a table, as they are, then the decisions."""

    def __init__(self, columns: pa.Schema, decisions: pa.Schema, id_column: str | None) -> None:
        self._names = kept_names(columns.names, decisions.names, id_column)
        own = [columns.field(name).with_name(new) for name, new in self._names.items()]
        self.empty = pa.schema([*own, *decisions])

    def lay_out(self, chunk: Chunk, rows: np.ndarray, decisions: pa.RecordBatch) -> pa.RecordBatch:
        places = pa.array(rows)
        own = [chunk.column(name).take(places) for name in self._names]
        return pa.RecordBatch.from_arrays([*own, *decisions.columns], schema=self.empty)


class BesideKeys:
    """What a record holds, whatever that is, and its decision in one object."""

    def __init__(self, decisions: pa.Schema, id_column: str | None) -> None:
        self.empty, self._id_column = decisions, id_column

    def lay_out(self, chunk: Chunk, rows: np.ndarray, decisions: pa.RecordBatch) -> list[dict[str, Any]]:
        laid_out = []
        for row, decision in zip(rows.tolist(), decisions.to_pylist(), strict=True):
            record = chunk.record(row)
            names = kept_names(record, self.empty.names, self._id_column)
            laid_out.append({new: record[name] for name, new in names.items()} | decision)
        return laid_out


class BesideTexts:
    """What records hold, as columns of text, one for each key of the first chunk; then the decisions."""

    def __init__(self, decisions: pa.Schema, id_column: str | None) -> None:
        self.empty, self._decisions, self._id_column = decisions, decisions, id_column
        self._names: dict[str, str] | None = None

    def lay_out(self, chunk: Chunk, rows: np.ndarray, decisions: pa.RecordBatch) -> pa.RecordBatch:
        records = chunk.records if isinstance(chunk, RecordChunk) else []
        keys = list(dict.fromkeys(key for record in records for key in record))
        if self._names is None:
            self._names = kept_names(keys, self._decisions.names, self._id_column)
            own = [pa.field(name, pa.string()) for name in self._names.values()]
            self.empty = pa.schema([*own, *self._decisions])
        for key in keys:
            if key not in self._names and key != self._id_column:
                hint = "a .jsonl target keeps whatever keys a record has"
                raise InputError(f"key {key!r} is in none of the first {len(records)} rows; {hint}")
        kept = [records[row] for row in rows.tolist()]
        texts = [pa.array([_text(record.get(name)) for record in kept], pa.string()) for name in self._names]
        return pa.RecordBatch.from_arrays([*texts, *decisions.columns], schema=self.empty)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else line_of(value).decode().strip()
