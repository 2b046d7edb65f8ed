"""A table in, its decisions as a table out: one row for each row, block by block, a thread a core."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from engine.adverse import ADVERSE_REASONS, adverse_reasons, check_adverse
from engine.columns import plain_column, value_at
from engine.decide import decide_block
from engine.decided import Decided, decision_columns, decision_schema
from engine.errors import InputError, RowsError
from engine.parallel import in_order
from engine.runtime import Runtime, identity
from engine.tabular import Normal, Reject, batches, normalise
from engine.values import Refused

PROBLEMS = pa.field("problems", pa.list_(pa.string()))


@dataclass(frozen=True, eq=False)
class Block:
    """A block of a table after deciding: `columns` are the decisions of its `rows`."""

    given: pa.RecordBatch
    ids: pa.Array
    rows: np.ndarray
    columns: pa.RecordBatch
    rejects: tuple[Reject, ...]


def decide_table(
    runtime: Runtime,
    data: Any,
    *,
    keep: bool = False,
    on_reject: str = "raise",
    reasons_for: Collection[str] = (),
    now: datetime,
) -> pa.Table:
    """Decide every row of anything that speaks Arrow, in order.

    `keep` puts the table's own columns before the decisions. Rows that the schema refuses raise RowsError
    with all of them; with `on_reject="keep"` they stay in their place without a decision, and a column
    `problems` says why. With outcomes in `reasons_for`, a column `adverse_reasons` has the codes of the
    principal reasons of rows that came to them.
    """
    check_adverse(runtime, reasons_for)
    if on_reject not in ("raise", "keep"):
        raise InputError(f"on_reject is 'raise' or 'keep', not {on_reject!r}")
    schema = decision_schema(runtime.model.scores, runtime.rules.adjusts)
    tables, rejects, start = [], [], 0

    def work(numbered: tuple[pa.RecordBatch, int]) -> Block:
        given, first = numbered
        check_columns(runtime, given.schema.names)
        normal, ids = normalise(runtime.schema, given), ids_of(runtime, given, first)
        decided, columns = decide_normal(runtime, normal, ids, schema, now)
        if reasons_for:
            told = adverse_reasons(runtime, normal.batch, decided.outcome, reasons_for, now)
            columns = columns.append_column(ADVERSE_REASONS, told)
        return Block(given, ids, normal.rows, columns, normal.rejects)

    for block in in_order(work, _numbered(data)):
        rejects += [(start + row, problems) for row, problems in block.rejects]
        if on_reject == "keep" or not rejects:
            columns = _in_place(block) if on_reject == "keep" else block.columns
            tables.append(joined_columns(block.given, columns, runtime.id_column) if keep else columns)
        start += block.given.num_rows
    if rejects and on_reject == "raise":
        raise RowsError(rejects)
    if tables:
        return pa.Table.from_batches(tables)
    more = [*([ADVERSE_REASONS] if reasons_for else []), *([PROBLEMS] if on_reject == "keep" else [])]
    return pa.Table.from_batches([], pa.schema([*schema, *more]))


def decide_normal(
    runtime: Runtime, normal: Normal, ids: pa.Array, schema: pa.Schema, now: datetime
) -> tuple[Decided, pa.RecordBatch]:
    """Decide the good rows of a block, as codes and as columns; `ids` are those of all its rows."""
    decided = decide_block(runtime, normal.batch)
    columns = decision_columns(
        decided,
        schema,
        ids=ids if len(normal.rows) == len(ids) else ids.take(pa.array(normal.rows)),
        outcomes=runtime.outcomes,
        rules=runtime.rules.rules,
        digest=runtime.digest,
        now=now,
    )
    return decided, columns


def check_columns(runtime: Runtime, names: list[str], source: object = "the table") -> None:
    """Refuse a table without a column that every record must have: no row of it could be decided."""
    wanted = [field.name for field in runtime.schema.fields if not field.nullable and field.default is None]
    missing = [name for name in wanted if name not in names]
    if missing:
        there = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        listed = ", ".join(f"'{name}'" for name in missing)
        are = "column {} is" if len(missing) == 1 else "columns {} are"
        raise InputError(f"{source}: {are.format(listed)} missing; the columns are {there or 'none'}")


def ids_of(runtime: Runtime, given: pa.RecordBatch, start: int) -> pa.Array:
    """Give the rows' ids: the id column as text, or the row's number, from 0, where there is none."""
    if runtime.id_column is None or runtime.id_column not in given.schema.names:
        return pa.array(np.arange(start, start + given.num_rows)).cast(pa.string())
    return id_column(given.column(runtime.id_column))


def id_column(given: pa.Array) -> pa.Array:
    """Write a column of ids as text, as `identity` writes one."""
    column = plain_column(given)
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_integer(column.type):
        return column.cast(pa.string())
    texts = []
    for row in range(len(column)):
        try:
            texts.append(identity(value_at(column, row)))
        except Refused:
            texts.append(None)
    return pa.array(texts, pa.string())


def joined_columns(given: pa.RecordBatch, columns: pa.RecordBatch, id_column: str | None) -> pa.RecordBatch:
    """Put a table's own columns before the decisions, renamed as `kept_names` says."""
    own = given.schema.names
    if len(set(own)) < len(own):
        twice = next(name for name in own if own.count(name) > 1)
        raise InputError(
            f"column '{twice}' stands {own.count(twice)} times in the table: to keep it, rename one"
        )
    names = kept_names(own, columns.schema.names, id_column)
    arrays = [given.column(name) for name in names] + columns.columns
    return pa.RecordBatch.from_arrays(arrays, names=[*names.values(), *columns.schema.names])


def kept_names(own: Iterable[str], taken: Iterable[str], id_column: str | None) -> dict[str, str]:
    """Name a table's own columns beside the decisions: one of a decision's name becomes `input.NAME`.

    An id column named `id` is not repeated: the decisions have it.
    """
    kept = [name for name in own if not (name == id_column == "id")]
    decisions = set(taken)
    used = decisions.union(kept)
    names = {}
    for name in kept:
        new = name
        while new in decisions or (new != name and new in used):
            new = f"input.{new}"
        names[name] = new
        used.add(new)
    return names


def _numbered(data: Any) -> Any:
    start = 0
    for batch in batches(data):
        yield batch, start
        start += batch.num_rows


def _in_place(block: Block) -> pa.RecordBatch:
    """Give the decisions a row for each row given: an id and problems alone where it was refused."""
    rows = block.given.num_rows
    places = np.full(rows, -1)
    places[block.rows] = np.arange(len(block.rows))
    columns = block.columns.take(pa.array(places, mask=places < 0)).set_column(0, "id", block.ids)
    texts: list[list[str]] = [[] for _ in range(rows)]
    for row, found in block.rejects:
        texts[row] = [str(problem) for problem in found]
    return columns.append_column(PROBLEMS, pa.array(texts, PROBLEMS.type))
