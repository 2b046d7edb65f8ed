"""Rows that are equal in every field to a row learned from: figures on them are of memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from engine.spill import blocks_of

_MISSING = np.uint64(0xD1B54A32D192ED03)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ divided by the golden ratio: its multiples spread over all 64 bits


def repeated(table: pa.Table, learned: np.ndarray, judged: np.ndarray) -> int:
    """How many of the rows `judged` equal one of the rows `learned` in every field; both are row numbers."""
    hashes = _hashes(table)
    return int(np.isin(hashes[judged], hashes[learned]).sum())


def warnings_of(table: pa.Table, train: np.ndarray, others: dict[str, np.ndarray]) -> tuple[str, ...]:
    """One sentence for each part that has such rows; `others` are row numbers by the name of the part."""
    found = []
    for name, rows in others.items():
        count = repeated(table, train, rows)
        if count:
            found.append(
                f"{count:,} of {len(rows):,} {name} rows equal a training row in every field, so that "
                "figures on them flatter; where equal rows are one thing seen twice, split by group"
            )
    return tuple(found)


def _hashes(table: pa.Table) -> np.ndarray:
    """64 bits a row, equal where the rows are: `(n,)` uint64. Missing equals missing."""
    return np.concatenate([np.empty(0, np.uint64), *(_of_block(block) for block in blocks_of(table))])


def _of_block(block: pa.RecordBatch) -> np.ndarray:
    hashes = np.zeros(block.num_rows, np.uint64)
    for column in block.columns:
        mixed = (hashes ^ _of_values(column)) * _MIX
        hashes = mixed ^ (mixed >> np.uint64(29))
    return hashes


def _of_values(column: pa.Array) -> np.ndarray:
    """64 bits a value of a normal column."""
    if pa.types.is_string(column.type):
        distinct = column.dictionary_encode()
        # The hashes of texts differ from process to process; none leaves this one.
        known = np.array([*map(hash, distinct.dictionary.to_pylist()), 0], np.int64)
        places = distinct.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
        values = known[places].view(np.uint64)
    elif pa.types.is_floating(column.type):
        values = (column.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0).view(np.uint64)  # -0.0 is 0.0
    else:
        kind = pa.uint8() if pa.types.is_boolean(column.type) else pa.int64()
        values = (
            column.cast(kind).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
        )
    if column.null_count:
        values = np.where(column.is_null().to_numpy(zero_copy_only=False), _MISSING, values)
    return np.asarray(values)
