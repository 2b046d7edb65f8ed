"""What is odd in how rows are shared out, and how much each counts: one sentence each, for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from engine.project import Project
    from engine.training.rows import Labelled
    from engine.training.split import Parts

FEW_OF = 0.1  # effective rows, of all: below, the others hardly count


def odd_times(project: Project, rows: Labelled, parts: Parts) -> tuple[str, ...]:
    """Say what a split by time cannot do: tell rows of one time, or without any, apart."""
    name = project.split.field
    if project.split.by != "time" or name is None:
        return ()
    column = rows.column(name)
    times = column.cast(pa.int64())
    place, found = f"field '{name}', by which rows are split", []
    if times.null_count:
        found.append(
            f"{place}: missing in {times.null_count:,} of {rows.rows:,} rows, which count as the earliest"
        )
    known = times.drop_null().to_numpy(zero_copy_only=False)
    if len(known) and known.min() == known.max():
        return (*found, f"{place}: the same in every row; the split goes by the order of the file")
    for before, after, cut in (
        (parts.train, parts.validation, "training and validation rows"),
        (parts.validation, parts.test, "validation and test rows"),
    ):
        alike = _both_sides(times, before, after)
        if alike is not None:
            rows_alike = int((known == alike).sum())
            moment = pa.scalar(alike, pa.int64()).cast(column.type).as_py()
            found.append(
                f"{place}: {rows_alike:,} rows of one time, {moment:%Y-%m-%dT%H:%M:%SZ}, are {cut}; "
                "the order of the file parts them"
            )
    return tuple(found)


def odd_groups(project: Project, table: pa.Table) -> tuple[str, ...]:
    """Say how many rows of a split by group are of none."""
    name = project.split.field
    if project.split.by != "group" or name not in table.column_names:
        return ()
    missing = table.column(name).null_count
    if not missing:
        return ()
    told = f"missing in {missing:,} of {table.num_rows:,} rows, each of which is a group of its own"
    return (f"column '{name}', by which rows are split: {told}",)


def odd_weights(project: Project, rows: Labelled) -> tuple[str, ...]:
    """Say where a few rows hold most of the weight: as many of equal weight would say as much as all do."""
    found = []
    for name, weights in rows.weights.items():
        counted = weights[weights > 0]
        if not len(counted):
            continue
        shares = counted / counted.max()
        effective = shares.sum() ** 2 / (shares**2).sum()
        if effective < FEW_OF * len(counted):
            ordered = np.sort(shares)[::-1].cumsum()
            heavy = int(np.searchsorted(ordered, 0.5 * ordered[-1])) + 1
            hold = "holds" if heavy == 1 else "hold"
            found.append(
                f"label '{name}': {heavy:,} of {len(counted):,} rows {hold} half of the weight "
                f"('{project.labels[name].weight}') or more: all together count as {effective:,.1f} rows of "
                "equal weight would"
            )
    return tuple(found)


def _both_sides(times: pa.Array, before: np.ndarray, after: np.ndarray) -> int | None:
    """The time that rows on both sides of a cut have, if there is one."""
    if not len(before) or not len(after):
        return None
    earlier = times.take(pa.array(before, pa.int64())).drop_null().to_numpy(zero_copy_only=False)
    later = times.take(pa.array(after, pa.int64())).drop_null().to_numpy(zero_copy_only=False)
    if not len(earlier) or not len(later) or earlier.max() != later.min():
        return None
    return int(later.min())
