"""The rows of a labelled table that can be used: fields in normal form, class codes, and what had to be
left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine import tabular
from engine.errors import FieldProblem, InputError
from engine.spill import SPILL, blocks_of, gathered
from engine.training.targets import MISSING, label_codes, label_notes, label_weights, refuse_nested
from rules.errors import nearest

if TYPE_CHECKING:
    from engine.project import Label, Project
    from engine.schema import Schema

PROBLEMS_SHOWN = 3
PROBLEMS_TOLD = 20
PROBLEMS_COUNTED = 10_000
MOST_UNREADABLE = 0.5


@dataclass(frozen=True)
class Labelled:
    """`table` has a normal column for every field; `codes` `(n,)` int64 for every label, −1 where it is
    missing; `weights` `(n,)` float64 for the labels that have weights.

    A large table lies in files of `folder`: it is to be read by blocks, or a column at a time.
    """

    table: pa.Table
    codes: Mapping[str, np.ndarray]
    read: int  # rows in the table
    rejected: int  # of these, rows that the schema refuses
    unlabelled: int  # of these, readable rows without any label
    problems: Mapping[str, int] = field(default_factory=dict)  # 'field: message' of the rejected rows → rows
    warnings: tuple[str, ...] = ()
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None  # `(n,)` int64, where the split is by group: equal numbers stay together
    folder: Path = SPILL

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    def longest_text(self) -> float:
        """Mean bytes a row of the field whose texts are the longest."""
        texts = [column for column in self.table.columns if pa.types.is_string(column.type)]
        return max((pc.sum(pc.binary_length(text)).as_py() or 0 for text in texts), default=0) / max(
            1, self.rows
        )

    @cached_property
    def fields(self) -> pa.RecordBatch:
        """All of the rows at once."""
        whole = self.table.combine_chunks().to_batches()
        if len(whole) > 1:
            raise InputError(f"{self.rows:,} rows hold more text than can be learned from at once")
        return whole[0] if whole else pa.RecordBatch.from_pylist([], self.table.schema)

    def column(self, name: str) -> pa.Array:
        """One column of all the rows."""
        chunks = self.table.column(name).chunks
        return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)

    def blocks(self) -> Iterator[Labelled]:
        """The rows a block at a time, in order; no rows are one block."""
        if not self.rows:
            yield self
        start = 0
        for block in blocks_of(self.table):
            yield self._with(pa.Table.from_batches([block]), slice(start, start + block.num_rows))
            start += block.num_rows

    def take(self, rows: np.ndarray) -> Labelled:
        """Some of the rows, by number in ascending order."""
        return self._with(taken(self.table, rows, self.folder), rows)

    def _with(self, table: pa.Table, rows: np.ndarray | slice) -> Labelled:
        codes = {name: codes[rows] for name, codes in self.codes.items()}
        groups = None if self.groups is None else self.groups[rows]
        weights = {name: weights[rows] for name, weights in self.weights.items()}
        return replace(self, table=table, codes=codes, groups=groups, weights=weights)

    def counted(self, label: str) -> np.ndarray:
        """Whether each row counts for a label: it is known, and its weight is not 0; `(n,)` bool."""
        known: np.ndarray = self.codes[label] != MISSING
        return known & (self.weights[label] > 0) if label in self.weights else known

    def counts(self) -> dict[str, Any]:
        """What was read and left out, JSON-able."""
        return {
            "rows": self.rows,
            "read": self.read,
            "rejected": self.rejected,
            "unlabelled": self.unlabelled,
            "problems": dict(self.problems),
            "warnings": list(self.warnings),
        }


def taken(table: pa.Table, rows: np.ndarray, folder: Path) -> pa.Table:
    """Give some rows of a table, by number in ascending order; many of them lie in files of `folder`."""
    if (np.diff(rows) < 0).any():
        raise ValueError("row numbers must ascend")

    def parts() -> Iterator[pa.RecordBatch]:
        start = done = 0
        for block in blocks_of(table):
            stop = int(np.searchsorted(rows, start + block.num_rows))
            yield block.take(pa.array(rows[done:stop] - start, pa.int64()))
            start, done = start + block.num_rows, stop

    return gathered(parts(), folder) if table.num_rows else table


def read_labelled(project: Project, table: pa.Table, source: str, *, folder: Path | None = None) -> Labelled:
    """Read a table by the project's schema and labels; `source` names it in messages.

    Rows that the schema refuses and rows without any label are left out and counted. Where there are many,
    the others lie in files of `folder`, by default of the project's own. Raises InputError for a table
    without rows, without a column that every record needs, without a label's column, or mostly unreadable.
    """
    if table.num_rows == 0:
        raise InputError(f"{source}: no rows; give a file with labelled rows")
    _check_columns(project.schema, table, source)
    codes = {name: label_codes(label, table, source) for name, label in project.labels.items()}
    weighed = {
        name: label_weights(label, table, codes[name], source) for name, label in project.labels.items()
    }
    labelled = np.zeros(table.num_rows, bool)
    for values in codes.values():
        labelled |= values != MISSING
    folder = project.root / SPILL if folder is None else folder
    reading = _Reading(project.schema)
    fields = gathered(reading.blocks(table, labelled), folder)
    if reading.rejected > MOST_UNREADABLE * table.num_rows:
        raise InputError(reading.unreadable(source, table.num_rows))
    used = np.concatenate(reading.used)
    return Labelled(
        fields,
        {name: values[used] for name, values in codes.items()},
        table.num_rows,
        reading.rejected,
        reading.unlabelled,
        dict(reading.problems.most_common(PROBLEMS_TOLD)),
        _warnings(project.schema, table, fields, project.labels),
        {name: weights[used] for name, weights in weighed.items() if weights is not None},
        _groups(project, table, used),
        folder,
    )


class _Reading:
    """What a pass over a table meets: numbers of the rows that can be used, and the others counted."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.used: list[np.ndarray] = []
        self.rejected = self.unlabelled = 0
        self.problems: Counter[str] = Counter()
        self._first: tuple[int, tuple[FieldProblem, ...]] | None = None

    def blocks(self, table: pa.Table, labelled: np.ndarray) -> Iterator[pa.RecordBatch]:
        """Every field of the rows that can be read and have a label, in normal form."""
        start = 0
        for block in blocks_of(table):
            normal = tabular.normalise(self._schema, block)
            rows = np.asarray(normal.rows, np.int64) + start
            known = labelled[rows]
            self._note(normal.rejects, start)
            self.unlabelled += int((~known).sum())
            self.used.append(rows[known])
            yield normal.batch if known.all() else normal.batch.filter(pa.array(known))
            start += block.num_rows

    def unreadable(self, source: str, rows: int) -> str:
        """What to say of a table that hardly any row of can be read."""
        assert self._first is not None  # noqa: S101 — asked for only where rows were refused
        row, found = self._first
        told = self.problems.most_common(PROBLEMS_SHOWN)
        worst = "; ".join(f"{text} ({count:,} rows)" for text, count in told)
        return (
            f"{source}: {self.rejected:,} of {rows:,} rows do not fit the schema: {worst}. "
            f"The first is row {row}: {'; '.join(map(str, found))}. "
            "Mend the fields in project.yaml, or the file"
        )

    def _note(self, rejects: tuple[tabular.Reject, ...], start: int) -> None:
        if rejects and self._first is None:
            self._first = start + rejects[0][0], rejects[0][1]
        self.rejected += len(rejects)
        self.problems.update(f"{one.field}: {one.message}" for _, found in rejects for one in found)
        if len(self.problems) > 2 * PROBLEMS_COUNTED:
            self.problems = Counter(dict(self.problems.most_common(PROBLEMS_COUNTED)))


def _groups(project: Project, table: pa.Table, used: np.ndarray) -> np.ndarray | None:
    """A number for each value of the split's column; a missing value is a group of its own."""
    name = project.split.field
    if project.split.by != "group" or name not in table.column_names:
        return None
    refuse_nested(table.schema.field(name).type, f"column '{name}', by which project.yaml splits")
    encoded = pa.chunked_array([table.column(name).combine_chunks()]).dictionary_encode().combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    codes: np.ndarray = np.asarray(numbers, np.int64)[used]
    alone = codes < 0
    codes[alone] = len(encoded.dictionary) + np.arange(int(alone.sum()))
    return codes


def _check_columns(schema: Schema, table: pa.Table, source: str) -> None:
    missing = [
        one.name
        for one in schema.fields
        if one.name not in table.column_names and not one.nullable and one.default is None
    ]
    if missing:
        hint = nearest(missing[0], table.column_names)
        listed = ", ".join(f"'{name}'" for name in missing)
        raise InputError(
            f"{source}: no column {listed}, and the field is not nullable; {hint}"
            f"{'' if hint.endswith('?') else '.'} Mend the file, or say 'nullable: true' in project.yaml"
        )


def _warnings(
    schema: Schema, table: pa.Table, fields: pa.Table, labels: Mapping[str, Label]
) -> tuple[str, ...]:
    """What is odd but usable: fields that are missing in every row, and labels that are missing in some."""
    found = []
    for one in schema.fields:
        if one.name not in table.column_names:
            found.append(f"field '{one.name}': the file has no such column; it is missing in every row")
        elif fields.num_rows and fields.column(one.name).null_count == fields.num_rows:
            found.append(
                f"field '{one.name}': missing in every row; it is kept, and nothing is learned from it"
            )
    for label in labels.values():
        found += label_notes(label, table)
        absent = table.column(label.column).null_count
        if absent and len(labels) > 1:  # the rows without an only label are counted as left out
            found.append(f"label '{label.name}': missing in {absent:,} of {table.num_rows:,} rows")
    return tuple(found)
