"""What the rules of both stages say, put together: one verdict of a record, columns of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from rules.verdict import Verdict, Verdicts, join_lists, list_array

LISTS = ("reasons", "fired", "shadow", "suppressed", "unknown", "tags")
NAME = pa.dictionary(pa.int32(), pa.string())


def both(before: Verdict, after: Verdict, *, after_decides: bool) -> Verdict:
    """Give what both stages say, the first stage's first; nothing twice.

    Where a rule of stage `after` decides, its stage's reasons come first: the deciding rule's heads them.
    """
    reasons = after.reasons + before.reasons if after_decides else before.reasons + after.reasons
    return replace(
        after,
        reasons=tuple(dict.fromkeys(reasons)),
        fired=before.fired + after.fired,
        shadow=before.shadow + after.shadow,
        suppressed=before.suppressed + after.suppressed,
        unknown=before.unknown + after.unknown,
        tags=tuple(dict.fromkeys(before.tags + after.tags)),
    )


def joined(
    before: pa.ListArray, after: pa.ListArray, rest: np.ndarray, leading: np.ndarray | None = None
) -> pa.ListArray:
    """Append the lists of `after`, about the rows `rest`; what the list before it has is not said again.

    Where `leading`, `(m,)` bool, the list of `after` comes first.
    """
    if len(rest) == len(before) and not len(before.values):
        return after
    lists = join_lists(before, after, rest, leading)
    if not len(before.values) or not len(after.values):
        return lists
    offsets, codes = lists.offsets.to_numpy(), lists.values.indices.to_numpy()
    rows = np.repeat(np.arange(len(lists)), np.diff(offsets))
    _, first = np.unique(rows * len(lists.values.dictionary) + codes, return_index=True)
    if len(first) == len(codes):
        return lists
    kept = np.sort(first)
    counts = np.bincount(rows[kept], minlength=len(lists))
    starts = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    return list_array(starts, codes[kept], lists.values.dictionary)


def joined_lists(
    before: Verdicts, after: Verdicts, rest: np.ndarray, after_decides: np.ndarray
) -> dict[str, pa.ListArray]:
    """Give the lists of `both` stages; `after_decides` says of each of the rows `rest` what it says there."""
    leading = {"reasons": after_decides}
    return {
        name: joined(getattr(before, name), getattr(after, name), rest, leading.get(name)) for name in LISTS
    }


def verdict_columns(
    before: Verdicts, after: Verdicts, rest: np.ndarray, adjusts: Sequence[str]
) -> pa.RecordBatch:
    """Give the verdicts of a batch as Arrow columns.

    **Shape**: n verdicts of stage `before`, m of stage `after` about the rows `rest` `(m,)` → n rows.
    """
    outcome, decided_by = before.outcome.copy(), before.decided_by.copy()
    outcome[rest], decided_by[rest] = after.outcome, after.decided_by
    columns = {"outcome": names(outcome, after.outcomes), "decided_by": names(decided_by, after.rules)}
    for score in adjusts:
        if score not in after.changed:
            columns[f"adjusted.{score}"] = pa.nulls(len(before), pa.float64())
            continue
        values = np.full(len(before), np.nan)
        values[rest] = np.where(after.changed[score], after.adjusted[score], np.nan)
        columns[f"adjusted.{score}"] = pa.array(values, pa.float64(), from_pandas=True)
    lists = joined_lists(before, after, rest, after.outcome >= 0)
    columns |= {name: texts(one) for name, one in lists.items()}
    return pa.RecordBatch.from_pydict(columns)


def names(codes: np.ndarray, of: Sequence[str]) -> pa.Array:
    """Give a column of names by their codes, null for -1."""
    mask = codes < 0
    indices = pa.array(codes.astype(np.int32, copy=False), mask=mask if mask.any() else None)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(of), pa.string()))


def texts(lists: pa.ListArray) -> pa.Array:
    """Give dictionary-encoded lists as lists of plain text."""
    return pa.ListArray.from_arrays(lists.offsets, lists.values.dictionary_decode().cast(pa.string()))
