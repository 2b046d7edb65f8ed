"""Rows that are equal in every field to a row learned from: figures on them are of memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ divided by the golden ratio: its multiples spread over all 64 bits


def repeated(fields: pa.RecordBatch, learned: np.ndarray, judged: np.ndarray) -> int:
    """How many of the rows `judged` equal one of the rows `learned` in every field; both are row numbers."""
    hashes = _hashes(fields)
    return int(np.isin(hashes[judged], hashes[learned]).sum())


def warnings_of(fields: pa.RecordBatch, train: np.ndarray, others: dict[str, np.ndarray]) -> tuple[str, ...]:
    """One sentence for each part that has such rows; `others` are row numbers by the name of the part."""
    found = []
    for name, rows in others.items():
        count = repeated(fields, train, rows)
        if count:
            found.append(
                f"{count:,} of {len(rows):,} {name} rows equal a training row in every field, so that "
                "figures on them flatter; where equal rows are one thing seen twice, split by group"
            )
    return tuple(found)


def _hashes(fields: pa.RecordBatch) -> np.ndarray:
    """64 bits a row, equal where the rows are: `(n,)` uint64. Missing equals missing."""
    hashes = np.zeros(fields.num_rows, np.uint64)
    for column in fields.columns:
        encoded = column.dictionary_encode()
        codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
        mixed = (hashes ^ codes.astype(np.uint64)) * _MIX
        hashes = mixed ^ (mixed >> np.uint64(29))
    return hashes
