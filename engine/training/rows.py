"""The rows of a labelled table that can be used: fields in normal form, class codes, and what had to be
left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from engine import tabular
from engine.errors import FieldProblem, InputError
from engine.training.targets import MISSING, label_codes, label_weights
from rules.errors import nearest

if TYPE_CHECKING:
    from engine.project import Label, Project
    from engine.schema import Schema

BLOCK = 65_536
PROBLEMS_SHOWN = 3
MOST_UNREADABLE = 0.5


@dataclass(frozen=True)
class Labelled:
    """`fields` has a normal column for every field; `codes` `(n,)` int64 for every label, −1 where it is
    missing; `weights` `(n,)` float64 for the labels that have weights.
    """

    fields: pa.RecordBatch
    codes: Mapping[str, np.ndarray]
    read: int  # rows in the table
    rejected: int  # of these, rows that the schema refuses
    unlabelled: int  # of these, readable rows without any label
    problems: Mapping[str, int] = field(default_factory=dict)  # 'field: message' of the rejected rows → rows
    warnings: tuple[str, ...] = ()
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None  # `(n,)` int64, where the split is by group: equal numbers stay together

    @property
    def rows(self) -> int:
        return int(self.fields.num_rows)

    def take(self, rows: np.ndarray) -> Labelled:
        """Some of the rows, in the order given."""
        fields = self.fields.take(pa.array(rows, pa.int64()))
        codes = {name: codes[rows] for name, codes in self.codes.items()}
        groups = None if self.groups is None else self.groups[rows]
        weights = {name: weights[rows] for name, weights in self.weights.items()}
        return replace(self, fields=fields, codes=codes, groups=groups, weights=weights)

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


def read_labelled(project: Project, table: pa.Table, source: str) -> Labelled:
    """Read a table by the project's schema and labels; `source` names it in messages.

    Rows that the schema refuses and rows without any label are left out and counted. Raises InputError for
    a table without rows, without a column that every record needs, without a label's column, or mostly
    unreadable.
    """
    if table.num_rows == 0:
        raise InputError(f"{source}: no rows; give a file with labelled rows")
    _check_columns(project.schema, table, source)
    codes = {name: label_codes(label, table, source) for name, label in project.labels.items()}
    weighed = {
        name: label_weights(label, table, codes[name], source) for name, label in project.labels.items()
    }
    fields, kept, rejects = _normal(project.schema, table)
    problems = Counter(f"{one.field}: {one.message}" for _, found in rejects for one in found)
    if len(rejects) > MOST_UNREADABLE * table.num_rows:
        raise InputError(_unreadable(source, table.num_rows, rejects, problems))
    labelled = np.zeros(len(kept), bool)
    for values in codes.values():
        labelled |= values[kept] != MISSING
    used = kept[labelled]
    fields = fields if labelled.all() else fields.filter(pa.array(labelled))
    return Labelled(
        fields,
        {name: values[used] for name, values in codes.items()},
        table.num_rows,
        len(rejects),
        int((~labelled).sum()),
        dict(problems.most_common(20)),
        _warnings(project.schema, table, fields, project.labels),
        {name: weights[used] for name, weights in weighed.items() if weights is not None},
        _groups(project, table, used),
    )


def _normal(
    schema: Schema, table: pa.Table
) -> tuple[pa.RecordBatch, np.ndarray, list[tuple[int, tuple[FieldProblem, ...]]]]:
    """Every field of the readable rows in one batch, their row numbers, and the rejects by row number."""
    batches: list[pa.RecordBatch] = []
    kept: list[np.ndarray] = []
    rejects: list[tuple[int, tuple[FieldProblem, ...]]] = []
    start = 0
    for block in table.to_batches(max_chunksize=BLOCK):
        normal = tabular.normalise(schema, block)
        batches.append(normal.batch)
        kept.append(np.asarray(normal.rows, np.int64) + start)
        rejects += [(start + row, found) for row, found in normal.rejects]
        start += block.num_rows
    whole = pa.Table.from_batches(batches).combine_chunks().to_batches()
    fields = whole[0] if whole else batches[0].slice(0, 0)
    return fields, np.concatenate(kept), rejects


def _groups(project: Project, table: pa.Table, used: np.ndarray) -> np.ndarray | None:
    """A number for each value of the split's column; a missing value is a group of its own."""
    name = project.split.field
    if project.split.by != "group" or name not in table.column_names:
        return None
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


def _unreadable(source: str, rows: int, rejects: list, problems: Counter[str]) -> str:
    row, found = rejects[0]
    worst = "; ".join(f"{text} ({count} rows)" for text, count in problems.most_common(PROBLEMS_SHOWN))
    return (
        f"{source}: {len(rejects)} of {rows} rows do not fit the schema: {worst}. "
        f"The first is row {row}: {'; '.join(map(str, found))}. Mend the fields in project.yaml, or the file"
    )


def _warnings(
    schema: Schema, table: pa.Table, fields: pa.RecordBatch, labels: Mapping[str, Label]
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
        absent = table.column(label.column).null_count
        if absent:
            found.append(f"label '{label.name}': missing in {absent} of {table.num_rows} rows")
    return tuple(found)
