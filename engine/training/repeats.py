"""Rows that are equal in every field to a row learned from: figures on them are of memory.

A row is known by 64 bits over its fields in normal form, the same in every process and on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from engine.spill import blocks_of

_MISSING = np.uint64(0xD1B54A32D192ED03)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ divided by the golden ratio: its multiples spread over all 64 bits


def row_hashes(table: pa.Table) -> np.ndarray:
    """64 bits a row, equal where the rows are: `(n,)` uint64. Missing equals missing."""
    return np.concatenate([np.empty(0, np.uint64), *(_of_block(block) for block in blocks_of(table))])


def repeated(learned: np.ndarray, judged: np.ndarray) -> int:
    """How many of the rows `judged` equal one of the rows `learned` in every field; both are hashes."""
    return int(np.isin(judged, learned).sum())


def warnings_of(hashes: np.ndarray, train: np.ndarray, others: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """One sentence for each part that has such rows; the others are row numbers."""
    hint = "where equal rows are one thing seen twice, split by group"
    told = (_told(hashes[train], hashes[rows], name, hint) for name, rows in others.items())
    return tuple(one for one in told if one)


def warnings_of_file(learned: np.ndarray, judged: np.ndarray) -> tuple[str, ...]:
    """The same of a test file of its own; both are hashes."""
    told = _told(learned, judged, "data.test", "take them out of one of the two files")
    return (told,) if told else ()


def _told(learned: np.ndarray, judged: np.ndarray, name: str, hint: str) -> str:
    count = repeated(learned, judged)
    if not count:
        return ""
    return (
        f"{count:,} of {len(judged):,} {name} rows equal a training row in every field, so that "
        f"figures on them flatter; {hint}"
    )


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
        digests = b"".join(
            blake2b(text.encode(), digest_size=8).digest() for text in distinct.dictionary.to_pylist()
        )
        known = np.frombuffer(digests + bytes(8), "<u8").astype(np.uint64)
        places = distinct.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
        values = known[places]
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
